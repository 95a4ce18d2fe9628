//! A pipeline with everything around it: a broker, a generator, a reader of what comes out.
//!
//! Without `kafka` the broker is librdkafka's mock cluster in this process. It keeps 5 MiB per
//! partition, so the generator is paced by what the pipeline has consumed.

use super::{
    Definition, clock,
    supervisor::{self, Embedding, RunError, RunOptions, Summary},
    tasks,
    worker::Progress,
};
use crate::{
    kafka::{self, ClientProperties, ConsumerEvents, admin::AdminError},
    settings::Settings,
    source::{
        Feed, FeedError, Generator, Pace, cards::Cards, embedded::Embedded, flights::Flights,
    },
};
use rdkafka::{
    Message as _, Offset, TopicPartitionList, consumer::Consumer as _, error::KafkaError,
};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

/// Partitions of the demo's topics.
const PARTITIONS: i32 = 4;
/// Records the generator may be ahead of the pipeline: far less than 5 MiB a partition.
const WINDOW: u64 = 10_000;
/// Vectors waiting to be shown; more are left out, the pipeline never waits for a terminal.
const SHOWN_MAX: usize = 64;

/// What the demo tells while it runs.
#[derive(Debug)]
pub enum Event {
    /// A vector, as it lies in the output topic.
    Vector(Vec<u8>),
    /// Where it stands, about once a second.
    Progress {
        /// Since the beginning.
        elapsed: Duration,
        /// Records whose outcome is committed.
        consumed: u64,
        /// Of these, records that went to the dead-letter topic.
        rejected: u64,
        /// Of these, records that were counted and let go.
        dropped: u64,
        /// Records there will be.
        total: u64,
    },
}

/// What makes the records of a demo.
#[derive(Debug, Clone, Copy)]
pub enum Records {
    /// The bundled departures of two weeks.
    Flights,
    /// Seeded card transactions.
    Cards {
        /// The same seed gives the same records.
        seed: u64,
        /// Number of cards.
        cards: u32,
        /// Number of records.
        total: u64,
    },
}

impl Records {
    fn generator(self) -> Box<dyn Generator> {
        match self {
            Self::Flights => Box::new(Flights::default()),
            Self::Cards { seed, cards, total } => Box::new(Cards::new(seed, cards, total)),
        }
    }
}

/// What a demo runs on.
#[derive(Debug, Clone, Copy)]
pub struct Workload {
    /// What makes the records.
    pub records: Records,
    /// Records per second; none is as fast as it goes.
    pub rate: Option<u32>,
    /// True to use the broker of the settings instead of an embedded one.
    pub external: bool,
}

