//! The daemon: asks the cluster once, starts workers and the HTTP listener, waits for the end.
//!
//! Workers are OS threads that share nothing; Tokio serves the control plane alone. The end is a
//! signal, a worker that failed, or, with `until_end`, the end of the log.

mod launch;
mod vacancies;

use super::{
    Definition, Totals,
    connect::{self, Cluster, Missing},
    tasks,
    worker::{Progress, Report, WorkerError, WorkerSummary},
};
use crate::{
    kafka::{self, ClientProperties, admin::Admin},
    settings::{BATCH_RECORDS_MAX, Settings},
    source::SourceError,
    state::BATCH_ROWS_MAX,
    store::{SnapshotStore, StoreError},
    telemetry::{self, BuildInfo, Health, Metrics},
};
pub(super) use launch::processor;
use launch::{Launch, Workers};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};
use tracing::{error, info, warn};

const _: () =
    assert!(BATCH_RECORDS_MAX <= BATCH_ROWS_MAX, "no setting asks for more than a fold takes");

/// What `run` may be told beside files.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// Rebuild the state of a group that ran with another definition.
    pub migrate: bool,
    /// Read the partitions that an input topic got later, from their beginning.
    pub accept_growth: bool,
    /// End once every partition of the input is folded and committed.
    pub until_end: bool,
    /// The broker is the embedded one, which has no admin API: its partitions are told here.
    pub embedded: Option<Embedding>,
    /// How far the run is.
    pub progress: Progress,
    /// Ends the run when set.
    pub stop: Arc<AtomicBool>,
}

/// What cannot be asked of an embedded broker.
#[derive(Debug, Clone)]
pub struct Embedding {
    /// `HOST:PORT`.
    pub bootstrap_servers: String,
    /// Partitions of the input topic, and of the output topic.
    pub partitions: i32,
}

/// Why a run did not end well.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The cluster does not offer what the pipeline needs.
    #[error("the cluster is not ready for this pipeline:\n  {}", .0.join("\n  "))]
    Cluster(Vec<String>),
    /// A worker failed for good.
    #[error("worker {index} failed: {}", chain(.error))]
    Worker {
        /// Its number.
        index: usize,
        /// Why.
        error: WorkerError,
    },
    /// A worker panicked; the log says where.
    #[error("worker {0} panicked")]
    Panicked(usize),
    /// Partitions stopped, so that the end of the input was not reached; the log says why.
    #[error("{0} partitions stopped before the end of the input; the log says why")]
    Stopped(u64),
    /// A client beside the workers' could not be made.
    #[error("the group cannot be watched: {}", chain(.0))]
    Group(#[from] SourceError),
    /// The store of snapshots cannot be used.
    #[error("snapshots: {0}")]
    Store(#[from] StoreError),
    /// Threads or sockets could not be made.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Finishing took longer than `shutdown_grace`, or a second signal came.
    #[error(
        "ended before everything was finished; what is not committed is repeated at next start"
    )]
    Forced,
}

impl RunError {
    /// True if another process uses the same instance name.
    pub fn is_slot_used_twice(&self) -> bool {
        matches!(self, Self::Worker { error: WorkerError::SlotUsedTwice(_), .. })
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text = format!("{text}: {source}");
        next = source.source();
    }
    text
}

/// What a run did.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// Outcomes of all records whose offsets were committed.
    pub totals: Totals,
    /// Records replayed to rebuild state.
    pub replayed: u64,
}

/// Runs a pipeline until it is told to stop.
pub async fn run(
    definition: Arc<Definition>,
    settings: &Settings,
    options: RunOptions,
) -> Result<Summary, RunError> {
    let clients = Clients::new(settings, options.embedded.as_ref());
    let cluster = ask_cluster(&definition, settings, &options, &clients).await?;
    let metrics = Arc::new(Metrics::new(&BuildInfo {
        version: env!("CARGO_PKG_VERSION"),
        pipeline: &definition.spec().pipeline,
        definition: definition.hash(),
    }));
    metrics.expect(definition.expectations().iter().map(|e| e.name.as_str()));
    metrics.tls_verification_disabled.set(settings.tls_verification_disabled().into());
    let health = Arc::new(Health::new(settings.workers.get()));
    let listener = telemetry::bind(settings.listen).await?;
    info!(address = %listener.local_addr()?, "serving /metrics, /livez, /readyz");
    let stop = Arc::clone(&options.stop);
    let http = tasks::spawn(
        "http",
        telemetry::serve(
            listener,
            Arc::clone(&metrics),
            Arc::clone(&health),
            std::future::pending(),
        ),
    );

    let store = match &options.embedded {
        // What the embedded broker holds ends with the process, and so does every state.
        Some(_) => None,
        None => Some(SnapshotStore::open(&settings.snapshots)?),
    };
    let report = |index| Report::new(index, &metrics, &health, &options.progress);
    let launch = Launch {
        definition: &definition,
        settings,
        options: &options,
        clients: &clients,
        store,
        metrics: &metrics,
    };
    let workers = launch.workers(&cluster, report)?;
    if let Some(caretaker) = launch.caretaker(&cluster)? {
        vacancies::watch(caretaker, Arc::clone(&metrics), Arc::clone(&stop))?;
    }
    let ended = wait_for_end(&workers, &options, cluster.input_partitions()).await;
    let stopped = options.progress.stopped.load(Ordering::Relaxed);
    info!(reason = ended, "draining");
    health.set_draining();
    stop.store(true, Ordering::Relaxed);
    let result = finish(workers, settings).await;
    http.abort();
    match result {
        Ok(_) if options.until_end && stopped > 0 => Err(RunError::Stopped(stopped)),
        result => result,
    }
}

