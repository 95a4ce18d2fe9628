//! The `snapshots` section: where the state of partitions is kept, how often, how many.

mod options;
mod place;

pub(super) use options::judge;
pub use options::option_names;
pub use place::{Cloud, Store};

use super::kafka::{Properties, entries, scalar_text};
use super::merged::{Merged, Writer};
use super::property::Property;
use super::scalar::Scalar;
use super::secret::Sources;
use crate::registry::{Position, Problem, Span};
use options::is_secret;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::num::NonZeroUsize;

/// Where snapshots are kept and when they are taken.
#[derive(Debug, Clone)]
pub struct Snapshots {
    /// The store. Default: the directory `snapshots`.
    pub store: Store,
    /// Longest time between two snapshots of a partition. Default 30 s.
    pub interval: Span,
    /// Records of a partition after which a snapshot is taken before the interval is over.
    /// Default 1,000,000.
    pub records: NonZeroUsize,
    /// Snapshots of a partition that are kept, at least 2. Default 2.
    pub keep: NonZeroUsize,
    options: Properties,
}

impl Snapshots {
    /// Options of a bucket store, secrets among them: name and value.
    pub fn options(&self) -> impl Iterator<Item = (&str, &Property)> {
        self.options.iter().map(|(name, value)| (name.as_str(), value))
    }
}

/// The keys of the section.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Keys {
    store: Option<Scalar<String>>,
    interval: Option<Span>,
    records: Option<Scalar<NonZeroUsize>>,
    keep: Option<Scalar<NonZeroUsize>>,
    // The maps are read by `Reader`, whose messages never repeat a value.
    #[serde(rename = "options")]
    _options: IgnoredAny,
    #[serde(rename = "secrets")]
    _secrets: IgnoredAny,
}

const RECORDS: NonZeroUsize = NonZeroUsize::new(1_000_000).expect("not zero");
/// With one alone a damaged snapshot would mean to read the whole log again.
const KEEP_MIN: NonZeroUsize = NonZeroUsize::new(2).expect("not zero");

/// Reads the section.
pub(super) struct Reader<'a> {
    /// The merged settings.
    pub(super) merged: &'a Merged,
    /// Where secrets may come from.
    pub(super) sources: Sources<'a>,
    /// `allow_literal_secrets`.
    pub(super) allow_literal_secrets: bool,
}

impl Reader<'_> {
    /// Checks the keys and reads options and secrets.
    pub(super) fn read(&mut self, keys: Keys) -> Result<Snapshots, Problem> {
        let root = &self.merged.root;
        let at = |key: &str| root.get("snapshots").map_or(root.at, |section| section.at(key));
        let text = keys.store.map_or("snapshots".to_owned(), |store| store.0);
        // The text is not repeated: a password may stand in it.
        let store = Store::parse(&text)
            .map_err(|what| Problem::new(at("store"), what).expected(place::EXPECTED))?;
        let interval = keys.interval.unwrap_or(Span { us: 30_000_000 });
        if interval.us < 1_000 {
            return Err(Problem::new(at("interval"), format!("wrong value: `{interval}`"))
                .expected("a duration of at least 1ms"));
        }
        let keep = keys.keep.map_or(KEEP_MIN, |keep| keep.0);
        if keep < KEEP_MIN {
            return Err(Problem::new(at("keep"), format!("wrong value: {keep}")).expected(
                "a whole number of at least 2, so that a damaged snapshot has one before it",
            ));
        }
        let records = keys.records.map_or(RECORDS, |records| records.0);
        let options = self.options(&store)?;
        Ok(Snapshots { store, interval, records, keep, options })
    }

    fn options(&mut self, store: &Store) -> Result<Properties, Problem> {
        let mut options = Properties::new();
        let Some(section) = self.merged.root.get("snapshots") else { return Ok(options) };
        for (key, at, value) in entries(section, "options")? {
            options::find(store, key, *at)?;
            self.refuse_literal(key, *at)?;
            let text = scalar_text(*at, value)?;
            options.insert(key.clone(), Property::of_store(text, !is_secret(key)));
        }
        for (key, at, value) in entries(section, "secrets")? {
            options::find(store, key, *at)?;
            let secret = Property::of_store(self.sources.read(*at, value)?, false);
            if options.insert(key.clone(), secret).is_some() {
                return Err(Problem::new(*at, "stands in `snapshots.options` too")
                    .expected("one place for it, better this one"));
            }
        }
        Ok(options)
    }

    fn refuse_literal(&self, key: &str, at: Position) -> Result<(), Problem> {
        let writer = self.merged.place(at).map(|place| &place.writer);
        let literal = is_secret(key) && !self.allow_literal_secrets;
        if literal && !matches!(writer, Some(Writer::Environment(_))) {
            return Err(Problem::new(at, "a secret written out").expected(format!(
                "`snapshots.secrets: {{ {key}: {{ file: PATH }} }}` or `{{ env: NAME }}`; \
                 `allow_literal_secrets: true` permits it",
            )));
        }
        Ok(())
    }
}
