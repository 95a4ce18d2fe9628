//! Reads a file of cases, strictly.

use super::{Case, Expected, Record, json};
use crate::{
    batch::{Policy, Reason},
    registry::{self, Node, Problem},
};
use std::path::{Path, PathBuf};

/// How far a number may be off, relative to the larger one above 1, absolute below.
const TOLERANCE: f64 = 1e-9;

/// The pipeline that a file of cases names, and the cases.
pub(super) fn file(node: &Node) -> Result<(Option<&str>, Vec<Case>), Problem> {
    known(node, &["pipeline", "tolerance", "cases"])?;
    let pipeline = node.get("pipeline").map(|path| text(path)).transpose()?;
    let tolerance = tolerance(node, TOLERANCE)?;
    let cases = items(required(node, "cases")?)?;
    if cases.is_empty() {
        return Err(Problem::new(node.at("cases"), "no cases").expected("at least one"));
    }
    Ok((pipeline, cases.iter().map(|node| case(node, tolerance)).collect::<Result<_, _>>()?))
}

/// `flights.test.yaml` is about `flights.yaml` beside it, unless it names another file.
pub(super) fn pipeline_path(cases: &Path, named: Option<&str>) -> PathBuf {
    let folder = cases.parent().unwrap_or(Path::new(""));
    if let Some(named) = named {
        return folder.join(named);
    }
    let name = cases.file_name().unwrap_or_default().to_string_lossy();
    folder.join(name.replace(".test.", "."))
}

fn case(node: &Node, tolerance_of_file: f64) -> Result<Case, Problem> {
    known(node, &["name", "records", "expect", "tolerance"])?;
    let records = items(required(node, "records")?)?;
    let expect = required(node, "expect")?;
    let expected = items(expect)?;
    if records.len() != expected.len() {
        let what = format!("{} outcomes for {} records", expected.len(), records.len());
        return Err(Problem::new(expect.at, what).expected("one outcome per record, in order"));
    }
    Ok(Case {
        name: text(required(node, "name")?)?.to_owned(),
        records: records.iter().map(record).collect::<Result<_, _>>()?,
        expect: expected.iter().map(outcome).collect::<Result<_, _>>()?,
        tolerance: tolerance(node, tolerance_of_file)?,
    })
}

fn record(node: &Node) -> Result<Record, Problem> {
    known(node, &["value", "raw", "key", "timestamp", "headers"])?;
    let value = match (node.get("value"), node.get("raw")) {
        (Some(value), None) => (value.value != registry::Value::Null).then(|| json::text(value)),
        (None, Some(raw)) => Some(text(raw)?.to_owned()),
        _ => {
            return Err(Problem::new(node.at, "no value").expected("`value` or `raw`, one of them"));
        }
    };
    let key = node.get("key").map(registry::options::<Option<String>>).transpose()?.flatten();
    let headers = node.get("headers").map(registry::options).transpose()?.unwrap_or_default();
    Ok(Record {
        key: key.map(String::into_bytes),
        value: value.map(String::into_bytes),
        timestamp_ms: node.get("timestamp").map(registry::options).transpose()?,
        headers,
        ..Record::default()
    })
}

fn outcome(node: &Node) -> Result<Expected, Problem> {
    if let Some(vector) = node.get("vector") {
        known(node, &["vector", "exact"])?;
        let fields = vector
            .as_map()
            .ok_or_else(|| Problem::new(vector.at, vector.kind()).expected("a map of fields"))?;
        return Ok(Expected::Vector {
            fields: fields.iter().map(|(name, _, value)| (name.clone(), value.clone())).collect(),
            exact: node.get("exact").map(registry::options).transpose()?.unwrap_or_default(),
        });
    }
    for (name, policy) in [("rejected", Policy::Reject), ("dropped", Policy::Drop)] {
        if let Some(gone) = node.get(name) {
            known(node, &[name, "message"])?;
            let message = node.get("message").map(text).transpose()?.map(str::to_owned);
            return Ok(Expected::Gone { policy, reason: reason(gone)?, message });
        }
    }
    Err(Problem::new(node.at, "no outcome").expected("one of `vector`, `rejected`, `dropped`"))
}

fn reason(node: &Node) -> Result<Reason, Problem> {
    let name = text(node)?;
    Reason::ALL.into_iter().find(|reason| reason.name() == name).ok_or_else(|| {
        Problem::new(node.at, format!("unknown reason `{name}`"))
            .expected_one_of(name, Reason::ALL.map(Reason::name))
    })
}

fn tolerance(node: &Node, default: f64) -> Result<f64, Problem> {
    node.get("tolerance").map_or(Ok(default), registry::options)
}

fn known(node: &Node, keys: &[&str]) -> Result<(), Problem> {
    let entries =
        node.as_map().ok_or_else(|| Problem::new(node.at, node.kind()).expected("a map"))?;
    match entries.iter().find(|(key, ..)| !keys.contains(&key.as_str())) {
        None => Ok(()),
        Some((key, at, _)) => Err(Problem::new(*at, format!("unknown key `{key}`"))
            .expected_one_of(key, keys.iter().copied())),
    }
}

fn required<'n>(node: &'n Node, key: &str) -> Result<&'n Node, Problem> {
    node.get(key).ok_or_else(|| Problem::new(node.at, format!("missing key `{key}`")))
}

fn items(node: &Node) -> Result<&[Node], Problem> {
    node.as_list().ok_or_else(|| Problem::new(node.at, node.kind()).expected("a list"))
}

fn text(node: &Node) -> Result<&str, Problem> {
    node.as_str().ok_or_else(|| Problem::new(node.at, node.kind()).expected("text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_told_with_their_place() {
        let error = |text: &str| file(&Node::parse(text).unwrap()).unwrap_err().to_string();
        assert_eq!(error("cases: []"), "1:8: no cases; expected at least one");
        assert_eq!(
            error("cases:\n- {name: a, records: [{value: 1}], expect: []}"),
            "2:44: 0 outcomes for 1 records; expected one outcome per record, in order"
        );
        assert!(
            error("cases: [{name: a, records: [{value: 1}], expect: [{rejected: lete}]}]")
                .ends_with("did you mean `late`?")
        );
        assert!(error("casse: []").ends_with("did you mean `cases`?"));
    }

    #[test]
    fn the_pipeline_stands_beside_its_cases() {
        let path = |named| pipeline_path(Path::new("dir/flights.test.yaml"), named);
        assert_eq!(path(None), Path::new("dir/flights.yaml"));
        assert_eq!(path(Some("../a.yaml")), Path::new("dir/../a.yaml"));
    }
}
