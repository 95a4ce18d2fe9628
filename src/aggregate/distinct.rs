//! `distinct`: how many different values.

use super::{
    Aggregate, Build, Content, Kind, OF_WINDOW, OfEvents, Output, Scan, VALUES, same, scan::runs,
};
use crate::registry::{self, Component, Node, Problem, schema_of};
use arrow::{
    array::{ArrayRef, Int64Builder},
    datatypes::DataType,
};
use datasketches::hll::{HllSketch, HllType};
use hashbrown::HashTable;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "distinct",
    summary: "The number of different values, exact up to `limit`.",
    example: "{ limit: 1000 }",
    details: "0 for an empty window, never null. NaN counts as one value, -0 and 0 are one. Beyond \
              `limit` the composite estimate of a HyperLogLog sketch of 4,096 registers (Apache \
              DataSketches) over the values' xxh3 hashes: a standard error of 1.6 %, never below the \
              limit, the same in any order of events.",
    state: OF_WINDOW,
    schema: schema_of::<Distinct>,
    build: |node| Distinct::build(node).map(Aggregate::events),
};

/// 4,096 registers of a byte: a standard error of 1.04 / 64.
const LG_REGISTERS: u8 = 12;

/// Options of `distinct`.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Distinct {
    /// Different values of a window up to which the number is exact; where there are more, it is
    /// that of a `HyperLogLog` sketch, with a standard error of 1.6 %. Without it, it is always exact.
    limit: Option<u32>,
}

impl Distinct {
    fn build(node: &Node) -> Result<Self, Problem> {
        let options: Self = registry::options(node)?;
        if options.limit == Some(0) {
            return Err(Problem::new(node.at("limit"), "a limit of 0 values")
                .expected("how many are counted exactly, such as 1000"));
        }
        Ok(options)
    }
}

impl OfEvents for Distinct {
    fn output(&self, input: Option<&DataType>) -> Result<Output, &'static str> {
        same(input).map_err(|_| VALUES)?;
        Ok(Output { data_type: DataType::Int64, nullable: false })
    }

    fn scan(&self, _input: Option<&DataType>) -> Box<dyn Scan> {
        Box::new(DistinctEach {
            limit: self.limit.map_or(usize::MAX, |limit| limit as usize),
            keys: Vec::new(),
            seen: HashTable::new(),
            column: Int64Builder::new(),
        })
    }
}

#[derive(Debug)]
struct DistinctEach {
    limit: usize,
    keys: Vec<i64>,
    seen: HashTable<i64>,
    column: Int64Builder,
}

impl DistinctEach {
    fn count(&mut self, content: &Content<'_>) -> usize {
        content.keys_into(&mut self.keys);
        if self.keys.len() <= self.limit {
            self.keys.sort_unstable();
            return runs(&self.keys).count();
        }
        self.seen.clear();
        for key in self.keys.iter().copied() {
            let entry = self.seen.entry(hash(key), |known| *known == key, |known| hash(*known));
            entry.or_insert(key);
            if self.seen.len() > self.limit {
                return estimate(content, &self.keys).max(self.limit + 1);
            }
        }
        self.seen.len()
    }
}

fn hash(key: i64) -> u64 {
    xxh3_64(&key.to_le_bytes())
}

/// How many different ones of the keys there are, by a sketch. Numbers of texts mean nothing: a text
/// is told by itself, so that what is estimated is the same after a restart.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of events")]
fn estimate(content: &Content<'_>, keys: &[i64]) -> usize {
    let mut sketch =
        HllSketch::new(LG_REGISTERS, HllType::Hll8).expect("a number of registers there can be");
    for key in keys {
        sketch.update(match content.kind {
            Kind::Text => xxh3_64(content.symbols.text(*key).as_bytes()),
            _ => hash(*key),
        });
    }
    // By the registers alone: the order of events does not show.
    sketch.composite_estimate().round() as usize
}

impl Scan for DistinctEach {
    fn take(&mut self, content: &Content<'_>) {
        let count = self.count(content);
        self.column.append_value(i64::try_from(count).expect("events fit memory"));
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.column.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Held, Interned, Pairs},
        *,
    };

    /// Five standard errors; what is hashed is the same in every run.
    #[test]
    fn the_sketch_keeps_its_bound_and_the_limit_is_kept_exactly() {
        for kind in [Kind::Integer, Kind::Text] {
            let mut interned = Interned::new([kind, Kind::Nothing]);
            for distinct in [990_usize, 1_000, 1_001, 1_500, 4_000, 20_000, 150_000] {
                let events: Vec<Held> = (0..distinct * 2)
                    .map(|i| {
                        let number = i % distinct;
                        let key = match kind {
                            Kind::Text => interned.text(&format!("{distinct} {number}")),
                            _ => i64::try_from(number * 7_919).unwrap(),
                        };
                        Held { time: 0, key }
                    })
                    .collect();
                let mut scan = DistinctEach {
                    limit: 1_000,
                    keys: Vec::new(),
                    seen: HashTable::new(),
                    column: Int64Builder::new(),
                };
                let content = Content {
                    events: &events,
                    kind,
                    symbols: interned.symbols(),
                    pairs: &Pairs::default(),
                    own: None,
                    time: 0,
                    has_own: false,
                    behind: 0,
                };
                let got = scan.count(&content);
                if distinct <= 1_000 {
                    assert_eq!(got, distinct);
                    continue;
                }
                let off = got as f64 / distinct as f64 - 1.0;
                assert!(got > 1_000 && off.abs() < 5.0 * 1.04 / 64.0, "{got} of {distinct}");
                let mut turned: Vec<Held> = events.clone();
                turned.reverse();
                let turned = Content { events: &turned, ..content };
                assert_eq!(scan.count(&turned), got);
            }
        }
    }
}
