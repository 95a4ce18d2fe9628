//! Builds the steps of a fold from the pipeline file, or says which parts of it are wrong.

use super::{Digest, Fold, Hold, with_field};
use crate::{
    batch::{Policy, Reason, RowOrder},
    clean::{self, Clean, Needed},
    decode::{self, Decode, DecodeInput},
    feature,
    pipeline::spec::{EventTimeSpec, Order, Partitioner, Spec, each_alone, find_column},
    registry::{self, Node, Problem},
    schema::RecordSchema,
    state::{Horizon, Keys, is_key_type},
    validate::{
        Rules,
        gates::{self, EventTime, GateOptions, Gates, TimeUnitSpec},
    },
    window::{Expectations, ExpectationsFrame, Windows},
};
use arrow::datatypes::{DataType, Field, FieldRef, SchemaRef, TimeUnit};
use std::sync::Arc;

/// The column of event time that every row has.
const EVENT_TIME: &str = "event_time";

impl Fold {
    /// Builds every step. `partitions` is the topic's number of partitions, where it is known.
    pub(in crate::pipeline) fn build(
        spec: &Spec,
        schema: &RecordSchema,
        partitions: Option<i32>,
    ) -> Result<Self, Vec<Problem>> {
        let decode = decoder(spec, schema).map_err(|problem| vec![problem])?;
        let input = decode.schema();
        let mut problems = Vec::new();
        let key = note(key_columns(spec, &input), &mut problems);
        let event_time = note(event_time(spec, &input), &mut problems);
        let (Some(key), Some(event_time)) = (key, event_time) else { return Err(problems) };
        let options = gate_options(spec, key.clone(), event_time, partitions);
        let mut gates = Gates::build(options, &input)
            .map_err(|problem| vec![problem.or_at(spec.at(&["source", "event_time"]))])?;
        let rules = Rules::build(schema, &input).map_err(|problem| vec![problem])?;

        let event_time = event_time_field(&input);
        let (mut clean, cleaned) = clean_steps(spec, with_field(&input, event_time.as_ref()))
            .map_err(|problem| vec![problem])?;
        gates.wait_longer(wait_us(spec, &mut clean).map_err(|problem| vec![problem])?);
        let expectations = expectations(spec, &cleaned)?;
        let windows = windows(spec, &cleaned)?.remember(&feature::requests(&spec.features));
        let hold = (spec.source.order == Order::EventTime)
            .then(|| decoder(spec, schema).map(Hold::new))
            .transpose()
            .map_err(|problem| vec![problem])?;
        let horizon = clean.iter().map(|step| step.horizon()).fold(windows.horizon(), Horizon::max);
        Ok(Self {
            digest: Digest::new(&input, &windows.schema()),
            keys: keys(spec, horizon),
            state_bytes_max: state_bytes_max(spec),
            outcomes: spec.outcomes.clone(),
            expired: Vec::new(),
            decode,
            rules,
            gates,
            hold,
            event_time,
            key,
            clean,
            expectations,
            halted: None,
            windows,
        })
    }
}

fn keys(spec: &Spec, horizon: Horizon) -> Keys {
    let most = spec.limits.state_keys.map(|keys| usize::try_from(keys).unwrap_or(usize::MAX));
    let keys = Keys::new(horizon);
    if spec.limits.evicts() { keys.evicting(most) } else { keys }
}

fn state_bytes_max(spec: &Spec) -> Option<usize> {
    spec.limits.state_bytes.map(|bytes| usize::try_from(bytes.0).unwrap_or(usize::MAX))
}

fn note<T>(result: Result<T, Problem>, problems: &mut Vec<Problem>) -> Option<T> {
    result.map_err(|problem| problems.push(problem)).ok()
}

