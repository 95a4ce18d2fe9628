//! `millstream test`: the cases beside a pipeline.

use super::{Exit, terminal};
use crate::pipeline::cases::Suite;
use std::path::PathBuf;

/// Arguments of `test`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Files of test cases, such as flights.test.yaml.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// Runs all cases of all files; every failure is shown with what differs.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let mut passed = 0;
    let mut failed = 0;
    for file in &args.files {
        let suite = match Suite::load(file) {
            Ok(suite) => suite,
            Err(problems) => return Ok(terminal::refuse(&problems)),
        };
        for case in suite.cases() {
            match suite.run(case) {
                None => {
                    passed += 1;
                    terminal::answer(format_args!("ok      {}: {}", file.display(), case.name))?;
                }
                Some(difference) => {
                    failed += 1;
                    let (file, name) = (file.display(), &case.name);
                    terminal::answer(format_args!("FAILED  {file}: {name}\n{difference}"))?;
                }
            }
        }
    }
    terminal::answer(format_args!("{passed} passed, {failed} failed"))?;
    Ok(if failed == 0 { Exit::Ok } else { Exit::Failure })
}
