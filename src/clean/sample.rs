//! `sample`: keeps a part of the records, the same ones each time.

use super::{Build, Clean, Input, column};
use crate::{
    batch::{Reason, Rejections, Rows},
    registry::{self, Component, Node, Problem, schema_of},
    state::{KeyColumns, is_key_type},
};
use arrow::datatypes::SchemaRef;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64_with_seed;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "sample",
    summary: "Keeps a share of the records, chosen by a hash of columns.",
    example: "{ by: [tx_id], keep: 0.1 }",
    details: "A record stays if the upper 53 bits of XXH3-64 of its values in `by`, with `seed`, \
              are a share below `keep`: the same records in every run. A null is a value like \
              others.",
    state: "none",
    schema: schema_of::<Options>,
    build,
};

/// Options of `sample`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// Columns: records with the same values are kept or left out together.
    by: Vec<String>,
    /// The share of values that is kept, 0 to 1. Who is kept with a smaller share is kept with a
    /// greater one too.
    keep: f64,
    /// Another number makes another choice, independent of that of any other: 0 if not given.
    #[serde(default)]
    seed: u64,
}

fn build(node: &Node, input: &Input<'_>) -> Result<Box<dyn Clean>, Problem> {
    let Options { by, keep, seed } = registry::options(node)?;
    let columns = column::listed(input.schema, &by, node, "by")?;
    for (index, at) in &columns {
        let field = input.schema.field(*index);
        if !is_key_type(field.data_type()) {
            return Err(column::wrong_type(field, *at, "a column of single values"));
        }
    }
    if !(0.0..=1.0).contains(&keep) {
        return Err(Problem::new(node.at("keep"), format!("`keep` is {keep}"))
            .expected("a share from 0 to 1"));
    }
    let by = columns.into_iter().map(|(index, _)| index).collect();
    Ok(Box::new(Sample { schema: Arc::clone(input.schema), by, keep, seed }))
}

#[derive(Debug)]
struct Sample {
    schema: SchemaRef,
    by: Vec<usize>,
    keep: f64,
    seed: u64,
}

impl Clean for Sample {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn advance(&mut self, rows: Rows, rejected: &mut Rejections) -> Rows {
        let columns = KeyColumns::new(self.by.iter().map(|index| rows.columns.column(*index)));
        let mut scratch = Vec::new();
        let keep: Vec<bool> = (0..rows.len())
            .map(|row| {
                let kept = share(columns.bytes(row, &mut scratch), self.seed) < self.keep;
                if !kept {
                    rejected.push(rows.records[row], Reason::Sampled, "sample: left out");
                }
                kept
            })
            .collect();
        rows.filter(&keep)
    }
}

/// A number from 0 to below 1 that the values have: the upper 53 bits of their hash.
fn share(values: &[u8], seed: u64) -> f64 {
    (xxh3_64_with_seed(values, seed) >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use crate::{batch::Reason, clean::testing};
    use std::collections::BTreeSet;

    /// The places of the kept ones among 4,000 ids, each of which stands twice.
    fn kept(options: &str) -> BTreeSet<i64> {
        let ids: Vec<String> = (0..8_000).map(|i| format!("t{}", i / 2)).collect();
        let rows: Vec<_> = ids
            .iter()
            .map(|id| testing::Row { tx_id: Some(id), ..testing::Row::default() })
            .collect();
        let rows = testing::rows(&rows);
        let (out, rejected) = testing::advance_both_ways("sample", options, &rows, &[7, 1_000]);
        assert!(rejected.iter().all(|gone| gone.reason == Reason::Sampled));
        assert_eq!(out.len() + rejected.len(), ids.len());
        let twice = out.offsets.as_chunks::<2>().0.iter().all(|[a, b]| a / 2 == b / 2);
        assert!(twice, "records with the same id go together");
        out.offsets.iter().map(|offset| offset / 2).collect()
    }

    #[test]
    fn a_share_is_kept_and_a_greater_one_holds_it() {
        let tenth = kept("{ by: [tx_id], keep: 0.1 }");
        let half = kept("{ by: [tx_id], keep: 0.5 }");
        // Four standard deviations of a fair choice.
        assert!((324..=476).contains(&tenth.len()), "{}", tenth.len());
        assert!((1_873..=2_127).contains(&half.len()), "{}", half.len());
        assert!(tenth.is_subset(&half));
        let other = kept("{ by: [tx_id], keep: 0.5, seed: 1 }");
        let both = other.intersection(&half).count();
        assert!((890..=1_110).contains(&both), "{both}");
        assert!(kept("{ by: [tx_id], keep: 0 }").is_empty());
        assert_eq!(kept("{ by: [tx_id], keep: 1 }").len(), 4_000);
    }
}