fn decoder(spec: &Spec, schema: &RecordSchema) -> Result<Box<dyn Decode>, Problem> {
    let at = spec.at(&["source", "format"]);
    let format = registry::find(decode::FORMATS, "format", &spec.source.format, at)?;
    let input = DecodeInput {
        schema,
        headers: &spec.source.headers,
        record_bytes: spec.limits.record_bytes.0,
        tombstone: spec.outcomes.policy(Reason::Tombstone),
    };
    (format.build)(&input).map_err(|problem| problem.or_at(spec.at(&["source", "headers"])))
}

fn forgets(spec: &Spec) -> bool {
    spec.outcomes.policy(Reason::Tombstone) == Policy::Forget
}

fn key_columns(spec: &Spec, input: &SchemaRef) -> Result<Vec<usize>, Problem> {
    let mut key = Vec::new();
    for (name, node) in spec.source.key.0.iter().zip(spec.list(&["source", "key"])) {
        let index = find_column(input, name, node)?;
        let data_type = input.field(index).data_type();
        if !is_key_type(data_type) {
            let what = format!("column `{name}` is {data_type} and cannot be a key");
            return Err(Problem::new(node.at, what).expected("text, integers, booleans or times"));
        }
        if forgets(spec) && *data_type != DataType::Utf8 {
            let what = format!(
                "`tombstone: forget` finds the entity by the record key, but column `{name}` is \
                 {data_type}"
            );
            let at = spec.at(&["outcomes", "tombstone"]);
            return Err(Problem::new(at, what).expected("a string column"));
        }
        key.push(index);
    }
    Ok(key)
}

fn event_time(spec: &Spec, input: &SchemaRef) -> Result<EventTime, Problem> {
    let EventTimeSpec::Column(stated) = &spec.source.event_time else {
        return Ok(EventTime::Kafka);
    };
    let node = spec.node(&["source", "event_time", "column"]);
    let index = find_column(input, &stated.column, node)?;
    let at = spec.at(&["source", "event_time", "unit"]);
    let unit = match &stated.unit {
        Some(unit) => TimeUnitSpec::parse(unit).map_err(|problem| problem.or_at(at))?,
        None => TimeUnitSpec::Timestamp,
    };
    Ok(EventTime::Column { index, unit })
}

fn gate_options(
    spec: &Spec,
    key: Vec<usize>,
    event_time: EventTime,
    partitions: Option<i32>,
) -> GateOptions {
    let source = &spec.source;
    GateOptions {
        event_time,
        lateness_us: source.lateness.us,
        max_ahead_us: source.max_ahead.us(),
        max_jump_us: source.max_jump.us(),
        key,
        own_key: forgets(spec),
        partitioner: source.partitioner.map(|partitioner| match partitioner {
            Partitioner::Murmur2 => gates::Partitioner::Murmur2,
            Partitioner::Crc32 => gates::Partitioner::Crc32,
            Partitioner::Fnv1a => gates::Partitioner::Fnv1a,
        }),
        partitions,
        late: spec.outcomes.policy(Reason::Late),
        late_replayed: spec.late_replayed(),
        future: spec.outcomes.policy(Reason::Future),
        max_held: source.max_held().map(|held| usize::try_from(held).unwrap_or(usize::MAX)),
    }
}

/// Event time as a column, for expressions and windows; a record's own column of that name wins.
fn event_time_field(input: &SchemaRef) -> Option<FieldRef> {
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let absent = input.index_of(EVENT_TIME).is_err();
    absent.then(|| Arc::new(Field::new(EVENT_TIME, utc, false)))
}

type Steps = Vec<Box<dyn Clean>>;