/// Why a demo did not end well.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The embedded broker could not be started.
    #[error("the embedded broker cannot be started: {0}")]
    Broker(KafkaError),
    /// The topics could not be made.
    #[error(transparent)]
    Topics(#[from] AdminError),
    /// The generator failed.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// The pipeline failed.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A thread could not be started.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Runs `definition` on what the workload makes until that ends or a signal comes.
pub async fn run(
    definition: Arc<Definition>,
    settings: Settings,
    workload: Workload,
    events: mpsc::SyncSender<Event>,
) -> Result<Summary, DemoError> {
    let broker = if workload.external {
        create_topics(&definition, &settings).await?;
        None
    } else {
        let spec = definition.spec();
        let topics: Vec<(&str, i32)> = (spec.source.topics.iter().map(String::as_str))
            .chain([spec.output.topic.as_str()])
            .chain(spec.dead_letter.iter().map(|d| d.topic.as_str()))
            .chain(spec.quality_topic())
            .map(|topic| (topic, PARTITIONS))
            .collect();
        Some(Embedded::start(&topics).map_err(DemoError::Broker)?)
    };
    let embedded = broker
        .as_ref()
        .map(|b| Embedding { bootstrap_servers: b.bootstrap_servers(), partitions: PARTITIONS });
    let properties = supervisor::producer_properties(&settings, embedded.as_ref());
    let reading = supervisor::consumer_properties(&settings, embedded.as_ref());
    let options = RunOptions { embedded, ..RunOptions::default() };
    let (stop, progress) = (Arc::clone(&options.stop), options.progress.clone());
    let mut generator = workload.records.generator();
    let total = generator.total();
    let viewer = view(&definition, &reading, &stop, &events)?;
    let ticker = tick(total, progress.clone(), Arc::clone(&stop), events)?;
    let pace = Pace {
        rate: workload.rate,
        consumed: Some(progress.consumed),
        window: WINDOW,
        clock: clock::monotonic,
    };
    let feed =
        Feed::new(&properties, &definition.spec().source.topics[0], pace, Arc::clone(&stop))?;
    let feeder = tasks::thread("generator".to_owned(), move || feed.run(generator.as_mut()))?;

    let result = supervisor::run(definition, &settings, options).await;
    stop.store(true, Ordering::Relaxed);
    let produced = tasks::joined(feeder);
    for thread in [viewer, ticker] {
        tasks::joined(thread);
    }
    // The broker outlives everything that talks to it.
    drop(broker);
    let summary = result?;
    produced.transpose()?;
    Ok(summary)
}

/// Writes what the workload makes into the pipeline's input on a real broker, and runs nothing.
pub async fn produce(
    definition: &Definition,
    settings: &Settings,
    workload: Workload,
) -> Result<u64, DemoError> {
    create_topics(definition, settings).await?;
    let properties = supervisor::producer_properties(settings, None);
    let pace =
        Pace { rate: workload.rate, consumed: None, window: WINDOW, clock: clock::monotonic };
    let topic = &definition.spec().source.topics[0];
    Ok(Feed::new(&properties, topic, pace, Arc::default())?
        .run(workload.records.generator().as_mut())?)
}

async fn create_topics(definition: &Definition, settings: &Settings) -> Result<(), AdminError> {
    let admin = supervisor::admin(settings)?;
    for topic in &definition.spec().source.topics {
        admin.create(topic, PARTITIONS, &[]).await?;
    }
    Ok(())
}

/// Hands vectors on as they appear in the output topic.
fn view(
    definition: &Definition,
    properties: &ClientProperties,
    stop: &Arc<AtomicBool>,
    events: &mpsc::SyncSender<Event>,
) -> Result<thread::JoinHandle<()>, DemoError> {
    let mut config = kafka::admin_config(properties);
    config.set("group.id", "millstream-demo-viewer").set("enable.auto.commit", "false");
    let consumer: kafka::Consumer =
        config.create_with_context(ConsumerEvents::default()).map_err(DemoError::Broker)?;
    let mut list = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        list.add_partition_offset(&definition.spec().output.topic, partition, Offset::End)
            .map_err(DemoError::Broker)?;
    }
    consumer.assign(&list).map_err(DemoError::Broker)?;
    let (stop, events) = (Arc::clone(stop), events.clone());
    let work = move || {
        while !stop.load(Ordering::Relaxed) {
            if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) {
                let vector = message.payload().unwrap_or_default().to_vec();
                // A full channel means that the terminal is behind: this vector is not shown.
                drop(events.try_send(Event::Vector(vector)));
            }
        }
    };
    Ok(tasks::thread("viewer".to_owned(), work)?)
}

/// Reports once a second, and ends the run once everything is consumed or nobody listens.
fn tick(
    total: u64,
    progress: Progress,
    stop: Arc<AtomicBool>,
    events: mpsc::SyncSender<Event>,
) -> io::Result<thread::JoinHandle<()>> {
    tasks::thread("ticker".to_owned(), move || {
        let started = clock::instant();
        let mut reported = started;
        while !stop.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(20));
            let consumed = progress.consumed.load(Ordering::Relaxed);
            if consumed >= total {
                stop.store(true, Ordering::Relaxed);
            }
            if reported.elapsed() >= Duration::from_secs(1) || consumed >= total {
                reported = clock::instant();
                let report = Event::Progress {
                    elapsed: started.elapsed(),
                    consumed,
                    rejected: progress.rejected.load(Ordering::Relaxed),
                    dropped: progress.dropped.load(Ordering::Relaxed),
                    total,
                };
                if let Err(mpsc::TrySendError::Disconnected(_)) = events.try_send(report) {
                    stop.store(true, Ordering::Relaxed);
                }
            }
        }
    })
}

/// A channel of the right size for [`run`].
pub fn events() -> (mpsc::SyncSender<Event>, mpsc::Receiver<Event>) {
    mpsc::sync_channel(SHOWN_MAX)
}
