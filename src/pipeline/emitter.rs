//! Features, encode, dead letters, verdicts: what leaves. Holds no state across commits.

use super::{
    fold::{Folded, settle},
    spec::{ElementsSpec, EventTimeSpec, HeadersSpec, NullsSpec, Spec, find_column},
};
use crate::{
    aggregate::visible,
    batch::{Expectation, Outbox, Outcomes, Policy, RawBatch, Rejections},
    encode::{self, Encode, EncodeInput, Envelope, PassThrough},
    feature::{Elements, Features, Nulls},
    registry::{self, Problem},
};
use arrow::{
    array::{ArrayRef, RecordBatch, RecordBatchOptions},
    compute::filter_record_batch,
    datatypes::{FieldRef, Schema, SchemaRef},
};
use std::sync::Arc;

/// Where the vectors of an emitter go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target<'a> {
    /// Output format.
    pub(super) format: &'a str,
    /// Hash of the definition, for the headers.
    pub(super) definition: &'a str,
    /// Partitions of the output topic, where they are known.
    pub(super) partitions: Option<i32>,
    /// What is expected of the records, as the fold has it.
    pub(super) expectations: &'a [Expectation],
}

/// Turns folded rows into vectors and rejected records into dead letters.
#[derive(Debug)]
pub struct Emitter {
    pipeline: String,
    definition: String,
    carry: Vec<usize>,
    features: Features,
    schema: SchemaRef,
    encode: Box<dyn Encode>,
    outcomes: Outcomes,
    dead_letter_prefix: Option<String>,
    expectations: Vec<Expectation>,
    /// True if verdicts have a topic to go to.
    tells_verdicts: bool,
}

impl Emitter {
    /// Builds the features and the encoder for rows of `schema`.
    pub(super) fn build(
        spec: &Spec,
        schema: &SchemaRef,
        target: Target<'_>,
    ) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let features = features(spec, schema).map_err(|p| problems.extend(p)).ok();
        let visible = visible(schema);
        let carry = carry(spec, &visible).map_err(|p| problems.extend(p)).ok();
        let (Some(features), Some(carry)) = (features, carry) else { return Err(problems) };
        let fields = carry.iter().map(|index| Arc::clone(&schema.fields()[*index]));
        let fields: Vec<FieldRef> =
            fields.chain(features.schema().fields().iter().map(Arc::clone)).collect();
        one_field_of_a_name(spec, &fields)?;
        let vector = Arc::new(Schema::new(fields));
        let encode = encoder(spec, &visible, &vector, &target).map_err(|problem| vec![problem])?;
        Ok(Self {
            pipeline: spec.pipeline.clone(),
            definition: target.definition.to_owned(),
            carry,
            features,
            schema: vector,
            encode,
            outcomes: spec.outcomes.clone(),
            dead_letter_prefix: spec.dead_letter.as_ref().map(|d| d.prefix.clone()),
            expectations: target.expectations.to_vec(),
            tells_verdicts: spec.quality_topic().is_some(),
        })
    }

    /// Appends the messages of a folded batch: vectors, dead letters, verdicts, each in the order of
    /// [`Folded::batch`]; `raw` is the batch that was folded.
    ///
    /// What features and encoding reject is added to `folded`, whose totals are then complete.
    pub fn emit(&mut self, raw: &RawBatch, folded: &mut Folded, out: &mut Outbox) {
        let staged = folded.take_staged();
        self.emit_batch(staged.as_ref().unwrap_or(raw), folded, out);
        folded.put_staged(staged);
    }

    fn emit_batch(&mut self, raw: &RawBatch, folded: &mut Folded, out: &mut Outbox) {
        let mut left = Rejections::default();
        let vectors = self.vectors(folded, &mut left);
        let envelope = Envelope {
            raw,
            rows: &folded.rows,
            pipeline: &self.pipeline,
            definition: &self.definition,
        };
        self.encode.encode(&envelope, &vectors, out, &mut left);
        folded.complete(settle(left, &self.outcomes));
        self.dead_letters(raw, folded, out);
        self.verdicts(raw, folded, out);
    }

    /// Writes verdicts whether or not the pipeline file names a topic for them.
    pub fn tell_verdicts(&mut self) {
        self.tells_verdicts = true;
    }

    /// What is expected of the records, in the order of the pipeline file.
    pub fn expectations(&self) -> &[Expectation] {
        &self.expectations
    }

    /// The fields of the vectors: carried columns, then features.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Ends the commit: writes what an encoder gathered into one message.
    pub fn flush(&mut self, out: &mut Outbox) {
        self.encode.flush(out);
    }

    /// Carried columns, then features, of the rows that have all of them; the others leave.
    fn vectors(&self, folded: &mut Folded, left: &mut Rejections) -> RecordBatch {
        let rows = &folded.rows;
        let features = self.features.advance(&rows.columns, &rows.event_times);
        let carried = self.carry.iter().map(|index| Arc::clone(rows.columns.column(*index)));
        let columns: Vec<ArrayRef> =
            carried.chain(features.columns.columns().iter().map(Arc::clone)).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        let vectors =
            RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
                .expect("a value per row and field");
        if features.failed.is_empty() {
            return vectors;
        }
        let mut keep = vec![true; rows.len()];
        for failed in features.failed {
            keep[failed.row] = false;
            left.push(rows.records[failed.row], failed.reason, failed.detail);
        }
        folded.rows = rows.clone().filter(&keep);
        filter_record_batch(&vectors, &keep.into()).expect("a flag per row")
    }

    fn dead_letters(&self, raw: &RawBatch, folded: &Folded, out: &mut Outbox) {
        let Some(prefix) = &self.dead_letter_prefix else { return };
        for gone in folded.rejected.iter().filter(|gone| gone.policy == Some(Policy::Reject)) {
            encode::dead_letter(raw, gone, prefix, out);
        }
    }

    fn verdicts(&self, raw: &RawBatch, folded: &Folded, out: &mut Outbox) {
        if !self.tells_verdicts {
            return;
        }
        let author = encode::Author {
            pipeline: &self.pipeline,
            definition: &self.definition,
            expectations: &self.expectations,
        };
        for verdict in &folded.verdicts {
            encode::verdict(raw, verdict, &author, out);
        }
    }
}

