//! Which snapshots a call is about: a pipeline file, names, or everything.

use super::super::{Exit, terminal};
use crate::{
    pipeline::{Definition, Overrides},
    store::{Entry, Listing, Name, SnapshotStore},
};
use anyhow::{Context as _, bail};
use std::path::Path;

/// Words of a command line: the pipeline file, if one is there, and names of snapshots.
pub(super) struct Picked {
    pub(super) definition: Option<Definition>,
    pub(super) names: Vec<Name>,
}

impl Picked {
    /// Tells pipeline file and names apart, and loads the file.
    pub(super) fn read(words: &[String]) -> anyhow::Result<Result<Self, Exit>> {
        let mut picked = Self { definition: None, names: Vec::new() };
        for word in words {
            let yaml = Path::new(word).extension().is_some_and(|e| e == "yaml" || e == "yml");
            if !yaml {
                picked.names.push(name(word)?);
                continue;
            }
            if picked.definition.is_some() {
                bail!("{word}: a second pipeline file; one at a time");
            }
            match terminal::load(Path::new(word), Overrides::default()) {
                Ok(definition) => picked.definition = Some(definition),
                Err(exit) => return Ok(Err(exit)),
            }
        }
        Ok(Ok(picked))
    }

    /// Everything of the pipeline, or of the store where no file is named. In order: by topic and
    /// partition, newest position first.
    pub(super) fn list(&self, store: &SnapshotStore) -> anyhow::Result<Listing> {
        let pipeline = self.definition.as_ref().map(|d| d.spec().pipeline.as_str());
        let mut listing = store.list_all(pipeline)?;
        listing.snapshots.sort_by(|a, b| order(&a.name).cmp(&order(&b.name)));
        listing.foreign.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(listing)
    }

    /// The entries of the names.
    pub(super) fn entries(&self, store: &SnapshotStore) -> anyhow::Result<Vec<Entry>> {
        self.names.iter().map(|name| find(store, name)).collect()
    }
}

/// Reads a name as `state ls` prints it.
pub(super) fn name(word: &str) -> anyhow::Result<Name> {
    Name::parse(word).with_context(|| {
        format!("`{word}` is no name of a snapshot; `millstream state ls` prints them")
    })
}

/// The snapshot of that name.
pub(super) fn find(store: &SnapshotStore, name: &Name) -> anyhow::Result<Entry> {
    let entries = store.list(&name.partition)?;
    let found = entries.into_iter().find(|entry| entry.name == *name);
    found.with_context(|| format!("{}: no snapshot `{name}`", store.shown()))
}

type Order<'a> = (&'a str, &'a str, i32, std::cmp::Reverse<&'a Name>);

fn order(name: &Name) -> Order<'_> {
    let partition = &name.partition;
    (&partition.pipeline, &partition.topic, partition.partition, std::cmp::Reverse(name))
}
