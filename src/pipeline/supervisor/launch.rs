//! Starting the workers: clients, transactional ids, the store of snapshots.

use super::{Clients, Handle, RunError, RunOptions, duration};
use crate::{
    kafka::{self, ConsumerGroup},
    pipeline::{
        Definition, Delivery,
        connect::Cluster,
        tasks,
        worker::{
            Known, Parts, Place, Pulse, Report, SnapshotOptions, Snapshots, Worker, WorkerError,
            WorkerOptions, WorkerSummary,
        },
    },
    settings::Settings,
    sink::{Remedy, Sink, Topics},
    source::{Caretaker, Source},
    store::SnapshotStore,
    telemetry::Metrics,
};
use rand::distr::{Alphanumeric, SampleString as _};
use rdkafka::ClientConfig;
use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};
use tracing::{error, info, warn};

/// What every worker is started from.
pub(super) struct Launch<'s> {
    pub(super) definition: &'s Arc<Definition>,
    pub(super) settings: &'s Settings,
    pub(super) options: &'s RunOptions,
    pub(super) clients: &'s Clients,
    pub(super) store: Option<SnapshotStore>,
    pub(super) metrics: &'s Arc<Metrics>,
}

/// The running workers.
pub(super) struct Workers {
    pub(super) handles: Vec<Handle>,
    pulses: Vec<Arc<Pulse>>,
    /// Bits of the workers that were said to hang.
    said: AtomicU64,
}

/// A turn takes much less, whatever the broker does: beyond it a worker hangs.
const HANGS_AFTER: Duration = Duration::from_mins(1);

impl Workers {
    /// Says which workers hang, and at what. Called again and again.
    pub(super) fn watch(&self) {
        for (index, pulse) in self.pulses.iter().enumerate() {
            let bit = 1_u64 << (index % 64);
            match pulse.stuck(HANGS_AFTER) {
                Some((doing, since)) if self.said.fetch_or(bit, Ordering::Relaxed) & bit == 0 => {
                    error!(worker = index, doing, seconds = since.as_secs(), "worker hangs");
                }
                Some(_) => {}
                None => {
                    self.said.fetch_and(!bit, Ordering::Relaxed);
                }
            }
        }
    }
}

impl Launch<'_> {
    pub(super) fn workers(
        &self,
        cluster: &Cluster,
        report: impl Fn(usize) -> Report,
    ) -> Result<Workers, RunError> {
        let options = self.worker_options(cluster);
        let place = Place::new(self.definition, cluster.id.clone(), &processor());
        let instance = self.instance();
        let known = Known::default();
        let mut workers =
            Workers { handles: Vec::new(), pulses: Vec::new(), said: AtomicU64::new(0) };
        for index in 0..self.settings.workers.get() {
            let pulse = Arc::new(Pulse::default());
            let start = Start {
                clients: self.clients(index, &instance, cluster),
                definition: Arc::clone(self.definition),
                options: options.clone(),
                place: place.clone(),
                known: known.clone(),
                pulse: Arc::clone(&pulse),
                stop: Arc::clone(&self.options.stop),
                store: self.store.clone(),
                metrics: Arc::clone(self.metrics),
                snapshots: self.snapshot_options(),
                index,
            };
            let report = report(index);
            let work = move || start.run(report);
            workers.handles.push(tasks::thread(format!("worker-{index}"), work)?);
            workers.pulses.push(pulse);
        }
        Ok(workers)
    }

    /// Who looks after partitions that are nobody's: where members have names, of the classic
    /// protocol.
    pub(super) fn caretaker(&self, cluster: &Cluster) -> Result<Option<Caretaker>, RunError> {
        let is_classic = self.clients.consumer.is_classic_group();
        let is_static = self.settings.group_instance_id.is_some();
        if !is_static || !is_classic || self.options.embedded.is_some() {
            return Ok(None);
        }
        let id = self.definition.spec().pipeline.clone();
        let group = ConsumerGroup { id: id.clone(), instance: None };
        let config = kafka::consumer_config(&self.clients.consumer, &group);
        Ok(Some(Caretaker::new(config, id, cluster.inputs.clone())?))
    }

    /// The name of this process among those of the pipeline.
    fn instance(&self) -> String {
        let named = self.settings.instance.as_ref().or(self.settings.group_instance_id.as_ref());
        named.cloned().unwrap_or_else(|| {
            let random = Alphanumeric.sample_string(&mut rand::rng(), 10).to_lowercase();
            if self.is_exactly_once() {
                info!(
                    instance = random,
                    "no `instance` is set: after a crash the transaction it left open has to time \
                     out before its partitions go on"
                );
            }
            random
        })
    }

    fn is_exactly_once(&self) -> bool {
        self.definition.spec().delivery == Delivery::ExactlyOnce && self.options.embedded.is_none()
    }

    fn worker_options(&self, cluster: &Cluster) -> WorkerOptions {
        let settings = self.settings;
        WorkerOptions {
            commit_interval: duration(settings.commit_interval.us),
            commit_records: settings.commit_records.get() as u64,
            commit_bytes: usize::try_from(settings.commit_bytes.0).unwrap_or(usize::MAX),
            batch_records: settings.batch_records.get(),
            inputs: cluster.inputs.clone(),
            output_partitions: cluster.output_partitions,
            settle: duration(settings.shutdown_grace.us) / 2,
            migrate: self.options.migrate,
            accept_growth: self.options.accept_growth,
        }
    }

    fn snapshot_options(&self) -> SnapshotOptions {
        let snapshots = &self.settings.snapshots;
        SnapshotOptions {
            interval: duration(snapshots.interval.us),
            records: snapshots.records.get() as u64,
            keep: snapshots.keep.get(),
        }
    }

    fn clients(&self, index: usize, instance: &str, cluster: &Cluster) -> WorkerClients {
        let spec = self.definition.spec();
        let member = self.settings.group_instance_id.as_ref().map(|id| format!("{id}-{index}"));
        let group = ConsumerGroup { id: spec.pipeline.clone(), instance: member };
        let largest = spec.limits.vector_bytes.0.max(spec.limits.record_bytes.0) + MESSAGE_ROOM;
        let mut producer = kafka::producer_config(&self.clients.producer, largest);
        if let Some(bytes) = cluster.batch_bytes {
            kafka::limit_batches(&mut producer, bytes);
        }
        if self.is_exactly_once() {
            let id = format!("{}-{instance}-{index}", spec.pipeline);
            kafka::make_transactional(&mut producer, &self.clients.producer, &id);
        }
        WorkerClients {
            consumer: kafka::consumer_config(&self.clients.consumer, &group),
            producer,
            inputs: spec.source.topics.clone(),
            topics: Topics {
                output: spec.output.topic.clone(),
                dead_letter: spec.dead_letter.as_ref().map(|d| d.topic.clone()),
                quality: spec.quality_topic().map(str::to_owned),
            },
        }
    }
}

