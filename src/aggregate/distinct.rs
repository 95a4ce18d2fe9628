//! `distinct`: how many different values.

use super::{
    Aggregate, Build, Content, NoOptions, OF_WINDOW, OfEvents, Output, Scan, VALUES, no_options,
    same, scan::runs,
};
use crate::registry::{Component, schema_of};
use arrow::{
    array::{ArrayRef, Int64Builder},
    datatypes::DataType,
};
use std::sync::Arc;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "distinct",
    summary: "The number of different values, exact.",
    example: "{}",
    details: "0 for an empty window, never null. NaN counts as one value, -0 and 0 are one.",
    state: OF_WINDOW,
    schema: schema_of::<NoOptions>,
    build: |node| no_options(node).map(|()| Aggregate::events(Distinct)),
};

#[derive(Debug)]
struct Distinct;

impl OfEvents for Distinct {
    fn output(&self, input: Option<&DataType>) -> Result<Output, &'static str> {
        same(input).map_err(|_| VALUES)?;
        Ok(Output { data_type: DataType::Int64, nullable: false })
    }

    fn scan(&self, _input: Option<&DataType>) -> Box<dyn Scan> {
        Box::<DistinctEach>::default()
    }
}

#[derive(Debug, Default)]
struct DistinctEach {
    keys: Vec<i64>,
    column: Int64Builder,
}

impl Scan for DistinctEach {
    fn take(&mut self, content: &Content<'_>) {
        content.keys_into(&mut self.keys);
        self.keys.sort_unstable();
        let count = runs(&self.keys).count();
        self.column.append_value(i64::try_from(count).expect("events fit memory"));
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.column.finish())
    }
}
