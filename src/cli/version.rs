//! `millstream version`: what runs here.

use super::{Exit, terminal};
use crate::pipeline::FOLD_VERSION;

/// Prints the version of the program and of the fold, which state depends on.
pub(super) fn run() -> anyhow::Result<Exit> {
    terminal::answer(format_args!(
        "millstream {} (fold version {FOLD_VERSION})",
        env!("CARGO_PKG_VERSION")
    ))?;
    Ok(Exit::Ok)
}
