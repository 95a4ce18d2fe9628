//! A pipeline file that is right as a whole, with its schema: what folds and emitters are made of.

use super::{Emitter, Fold, Overrides, Spec, Vector, emitter::Target, hash, plan::Plan};
use crate::{batch::Expectation, registry::Problem, schema::RecordSchema, validate::Rules};
use arrow::datatypes::SchemaRef;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A valid pipeline. Cheap to share; every fold and emitter made from it is of its own.
#[derive(Debug, Clone)]
pub struct Definition {
    spec: Spec,
    schema: RecordSchema,
    state_hash: String,
    /// What the state hash is taken of.
    state_text: String,
    hash: String,
    plan: String,
    vector: Vector,
    expectations: Vec<Expectation>,
    /// The columns of folded rows.
    rows: SchemaRef,
}

impl Definition {
    /// Reads a pipeline file and its schema and builds everything once, or says all that is wrong.
    pub fn load(path: &Path, overrides: Overrides) -> Result<Self, Vec<Problem>> {
        let file = path.display().to_string();
        let in_file = |problems: Vec<Problem>| -> Vec<Problem> {
            problems.into_iter().map(|problem| problem.in_file(file.as_str())).collect()
        };
        let text = read_file(path).map_err(|problem| vec![problem])?;
        let mut read =
            |name: &str| fs::read_to_string(beside(path, name)).map_err(|error| error.to_string());
        let spec = Spec::parse(&text, overrides, &mut read).map_err(in_file)?;
        let with_paths = |problems| in_file(spec.with_paths(problems));
        let schema = record_schema(path, &spec).map_err(|problem| with_paths(vec![problem]))?;
        Self::build(spec.clone(), schema).map_err(with_paths)
    }

    fn build(spec: Spec, schema: RecordSchema) -> Result<Self, Vec<Problem>> {
        let fold = Fold::build(&spec, &schema, None)?;
        let expectations = fold.expectations();
        let target = Target {
            format: &spec.output.format,
            definition: "",
            partitions: None,
            expectations: &expectations,
        };
        let emitter = Emitter::build(&spec, &fold.schema(), target)?;
        let state_hash = hash::state_hash(&spec, &schema);
        let state_text = hash::state_text(&spec, &schema);
        let hash = hash::definition_hash(&spec, &schema);
        let vector = Vector::new(&spec, emitter.schema());
        let plan = Plan {
            spec: &spec,
            fold: &fold,
            vector: &vector,
            state_hash: &state_hash,
            hash: &hash,
        }
        .to_string();
        let rows = fold.schema();
        Ok(Self { spec, schema, state_hash, state_text, hash, plan, vector, expectations, rows })
    }

    /// A fold without state, for one (topic, partition). `partitions` is the topic's number of
    /// partitions, which `source.partitioner` checks against; none, as in a replay from a file, is
    /// no check.
    pub fn fold(&self, partitions: Option<i32>) -> Fold {
        Fold::build(&self.spec, &self.schema, partitions).expect("built once by load")
    }

    /// An emitter; one serves all folds of a worker. `output_partitions` places the messages that
    /// have no key; none where they are unknown.
    pub fn emitter(&self, output_partitions: Option<i32>) -> Emitter {
        self.emitter_as(&self.spec.output.format, output_partitions)
    }

    /// An emitter that writes JSON objects, whatever the file says: for comparing fields by name.
    pub(super) fn emitter_as_json(&self) -> Emitter {
        self.emitter_as("json", None)
    }

    fn emitter_as(&self, format: &str, partitions: Option<i32>) -> Emitter {
        let expectations = &self.expectations;
        let target = Target { format, definition: &self.hash, partitions, expectations };
        Emitter::build(&self.spec, &self.rows, target).expect("built once by load")
    }

    /// What the file says.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// The declared shape of a record.
    pub fn schema(&self) -> &RecordSchema {
        &self.schema
    }

    /// Hash of everything that decides the state of a fold; keys snapshots.
    pub fn state_hash(&self) -> &str {
        &self.state_hash
    }

    /// What the state hash is taken of, a line each.
    pub(super) fn state_text(&self) -> &str {
        &self.state_text
    }

    /// Hash of the whole definition; goes on every vector.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// What the pipeline does, for a person.
    pub fn plan(&self) -> &str {
        &self.plan
    }

    /// What is expected of the records, in the order of the file.
    pub fn expectations(&self) -> &[Expectation] {
        &self.expectations
    }

    /// The shape of the vectors.
    pub fn vector(&self) -> &Vector {
        &self.vector
    }
}

/// The text of a file that a person wrote.
pub(super) fn read_file(path: &Path) -> Result<String, Problem> {
    fs::read_to_string(path).map_err(|error| {
        Problem::nowhere(format!("cannot read the file: {error}"))
            .in_file(path.display().to_string())
    })
}

/// A file that another one names.
fn beside(file: &Path, name: &str) -> PathBuf {
    file.parent().unwrap_or(Path::new("")).join(name)
}

/// Reads the schema beside the pipeline file. Mistakes in it are told with its own name.
fn record_schema(pipeline: &Path, spec: &Spec) -> Result<RecordSchema, Problem> {
    let path = beside(pipeline, &spec.source.schema);
    let text = fs::read_to_string(&path).map_err(|error| {
        let what = format!("cannot read the schema `{}`: {error}", spec.source.schema);
        Problem::new(spec.at(&["source", "schema"]), what)
            .expected("the path of a JSON Schema, relative to this file")
    })?;
    let mut read =
        |name: &str| fs::read_to_string(beside(&path, name)).map_err(|error| error.to_string());
    let schema = RecordSchema::parse_with(&text, &mut read);
    // The rules are bound again by each fold; bound here, their problems get the schema's name.
    schema
        .and_then(|schema| Rules::build(&schema, &schema.arrow()).map(|_| schema))
        .map_err(|problem| problem.in_file(path.display().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_can_share_a_definition_and_own_what_is_made_from_it() {
        fn shared<T: Send + Sync>() {}
        fn owned<T: Send>() {}
        shared::<Definition>();
        owned::<Fold>();
        owned::<Emitter>();
    }
}
