//! `millstream replay`: a pipeline over a file of JSON lines, vectors to standard output.

use super::{Exit, terminal};
use crate::{
    batch::{Message, Target},
    pipeline::{
        Overrides,
        replay::{Form, Halted, Replay},
    },
};
use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, IsTerminal, Write},
    path::{Path, PathBuf},
};

/// Records folded at once.
const BATCH_RECORDS: usize = 1000;

/// Arguments of `replay`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The pipeline file.
    file: PathBuf,
    /// Records, one JSON value a line; `-` reads standard input.
    #[arg(long)]
    input: PathBuf,
    /// Lines are objects with value (or raw, its text), key, timestamp (ms), headers, offset and
    /// partition, as `--rejected` writes them.
    #[arg(long)]
    envelope: bool,
    /// Write rejected records here, as envelope lines with their context headers.
    #[arg(long)]
    rejected: Option<PathBuf>,
    /// Write verdicts on expectations here, one JSON object a line.
    #[arg(long)]
    quality: Option<PathBuf>,
}

/// Writes every vector to standard output and the conservation law to standard error.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    // Delivery says what a restart may do to a topic; a replay has neither.
    let overrides = Overrides { delivery: Some(crate::pipeline::Delivery::AtLeastOnce) };
    let definition = match terminal::load(&args.file, overrides) {
        Ok(definition) => definition,
        Err(exit) => return Ok(exit),
    };
    let progress = progress(&args.input);
    let mut input = open(&args.input, &progress)?;
    let mut vectors = BufWriter::new(io::stdout().lock());
    let mut rejected = args.rejected.as_deref().map(create).transpose()?;
    let mut quality = args.quality.as_deref().map(create).transpose()?;
    let text = definition.spec().output.format != "arrow_ipc";
    let form = if args.envelope { Form::Envelope } else { Form::Bare };
    let replay = Replay::new(&definition, form, BATCH_RECORDS);
    let (totals, halted) = replay.run(&mut *input, &mut |message| match message.parts.target {
        Target::Output => {
            vectors.write_all(message.value.unwrap_or_default())?;
            if text { vectors.write_all(b"\n") } else { Ok(()) }
        }
        Target::DeadLetter => match &mut rejected {
            Some(file) => writeln!(file, "{}", envelope(message)),
            None => Ok(()),
        },
        Target::Quality => match &mut quality {
            Some(file) => {
                file.write_all(message.value.unwrap_or_default())?;
                file.write_all(b"\n")
            }
            None => Ok(()),
        },
    })?;
    progress.finish_and_clear();
    vectors.flush()?;
    for mut file in rejected.into_iter().chain(quality) {
        file.flush()?;
    }
    terminal::complain(format_args!("{totals}"));
    for (expectation, judgement, windows) in totals.verdicts.iter() {
        let name = &definition.expectations()[expectation].name;
        terminal::complain(format_args!("  expectation `{name}` {}: {windows}", judgement.name()));
    }
    for Halted { partition, offset, expectation } in &halted {
        terminal::complain(format_args!(
            "partition {partition} stops behind offset {offset}: `{expectation}` was not met"
        ));
    }
    Ok(if totals.balance() && halted.is_empty() { Exit::Ok } else { Exit::Failure })
}

/// Shows how much of the input is read, on a terminal that the vectors do not go to.
fn progress(input: &Path) -> ProgressBar {
    match input.metadata() {
        Ok(file) if !io::stdout().is_terminal() => {
            let style = ProgressStyle::with_template("{wide_bar} {bytes}/{total_bytes} {eta}")
                .expect("the template is well-formed");
            ProgressBar::new(file.len()).with_style(style)
        }
        _ => ProgressBar::hidden(),
    }
}

fn open(path: &Path, progress: &ProgressBar) -> anyhow::Result<Box<dyn BufRead>> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Box::new(BufReader::new(progress.wrap_read(file))))
}

fn create(path: &Path) -> anyhow::Result<BufWriter<File>> {
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(BufWriter::new(file))
}

/// A message as a line that `--envelope` reads. Bytes that are not UTF-8 are replaced.
fn envelope(message: &Message<'_>) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let line = Envelope {
        key: message.parts.key.map(text),
        raw: message.value.map(text),
        timestamp: message.parts.timestamp_ms,
        headers: message.headers().map(|h| (text(h.name), h.value.map(text))).collect(),
    };
    serde_json::to_string(&line).expect("text and numbers have a JSON form")
}

/// The form of a line; of headers with one name the last counts.
#[derive(Serialize)]
struct Envelope {
    key: Option<String>,
    raw: Option<String>,
    timestamp: Option<i64>,
    headers: BTreeMap<String, Option<String>>,
}
