//! `millstream demo`: a pipeline on real data, with a broker inside the process.

use super::{Exit, settings::SettingsArgs, terminal};
use crate::{
    batch::Reason,
    pipeline::{
        Definition, Totals,
        demo::{self, Event, Records},
        spec::Overrides,
    },
    registry::{Node, Value},
};
use anyhow::Context as _;
use std::{
    io::{self, IsTerminal as _},
    net::SocketAddr,
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
    /// Vectors to print per second [default: 4, on a terminal 1 in readable form].
    #[arg(long)]
    show: Option<u32>,
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
    greet(args, rate, &definition, settings.listen);
    let (sender, receiver) = demo::events();
    let terminal = io::stdout().is_terminal();
    let show = args.show.unwrap_or(if terminal { 1 } else { 4 });
    let printer = thread::spawn(move || Printer::new(show, terminal).print(&receiver));
    let summary = runtime.block_on(demo::run(definition, settings, workload, sender))?;
    let seen = printer.join().unwrap_or_default();
    conclude(args, &summary.totals, seen);
    Ok(Exit::Ok)
}

fn greet(args: &Args, rate: Option<u32>, definition: &Definition, listen: SocketAddr) {
    let broker = match &args.kafka {
        Some(servers) => format!("the broker {servers}"),
        None => "a broker embedded in this process".to_owned(),
    };
    let rate = rate.map_or("as fast as it goes".to_owned(), |rate| format!("{rate} records/s"));
    terminal::complain(format_args!(
        "pipeline {} on {broker}, at least once, {rate}; Ctrl-C ends it",
        definition.spec().pipeline
    ));
    if listen.port() > 0 {
        terminal::complain(format_args!("metrics are at http://{listen}/metrics"));
    }
    if args.kafka.is_none() {
        terminal::complain(format_args!(
            "the first vectors come after 3 s: so long the embedded broker waits for a group's members"
        ));
    }
    terminal::complain(format_args!(""));
}

/// Prints the conservation law, how long it took, and what a second run on a real broker does.
fn conclude(args: &Args, totals: &Totals, seen: Seen) {
    terminal::complain(format_args!("\n{totals}"));
    let seconds = seen.active.as_secs_f64();
    // A demo that was ended early has no line of progress at its end.
    if seen.consumed == totals.consumed && seconds > 0.0 {
        terminal::complain(format_args!(
            "{} records in {seconds:.1} s, {:.0}/s",
            seen.consumed,
            seen.consumed as f64 / seconds
        ));
    }
    if args.kafka.is_some() && totals.rejected.get(Reason::Late) > 0 {
        terminal::complain(format_args!(
            "late: every run generates the same event times, and these topics have seen later ones"
        ));
    }
}

/// Where the last line of progress stood.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Seen {
    /// Records consumed.
    consumed: u64,
    /// How long records came.
    active: Duration,
}

/// Prints a few vectors and one line of progress each second.
struct Printer {
    /// Vectors between two lines of progress.
    show: u32,
    shown: u32,
    /// Lines are for a person's eyes.
    terminal: bool,
    consumed: u64,
    elapsed: Duration,
    /// When nothing had been consumed yet.
    idle: Duration,
}

impl Printer {
    fn new(show: u32, terminal: bool) -> Self {
        let (elapsed, idle) = (Duration::ZERO, Duration::ZERO);
        Self { show, shown: 0, terminal, consumed: 0, elapsed, idle }
    }

    /// Prints until the events or the reader of our output end.
    fn print(mut self, events: &mpsc::Receiver<Event>) -> Seen {
        for event in events {
            let printed = match event {
                Event::Vector(_) if self.shown >= self.show => Ok(()),
                Event::Vector(vector) => self.vector(&vector),
                Event::Progress { elapsed, consumed, rejected, dropped, total } => {
                    let rate = self.advance(elapsed, consumed);
                    let published = consumed.saturating_sub(rejected + dropped);
                    terminal::complain(format_args!(
                        "{:6.1} s  {consumed} of {total} records, {rate:.0}/s: \
                         {published} published, {rejected} rejected, {dropped} dropped",
                        elapsed.as_secs_f64()
                    ));
                    Ok(())
                }
            };
            if printed.is_err() {
                break;
            }
        }
        Seen { consumed: self.consumed, active: self.elapsed.saturating_sub(self.idle) }
    }

    fn vector(&mut self, vector: &[u8]) -> anyhow::Result<()> {
        self.shown += 1;
        let text = String::from_utf8_lossy(vector);
        match wrapped(&text).filter(|_| self.terminal) {
            Some(lines) => terminal::answer(lines),
            None => terminal::answer(text),
        }
    }

    /// Notes where it stands; returns the records per second since the line before.
    fn advance(&mut self, elapsed: Duration, consumed: u64) -> f64 {
        let seconds = elapsed.saturating_sub(self.elapsed).as_secs_f64().max(0.001);
        let rate = consumed.saturating_sub(self.consumed) as f64 / seconds;
        (self.shown, self.consumed, self.elapsed) = (0, consumed, elapsed);
        if consumed == 0 {
            self.idle = elapsed;
        }
        rate
    }
}

/// Columns of the narrowest usual terminal.
const WIDTH: usize = 80;

/// A JSON object as `name=value` for eyes, numbers to four places; none if it is something else.
fn wrapped(vector: &str) -> Option<String> {
    let vector = Node::parse(vector).ok()?;
    let (mut text, mut column) = (String::new(), 0);
    for (name, _, field) in vector.as_map()? {
        let item = match &field.value {
            Value::String(value) => format!("{name}={value}"),
            Value::Float(x) => format!("{name}={}", short(*x)),
            _ => format!("{name}={}", field.canonical()),
        };
        if column > 0 && column + 2 + item.len() > WIDTH {
            text.push_str("\n  ");
            column = 2;
        }
        let gap = if column > 2 { "  " } else { "" };
        text.push_str(gap);
        text.push_str(&item);
        column += gap.len() + item.len();
    }
    Some(text)
}

/// A number to four places, in full where that would leave nothing of it.
fn short(x: f64) -> String {
    let rounded = (x * 1e4).round() / 1e4;
    if x.abs() < 1e-3 { x.to_string() } else { rounded.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_is_wrapped_for_eyes() {
        let vector = r#"{"origin":"JFK","cancelled":false,"mean":15.333333333333332,"std":null,
            "tiny":1.5e-7,"count":12,"a_feature_with_a_long_name":-0.25,"zero":0.0}"#;
        let expected = "origin=JFK  cancelled=false  mean=15.3333  std=null  tiny=0.00000015  \
                        count=12\n  a_feature_with_a_long_name=-0.25  zero=0";
        assert_eq!(wrapped(vector).as_deref(), Some(expected));
        assert!(expected.lines().all(|line| line.len() <= WIDTH));
        assert_eq!(wrapped("[1, 2]"), None);
    }

    #[test]
    fn the_rate_begins_with_the_first_record() {
        let (events, receiver) = mpsc::channel();
        for (seconds, consumed) in [(1, 0), (3, 0), (5, 400)] {
            let elapsed = Duration::from_secs(seconds);
            let progress =
                Event::Progress { elapsed, consumed, rejected: 0, dropped: 0, total: 400 };
            events.send(progress).unwrap();
        }
        drop(events);
        let expected = Seen { consumed: 400, active: Duration::from_secs(2) };
        assert_eq!(Printer::new(0, false).print(&receiver), expected);
    }
}
