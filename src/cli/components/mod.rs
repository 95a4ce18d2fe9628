//! `millstream components`: the tables, as they are compiled in.

mod options;
mod oracles;
mod page;

use super::{Exit, terminal};
use crate::{
    aggregate, clean, decode, encode, feature, pipeline::spec, registry::Component, window,
};
use anyhow::Context;
use oracles::Oracles;
use std::{
    fmt::{self, Write},
    fs,
    path::PathBuf,
};

/// Arguments of `components`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print the JSON Schema of the pipeline file instead, for editors.
    #[arg(long)]
    schema: bool,
    /// Print a page in Markdown: options, formula, cost and oracle of every component.
    #[arg(long, conflicts_with = "schema")]
    markdown: bool,
    /// The page with the tables that the runs of the oracles have written.
    #[arg(long, value_name = "FILE", requires = "markdown")]
    compared: Option<PathBuf>,
    /// Print the JSON Schema of a parameter file instead.
    #[arg(long, conflicts_with = "schema")]
    parameters: bool,
}

/// Where the list of functions is wrapped.
const WIDTH: usize = 100;

/// Prints every table, or the schema made from them.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    if args.schema {
        terminal::answer(serde_json::to_string_pretty(&spec::json_schema())?)?;
        return Ok(Exit::Ok);
    }
    if args.markdown {
        let oracles = match &args.compared {
            Some(path) => Oracles::read(
                &fs::read_to_string(path)
                    .with_context(|| format!("cannot read {}", path.display()))?,
            ),
            None => Oracles::default(),
        };
        terminal::answer(page::page(&oracles).trim_end())?;
        return Ok(Exit::Ok);
    }
    if args.parameters {
        terminal::answer(serde_json::to_string_pretty(&spec::parameters_schema())?)?;
        return Ok(Exit::Ok);
    }
    terminal::answer(tables()?)?;
    Ok(Exit::Ok)
}

fn tables() -> Result<String, fmt::Error> {
    let mut text = String::new();
    table(&mut text, "source.format", decode::FORMATS)?;
    table(&mut text, "clean", clean::OPERATORS)?;
    table(&mut text, "expectations, expect", window::MEASURES)?;
    table(&mut text, "windows, compute", aggregate::AGGREGATES)?;
    table(&mut text, "features", feature::FEATURES)?;
    table(&mut text, "output.format", encode::FORMATS)?;
    functions(&mut text)?;
    text.truncate(text.trim_end().len());
    Ok(text)
}

/// The functions of SQL expressions, wrapped.
fn functions(text: &mut String) -> fmt::Result {
    write!(text, "functions of SQL expressions (case, cast, in, like and operators beside them)")?;
    let mut column = WIDTH;
    for name in feature::function_names() {
        if column + 1 + name.len() > WIDTH {
            write!(text, "\n ")?;
            column = 1;
        }
        write!(text, " {name}")?;
        column += 1 + name.len();
    }
    writeln!(text)
}

fn table<B>(text: &mut String, title: &str, components: &[Component<B>]) -> fmt::Result {
    writeln!(text, "{title}")?;
    for component in components {
        writeln!(text, "  {:<20}{}", component.name, component.summary)?;
        if !component.example.is_empty() {
            writeln!(text, "  {:<20}{}: {}", "", component.name, component.example)?;
        }
    }
    writeln!(text)
}
