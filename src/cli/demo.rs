//! `millstream demo`: a pipeline on real data, with a broker inside the process.

use super::{Exit, settings::SettingsArgs, terminal};
use crate::pipeline::{
    Definition,
    demo::{self, Event, Records},
    spec::Overrides,
};
use anyhow::Context as _;
use std::{
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

/// Arguments of `demo`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What to run.
    #[arg(long, value_enum, default_value_t = Workload::Flights)]
    workload: Workload,
    /// A real broker instead of the embedded one.
    #[arg(long, value_name = "HOST:PORT")]
    kafka: Option<String>,
    /// Records per second; 0 for as fast as it goes [default: 200 for flights, 2000 for card].
    #[arg(long)]
    rate: Option<u32>,
    /// Number of records of the card workload.
    #[arg(long, default_value_t = 100_000)]
    records: u64,
    /// Number of cards of the card workload.
    #[arg(long, default_value_t = 20_000)]
    cards: u32,
    /// Seed of the card workload.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only write the records into the broker given by --kafka; run no pipeline.
    #[arg(long, requires = "kafka")]
    produce_only: bool,
    /// Vectors to print per second.
    #[arg(long, default_value_t = 4)]
    show: u32,
    #[command(flatten)]
    settings: SettingsArgs,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Workload {
    /// Two weeks of real departures from New York, most of them out of order.
    Flights,
    /// Seeded card transactions, the reference workload for speed.
    Card,
}

/// The pipeline files travel with the binary, so that the demo needs no clone.
const FILES: &[(&str, &str)] = &[
    ("flights.yaml", include_str!("../../config/pipelines/flights.yaml")),
    ("flights.schema.json", include_str!("../../config/pipelines/flights.schema.json")),
    ("card-features.yaml", include_str!("../../config/pipelines/card-features.yaml")),
    (
        "card-transaction.schema.json",
        include_str!("../../config/pipelines/card-transaction.schema.json"),
    ),
];

impl Workload {
    fn file(self) -> &'static str {
        match self {
            Self::Flights => "flights.yaml",
            Self::Card => "card-features.yaml",
        }
    }

    fn rate(self) -> u32 {
        match self {
            Self::Flights => 200,
            Self::Card => 2_000,
        }
    }
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let directory = tempfile::tempdir().context("no temporary directory for the pipeline files")?;
    for (name, text) in FILES {
        std::fs::write(directory.path().join(name), text)?;
    }
    let file = directory.path().join(args.workload.file());
    let definition = match terminal::load(&file, Overrides::default()) {
        Ok(definition) => Arc::new(definition),
        Err(exit) => return Ok(exit),
    };
    let mut settings = match args.settings.load() {
        Ok(settings) => settings,
        Err(exit) => return Ok(exit),
    };
    if let Some(servers) = &args.kafka {
        settings.kafka.bootstrap_servers.clone_from(servers);
        settings.create_topics = true;
    }
    super::run::start_logs(&settings)?;
    let records = match args.workload {
        Workload::Flights => Records::Flights,
        Workload::Card => {
            Records::Cards { seed: args.seed, cards: args.cards, total: args.records }
        }
    };
    let rate = Some(args.rate.unwrap_or_else(|| args.workload.rate())).filter(|r| *r > 0);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let workload = demo::Workload { records, rate, external: args.kafka.is_some() };
    if args.produce_only {
        let producing = demo::produce(&definition, &settings, workload);
        let count = runtime.block_on(producing)?;
        terminal::answer(format_args!(
            "{count} records in {}",
            definition.spec().source.topics[0]
        ))?;
        return Ok(Exit::Ok);
    }
    greet(args, &definition, &settings.listen.to_string());
    let (sender, receiver) = demo::events();
    let show = args.show;
    let printer = thread::spawn(move || print(&receiver, show));
    let summary = runtime.block_on(demo::run(definition, settings, workload, sender))?;
    drop(printer.join());
    terminal::answer(format_args!("\n{}", summary.totals))?;
    Ok(Exit::Ok)
}

fn greet(args: &Args, definition: &Definition, listen: &str) {
    let broker = match &args.kafka {
        Some(servers) => format!("the broker {servers}"),
        None => "an embedded broker in this process".to_owned(),
    };
    terminal::complain(format_args!(
        "pipeline {} on {broker}, at least once; metrics at http://{listen}/metrics; Ctrl-C ends it\n",
        definition.spec().pipeline
    ));
}

/// Prints a few vectors and one line of progress each second.
fn print(events: &mpsc::Receiver<Event>, show: u32) {
    let (mut shown, mut last, mut last_elapsed) = (0, 0, Duration::ZERO);
    for event in events {
        let printed = match event {
            Event::Vector(_) if shown >= show => Ok(()),
            Event::Vector(vector) => {
                shown += 1;
                terminal::answer(format_args!("{}", String::from_utf8_lossy(&vector)))
            }
            Event::Progress { elapsed, consumed, total } => {
                let seconds = elapsed.saturating_sub(last_elapsed).as_secs_f64().max(0.001);
                let rate = (consumed - last) as f64 / seconds;
                (shown, last, last_elapsed) = (0, consumed, elapsed);
                terminal::complain(format_args!(
                    "{:6.1} s  {consumed} of {total} records, {rate:.0}/s",
                    elapsed.as_secs_f64()
                ));
                Ok(())
            }
        };
        if printed.is_err() {
            return;
        }
    }
}