/// The cleaning steps and the columns behind the last. Each step is built against what the one
/// before leaves, so the first mistake ends it.
fn clean_steps(spec: &Spec, mut schema: SchemaRef) -> Result<(Steps, SchemaRef), Problem> {
    let keeps_outliers = spec.outcomes.policy(Reason::Outlier) == Policy::Keep;
    let needed = needed(spec);
    let order = match spec.source.order {
        Order::Arrival => RowOrder::Arrival,
        Order::EventTime => RowOrder::EventTime,
    };
    let mut steps: Steps = Vec::new();
    for node in &spec.clean {
        let Some([(name, at, options)]) = node.as_map() else {
            let expected = "one operator with its options, such as `clip: { column: .. }`";
            return Err(Problem::new(node.at, node.kind()).expected(expected));
        };
        let operator = registry::find(clean::OPERATORS, "operator", name, *at)?;
        let untouched = steps.iter_mut().all(|step| step.look_ahead().is_some());
        let input =
            clean::Input { schema: &schema, keeps_outliers, order, untouched, needed: &needed };
        let step =
            (operator.build)(options, &input).map_err(|problem| problem.or_at(options.at))?;
        schema = step.schema();
        steps.push(step);
    }
    Ok((steps, schema))
}

/// How much longer records have to wait for steps that look ahead.
fn wait_us(spec: &Spec, steps: &mut Steps) -> Result<i64, Problem> {
    let waits = steps.iter_mut().filter_map(|step| step.look_ahead()).map(|step| step.wait_us());
    let wait_us = waits.max().unwrap_or(0);
    if wait_us > 0 && forgets(spec) {
        let what = "`tombstone: forget` beside a step that looks ahead: it has seen what comes";
        let at = spec.at(&["outcomes", "tombstone"]);
        return Err(Problem::new(at, what).expected("another step, or another policy"));
    }
    Ok(wait_us)
}

/// The columns that the steps must leave: those of the entity and of event time, and what is carried.
fn needed(spec: &Spec) -> Vec<Needed<'_>> {
    let at_source = |column, by| Needed { column, by, by_name: true };
    let key = spec.source.key.0.iter().map(|column| at_source(column.as_str(), "`source.key`"));
    let event_time = match &spec.source.event_time {
        EventTimeSpec::Kafka => None,
        EventTimeSpec::Column(stated) => {
            Some(at_source(stated.column.as_str(), "`source.event_time`"))
        }
    };
    let carry = spec.output.carry.iter();
    let carry = carry.map(|column| Needed { column, by: "`output.carry`", by_name: false });
    key.chain(event_time).chain(carry).collect()
}

/// All expectations at once; if that fails, each by itself, so that every mistake is found.
fn expectations(spec: &Spec, schema: &SchemaRef) -> Result<Option<Expectations>, Vec<Problem>> {
    let Some(section) = &spec.expectations else { return Ok(None) };
    let every = spec.at(&["expectations", "every"]);
    let frame = ExpectationsFrame {
        every_us: section.every.us,
        exact: section.exact as usize,
        lateness_us: spec.source.lateness.us,
        may_halt: spec.source.order == Order::Arrival,
    };
    let build = |nodes: &[Node]| {
        Expectations::build(nodes, schema, frame, every)
            .map_err(|problem| problem.or_at(spec.at(&["expectations"])))
    };
    let nodes = spec.expected();
    build(nodes).map(Some).map_err(|problem| each_alone(nodes, problem, |node| build(node).err()))
}

/// All windows at once; if that fails, each by itself, so that every mistake is found.
fn windows(spec: &Spec, schema: &SchemaRef) -> Result<Windows, Vec<Problem>> {
    // In order of event time the hold has what is behind, and the buffers nothing beside.
    let behind_us = match spec.source.order {
        Order::Arrival => spec.source.lateness.us,
        Order::EventTime => 0,
    };
    let build = |nodes: &[Node]| {
        let windows = Windows::build(nodes, schema, behind_us);
        let windows = if spec.source.peers {
            windows.and_then(|windows| windows.with_peers(nodes))
        } else {
            windows
        };
        windows.map_err(|problem| problem.or_at(spec.at(&["windows"])))
    };
    build(&spec.windows)
        .map_err(|problem| each_alone(&spec.windows, problem, |node| build(node).err()))
}
