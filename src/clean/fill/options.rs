//! Options of `fill`.

use super::{
    Source,
    categories::Categories,
    last::Last,
    linear::Linear,
    rolling::{Center, Rolling},
};
use crate::{
    clean::{Input, constant::Constant},
    registry::{Node, Problem, Span},
};
use arrow::array::ArrayRef;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Options of `fill`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Options {
    /// The column to fill.
    pub(super) column: String,
    /// `last`, `linear`, `mean`, `median`, `mode`, or a constant.
    with: Option<Constant>,
    /// A constant, also one of the texts that mean something else as `with`.
    value: Option<Constant>,
    /// `last`: how old the value may be; without it, any age, and keys are kept for ever. `linear`:
    /// how far away the values on both sides may be.
    within: Option<Span>,
    /// `mean`, `median`, `mode`: how far back values count.
    over: Option<Span>,
    /// `mean`, `median`, `mode`: values that there have to be.
    #[schemars(extend("default" = 1))]
    min_count: Option<usize>,
    /// A column of texts that says which of `values` is taken.
    by: Option<String>,
    /// The constant for each text of `by`.
    values: Option<BTreeMap<String, Constant>>,
    /// What to take where there is none of these; without it the value stays null.
    #[serde(rename = "else")]
    otherwise: Option<Constant>,
    /// Name of the column that says what was filled, instead of `{column}_was_missing`.
    pub(super) name: Option<String>,
}

/// A `with` that is no constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Last,
    Rolling(Center),
    Linear,
}

impl Method {
    fn of(constant: &Constant) -> Option<Self> {
        let Constant::Text(text) = constant else { return None };
        Some(match text.as_str() {
            "last" => Self::Last,
            "mean" => Self::Rolling(Center::Mean),
            "median" => Self::Rolling(Center::Median),
            "mode" => Self::Rolling(Center::Mode),
            "linear" => Self::Linear,
            _ => return None,
        })
    }
}

const SOURCES: &str = "`with: last`, `linear`, `mean`, `median` or `mode`, `with: <constant>`, \
                       `value: <constant>`, or `by` and `values`";

impl Options {
    /// Where values come from, and the constant where nothing does, for the column `index`.
    pub(super) fn sources(
        &self,
        node: &Node,
        input: &Input<'_>,
        index: usize,
    ) -> Result<(Option<Source>, Option<ArrayRef>), Problem> {
        let (schema, field) = (input.schema, input.schema.field(index));
        let method = self.with.as_ref().and_then(Method::of);
        self.each_belongs(method, node)?;
        let source = match (method, &self.by, &self.values) {
            (Some(Method::Last), ..) => {
                Some(Source::Last(Last::build(field, self.within, node.at("column"))?))
            }
            (Some(Method::Rolling(center)), ..) => {
                let window = (self.over_us(node)?, self.min_count.unwrap_or(1));
                let rolling = Rolling::build(center, window, field, node.at("column"))?;
                Some(Source::Rolling(Box::new(rolling)))
            }
            (Some(Method::Linear), ..) => {
                let linear = Linear::build(index, self.within, node, input)?;
                Some(Source::Linear(Box::new(linear)))
            }
            (None, Some(by), Some(values)) => {
                let categories = Categories::build(by, values, (schema, field), node)?;
                Some(Source::Categories(categories))
            }
            (None, Some(_), None) => return Err(missing("values", node)),
            (None, None, Some(_)) => return Err(missing("by", node)),
            (None, None, None) => None,
        };
        let (constant, key) = match (&source, &self.with, &self.value) {
            (Some(_), ..) => (self.otherwise.as_ref(), "else"),
            (None, Some(constant), _) => (Some(constant), "with"),
            (None, None, constant) => (constant.as_ref(), "value"),
        };
        let constant = constant.map(|constant| constant.for_column(field, node.at(key)));
        Ok((source, constant.transpose()?))
    }

    fn over_us(&self, node: &Node) -> Result<i64, Problem> {
        let over = self.over.ok_or_else(|| missing("over", node))?;
        if over.us > 0 {
            return Ok(over.us);
        }
        let expected = "a duration above 0: no value lies in an empty window";
        Err(Problem::new(node.at("over"), "wrong value: 0").expected(expected))
    }

    /// Complains about keys that have nothing to do with each other.
    fn each_belongs(&self, method: Option<Method>, node: &Node) -> Result<(), Problem> {
        let by = self.by.is_some() || self.values.is_some();
        match (&self.with, &self.value, by) {
            (None, None, false) => {
                return Err(Problem::new(node.at, "nothing to fill with").expected(SOURCES));
            }
            (Some(_), Some(_), _) => {
                return Err(Problem::new(node.at("value"), "`with` and `value` together")
                    .expected("one of them"));
            }
            (Some(_), None, true) | (None, Some(_), true) => {
                let key = if self.by.is_some() { "by" } else { "values" };
                return Err(Problem::new(node.at(key), format!("`{key}` beside another source"))
                    .expected("`else` for what `values` does not list"));
            }
            _ => {}
        }
        let rolling = matches!(method, Some(Method::Rolling(_)));
        let within = matches!(method, Some(Method::Last | Method::Linear));
        let stray = [
            ("else", self.otherwise.is_some() && method.is_none() && !by, "a source that may fail"),
            ("within", self.within.is_some() && !within, "`with: last` or `linear`"),
            ("over", self.over.is_some() && !rolling, "`with: mean`, `median` or `mode`"),
            ("min_count", self.min_count.is_some() && !rolling, "`with: mean`, `median` or `mode`"),
        ];
        match stray.into_iter().find(|(_, is_stray, _)| *is_stray) {
            Some((key, _, without)) => {
                Err(Problem::new(node.at(key), format!("`{key}` without {without}")))
            }
            None => Ok(()),
        }
    }
}

fn missing(key: &str, node: &Node) -> Problem {
    Problem::new(node.at, format!("missing key `{key}`"))
}