/// Room for keys and headers beside the largest value.
const MESSAGE_ROOM: u64 = 128 * 1024;

/// Configurations of a worker's clients, and what they are for.
struct WorkerClients {
    consumer: ClientConfig,
    producer: ClientConfig,
    inputs: Vec<String>,
    topics: Topics,
}

/// Everything a worker's thread begins with.
struct Start {
    clients: WorkerClients,
    definition: Arc<Definition>,
    options: WorkerOptions,
    place: Place,
    known: Known,
    pulse: Arc<Pulse>,
    stop: Arc<AtomicBool>,
    store: Option<SnapshotStore>,
    metrics: Arc<Metrics>,
    snapshots: SnapshotOptions,
    index: usize,
}

impl Start {
    /// First the producer, so that the transaction a predecessor left open ends, then the group.
    fn run(mut self, report: Report) -> Result<WorkerSummary, WorkerError> {
        let longest = kafka::max_poll_interval(&self.clients.consumer) / 5;
        self.options.settle = self.options.settle.min(longest);
        let Some(sink) = self.sink()? else { return Ok(WorkerSummary::default()) };
        let source = Source::join(&self.clients.consumer, &self.clients.inputs)?;
        let snapshots =
            Snapshots::start(self.index, self.store.clone(), self.snapshots, &self.metrics)
                .expect("a thread can be started");
        let parts = Parts {
            source,
            sink,
            snapshots,
            store: self.store,
            place: self.place,
            known: self.known,
            metrics: self.metrics,
            pulse: self.pulse,
        };
        Worker::new(self.definition, self.options, parts, report).run(&self.stop)
    }

    /// A producer that the coordinator knows; none if the process was told to end before.
    fn sink(&self) -> Result<Option<Sink>, WorkerError> {
        let mut sink = Sink::open(&self.clients.producer, &self.clients.topics)?;
        while !self.stop.load(Ordering::Relaxed) {
            self.pulse.connects();
            match sink.initialise(Duration::from_secs(5)) {
                Ok(()) => return Ok(Some(sink)),
                Err(error) if error.remedy() == Remedy::Stop => return Err(error.into()),
                Err(error) => {
                    let reason = std::error::Error::source(&error).map(ToString::to_string);
                    warn!(worker = self.index, %error, reason, "no transactions yet, trying again");
                    thread::sleep(Duration::from_millis(250));
                    tasks::drop_elsewhere(sink.reopen()?);
                }
            }
        }
        Ok(None)
    }
}

/// The processor as the system names it: results are promised to the bit on one kind of it.
pub(in crate::pipeline) fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown processor", |(_, name)| name.trim());
    format!("{}, {model}", std::env::consts::ARCH)
}