/// Client properties, and the broker they lead to.
struct Clients {
    consumer: ClientProperties,
    producer: ClientProperties,
}

impl Clients {
    fn new(settings: &Settings, embedded: Option<&Embedding>) -> Self {
        let broker = |properties: Vec<(String, String)>| {
            let embedded =
                embedded.map(|e| ("bootstrap.servers".to_owned(), e.bootstrap_servers.clone()));
            ClientProperties::new(properties.into_iter().chain(embedded))
        };
        let exposed =
            |(name, value): (String, crate::settings::Property)| (name, value.expose().to_owned());
        Self {
            consumer: broker(settings.consumer_properties().map(exposed).collect()),
            producer: broker(settings.producer_properties().map(exposed).collect()),
        }
    }
}

/// Consumer properties as the settings say, for clients beside the daemon's.
pub fn consumer_properties(settings: &Settings, embedded: Option<&Embedding>) -> ClientProperties {
    Clients::new(settings, embedded).consumer
}

/// Producer properties as the settings say, for clients beside the daemon's.
pub fn producer_properties(settings: &Settings, embedded: Option<&Embedding>) -> ClientProperties {
    Clients::new(settings, embedded).producer
}

/// An admin client as the settings say.
pub fn admin(settings: &Settings) -> Result<Admin, kafka::admin::AdminError> {
    let clients = Clients::new(settings, None);
    let timeout = duration(settings.startup_timeout.us);
    Admin::connect(&kafka::admin_config(&clients.producer), timeout)
}

async fn ask_cluster(
    definition: &Definition,
    settings: &Settings,
    options: &RunOptions,
    clients: &Clients,
) -> Result<Cluster, RunError> {
    if let Some(embedded) = &options.embedded {
        info!("embedded broker: topic guards skipped");
        let topics = definition.spec().source.topics.iter();
        return Ok(Cluster {
            inputs: topics.map(|topic| (topic.clone(), embedded.partitions)).collect(),
            output_partitions: embedded.partitions,
            ..Cluster::default()
        });
    }
    let timeout = duration(settings.startup_timeout.us);
    let admin = Admin::connect(&kafka::admin_config(&clients.producer), timeout)
        .map_err(|error| RunError::Cluster(vec![error.to_string()]))?;
    let missing = if settings.create_topics { Missing::Create } else { Missing::Refuse };
    let mut cluster = connect::inspect(&admin, definition, missing).await;
    for finding in &cluster.findings {
        info!("{finding}");
    }
    cluster.id = admin.cluster_id();
    if cluster.problems.is_empty() { Ok(cluster) } else { Err(RunError::Cluster(cluster.problems)) }
}

/// A worker's thread.
pub(super) type Handle = thread::JoinHandle<Result<WorkerSummary, WorkerError>>;

/// Waits for a reason to stop and names it.
async fn wait_for_end(workers: &Workers, options: &RunOptions, partitions: i32) -> &'static str {
    let partitions = u64::try_from(partitions).unwrap_or(0);
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    let mut signal = std::pin::pin!(signal());
    loop {
        tokio::select! {
            () = &mut signal => return "signal",
            _ = tick.tick() => {}
        }
        workers.watch();
        if options.stop.load(Ordering::Relaxed) {
            return "asked to stop";
        }
        if workers.handles.iter().any(Handle::is_finished) {
            return "a worker ended";
        }
        let Progress { at_end, stopped, .. } = &options.progress;
        let ended = at_end.load(Ordering::Relaxed) + stopped.load(Ordering::Relaxed);
        if options.until_end && ended == partitions {
            return "end of the input";
        }
    }
}

/// Waits for the workers; a second signal or the end of the grace period forces the end.
async fn finish(workers: Workers, settings: &Settings) -> Result<Summary, RunError> {
    let grace = duration(settings.shutdown_grace.us);
    let mut forced = std::pin::pin!(async {
        tokio::select! {
            () = signal() => warn!("second signal"),
            () = tokio::time::sleep(grace) => warn!("grace period over"),
        }
    });
    let workers = workers.handles;
    while !workers.iter().all(Handle::is_finished) {
        tokio::select! {
            () = &mut forced => return Err(RunError::Forced),
            () = tokio::time::sleep(Duration::from_millis(10)) => {}
        }
    }
    let mut summary = Summary::default();
    let mut failure = None;
    for (index, worker) in workers.into_iter().enumerate() {
        match tasks::joined(worker) {
            Some(Ok(done)) => {
                summary.totals += &done.totals;
                summary.replayed += done.replayed;
            }
            Some(Err(error)) => {
                error!(worker = index, error = chain(&error), "worker failed");
                failure.get_or_insert(RunError::Worker { index, error });
            }
            None => {
                failure.get_or_insert(RunError::Panicked(index));
            }
        }
    }
    failure.map_or(Ok(summary), Err)
}

/// Completes at SIGTERM or SIGINT.
async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let terminate = async {
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => drop(terminate.recv().await),
            Err(error) => {
                error!(%error, "SIGTERM cannot be caught");
                std::future::pending::<()>().await;
            }
        }
    };
    tokio::select! {
        () = terminate => {}
        result = tokio::signal::ctrl_c() => {
            if let Err(error) = result {
                error!(%error, "SIGINT cannot be caught");
                std::future::pending::<()>().await;
            }
        }
    }
}

fn duration(us: i64) -> Duration {
    Duration::from_micros(u64::try_from(us).unwrap_or(0))
}