/// All features, or what is wrong with each.
fn features(spec: &Spec, schema: &SchemaRef) -> Result<Features, Vec<Problem>> {
    let event_time = match &spec.source.event_time {
        EventTimeSpec::Kafka => None,
        EventTimeSpec::Column(stated) => schema.index_of(&stated.column).ok(),
    };
    let at = spec.at(&["features"]);
    let features = Features::build(&spec.features, schema, event_time).map_err(
        |problems| -> Vec<Problem> {
            problems.into_iter().map(|problem| problem.or_at(at)).collect()
        },
    )?;
    let features = features.without(&spec.output.hide, spec.list(&["output", "hide"]))?;
    let nulls = match spec.output.nulls {
        NullsSpec::Null => Nulls::Null,
        NullsSpec::Nan => Nulls::Nan,
        NullsSpec::Constant(number) => Nulls::Constant(number),
        NullsSpec::Reject => Nulls::Reject,
    };
    let elements = match spec.output.elements {
        ElementsSpec::Float64 => Elements::Float64,
        ElementsSpec::Float32 => Elements::Float32,
    };
    let features = features
        .with_nulls(nulls, spec.at(&["output", "nulls"]))
        .map_err(|problem| vec![problem])?;
    Ok(features.with_elements(elements))
}

/// The indices of the carried columns.
fn carry(spec: &Spec, schema: &SchemaRef) -> Result<Vec<usize>, Vec<Problem>> {
    let nodes = spec.list(&["output", "carry"]);
    let mut problems = Vec::new();
    let mut carry = Vec::new();
    for (name, node) in spec.output.carry.iter().zip(nodes) {
        match find_column(schema, name, node) {
            Ok(index) => carry.push(index),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(carry) } else { Err(problems) }
}

fn one_field_of_a_name(spec: &Spec, fields: &[FieldRef]) -> Result<(), Vec<Problem>> {
    let twice = fields
        .iter()
        .enumerate()
        .find(|(index, field)| fields[..*index].iter().any(|before| before.name() == field.name()));
    let Some((_, field)) = twice else { return Ok(()) };
    let what = format!("`{}` is carried and a feature", field.name());
    let problem = Problem::new(spec.at(&["output", "carry"]), what);
    Err(vec![problem.expected("one field of a name: rename the feature or do not carry it")])
}

fn encoder(
    spec: &Spec,
    rows: &SchemaRef,
    vector: &SchemaRef,
    target: &Target<'_>,
) -> Result<Box<dyn Encode>, Problem> {
    let at = spec.at(&["output", "format"]);
    let component = registry::find(encode::FORMATS, "format", target.format, at)?;
    let key = &spec.source.key.0;
    let entity: Vec<usize> =
        key.iter().map(|name| rows.index_of(name).expect("no step takes a column away")).collect();
    let pass_through = match &spec.output.headers {
        HeadersSpec::None => PassThrough::Trace,
        HeadersSpec::Passthrough => PassThrough::All,
        HeadersSpec::Named(names) => PassThrough::Named(names.clone()),
    };
    let input = EncodeInput {
        schema: vector,
        entity: &entity,
        pass_through,
        vector_bytes: spec.limits.vector_bytes.0,
        output_partitions: target.partitions,
    };
    (component.build)(&input).map_err(|problem| problem.or_at(at))
}
