//! `histogram`: how many values lie between given edges.

use super::{Aggregate, Build, Content, OF_WINDOW, OfEvents, Output, Scan, float_of_numbers};
use crate::registry::{self, Component, Node, Problem, schema_of};
use arrow::{
    array::{ArrayRef, Int64Array, ListArray},
    buffer::OffsetBuffer,
    datatypes::{DataType, Field, FieldRef},
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "histogram",
    summary: "The number of values between each edge and the next, as a list.",
    example: "{ edges: [0, 10, 100, 1000] }",
    details: "As many numbers as there are pairs of edges, all 0 for an empty window, never null. \
              NaN does not count.",
    state: OF_WINDOW,
    schema: schema_of::<Histogram>,
    build: |node| Histogram::build(node).map(Aggregate::events),
};

/// Options of `histogram`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Histogram {
    /// Ascending. A value on an edge counts above it, on the last one below it, as in numpy; values
    /// outside do not count.
    edges: Vec<f64>,
}

impl Histogram {
    fn build(node: &Node) -> Result<Self, Problem> {
        let options: Self = registry::options(node)?;
        let ascend = options.edges.windows(2).all(|pair| pair[0] < pair[1]);
        if options.edges.len() < 2 || !ascend {
            return Err(Problem::new(node.at("edges"), "edges that bound nothing")
                .expected("two numbers or more, each greater than the one before"));
        }
        Ok(options)
    }
}

fn item() -> FieldRef {
    Arc::new(Field::new_list_field(DataType::Int64, false))
}

impl OfEvents for Histogram {
    fn output(&self, input: Option<&DataType>) -> Result<Output, &'static str> {
        float_of_numbers(input, false)?;
        Ok(Output { data_type: DataType::List(item()), nullable: false })
    }

    fn scan(&self, _input: Option<&DataType>) -> Box<dyn Scan> {
        Box::new(HistogramEach { edges: self.edges.clone(), counts: Vec::new(), windows: 0 })
    }
}

#[derive(Debug)]
struct HistogramEach {
    edges: Vec<f64>,
    /// Those of the batch, one window after the other.
    counts: Vec<i64>,
    windows: usize,
}

impl HistogramEach {
    fn bins(&self) -> usize {
        self.edges.len() - 1
    }

    /// The bin of a value; none outside, and none of NaN.
    #[expect(clippy::float_cmp, reason = "on the edge is on the edge")]
    fn bin(&self, value: f64) -> Option<usize> {
        if value == self.edges[self.bins()] {
            return Some(self.bins() - 1);
        }
        let above = self.edges.partition_point(|edge| *edge <= value);
        (1..=self.bins()).contains(&above).then(|| above - 1)
    }
}

impl Scan for HistogramEach {
    fn take(&mut self, content: &Content<'_>) {
        let start = self.counts.len();
        self.counts.resize(start + self.bins(), 0);
        self.windows += 1;
        for value in content.numbers() {
            if let Some(bin) = self.bin(value) {
                self.counts[start + bin] += 1;
            }
        }
    }

    fn finish(&mut self) -> ArrayRef {
        let windows = std::mem::take(&mut self.windows);
        let values: Int64Array = self.counts.drain(..).collect::<Vec<_>>().into();
        let offsets = OffsetBuffer::from_repeated_length(self.edges.len() - 1, windows);
        Arc::new(ListArray::new(item(), offsets, Arc::new(values), None))
    }
}
