//! The only place that writes to the terminal: answers to standard output, the rest to standard
//! error.

use super::Exit;
use crate::{
    pipeline::{Definition, Overrides},
    registry::Problem,
};
use std::{
    fmt::{Arguments, Display},
    io::{self, Write},
    path::Path,
};

/// Prints an answer and a line break.
pub(super) fn answer(text: impl Display) -> anyhow::Result<()> {
    Ok(writeln!(io::stdout().lock(), "{text}")?)
}

/// Prints what is not the answer: progress, summaries, complaints.
pub(super) fn complain(text: Arguments<'_>) {
    // Nobody is left to be told that nobody listens.
    drop(writeln!(io::stderr().lock(), "{text}"));
}

/// Loads a pipeline file, or prints everything that is wrong with it.
pub(super) fn load(path: &Path, overrides: Overrides) -> Result<Definition, Exit> {
    Definition::load(path, overrides).map_err(|problems| refuse(&problems))
}

/// Prints problems, one a line, and gives the exit code that goes with them.
pub(super) fn refuse(problems: &[Problem]) -> Exit {
    for problem in problems {
        complain(format_args!("{problem}"));
    }
    let s = if problems.len() == 1 { "" } else { "s" };
    complain(format_args!("{} problem{s}", problems.len()));
    Exit::Configuration
}

/// True if the reader of our output has gone.
pub(super) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
    })
}
