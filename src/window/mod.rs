//! Windows per key: each row gets what its windows hold as of its own event time.
//!
//! A window `over: w` at a record with event time t holds the values of its key with event time in
//! (t - w, t], itself included, that precede it in (event time, offset) order. A record that comes
//! late, but not too late, is put in at its event time: its own row is as of its own time, later
//! rows see it, rows that have left are not changed.
//!
//! The other ends that `closed` gives are intervals too: `[t - w, t)` and `(t - w, t)` hold no event
//! of the record's own time, be it earlier by offset. A window by rows holds the last rows of the
//! key up to the record's own place and counts every row, as SQL's ROWS does; a null or a `where`
//! that does not hold leaves a row without value, as FILTER does. `closed: left` shifts it one row
//! back, off the record itself; `both` and `none` add and take a row at the far end, as in pandas.
//!
//! Windows that stand still are looked at from the record too: a tumbling one holds what its span
//! has up to the record, a session what follows each other without a long pause up to it; or each
//! the one before. So all shapes are ranges of the same events.
//!
//! What is kept is what a record at or after the watermark can see, by each row's own watermark. A
//! late record that is kept by policy sees what of the past is retained; inside the retention it is
//! put in, outside it only its own row sees it.
//!
//! With peers, which come together in order of event time, a record's own time belongs to all records
//! of that time: a window by time that is closed on the right, a tumbling one and a session hold the
//! record's peers too, whatever their offsets, as SQL's RANGE does. A window by rows is by place and
//! has none.
//!
//! What remembers without a window (ewma) is folded in offset order beside the lanes, in a
//! [`Memory`] for each. Features that remember ask for such a memory too; what it tells is a column
//! behind all others, which they alone find.
//!
//! Windows over one column under one condition, or over the same two, share a [`Lane`], one buffer per key:
//! another length costs a search, not a copy. Those with a `resolution` share tiles instead, sums by
//! spans of time, and their ends are rounded to these. Every row is taken in on its own, with its own
//! watermark, so that cutting the same rows into other batches changes no bit.

mod by;
mod calendar;
mod condition;
mod expectations;
mod extent;
mod input;
mod keys;
mod lane;
mod memory;
mod plan;
mod spec;
mod tiled;

pub use expectations::{
    Closing, Expectations, Frame as ExpectationsFrame, Judged, MEASURES, MeasureBuild,
    schema as expectation_schema, state_text as expectation_state_text, takes_out,
};
pub use plan::{WindowPlan, spec_schema};

use crate::{
    aggregate::{Aggregate, Frame, Kept, Kind, Needs, OfSummary, Request, by_category},
    batch::{Reason, Rejections, Rows, Slot},
    registry::{Node, Position, Problem, Value},
    state::{
        Horizon,
        snapshot::{Saved, Section, SnapshotError},
    },
};
use arrow::{
    array::{ArrayRef, BooleanArray, RecordBatch},
    compute::{filter, nullif},
    datatypes::{DataType, Field, FieldRef, Schema, SchemaRef},
};
use condition::Condition;
use extent::Extent;
use input::{Input, Values};
use lane::Lane;
use memory::Memory;
use spec::{Computed, FoundColumn, Shape, Spec};
use std::sync::Arc;

/// All windows of a pipeline.
#[derive(Debug)]
pub struct Windows {
    schema: SchemaRef,
    conditions: Vec<Condition>,
    lanes: Vec<Lane>,
    memories: Vec<Memory>,
    /// What features have asked for: of any column before.
    asked: Vec<Memory>,
    columns: Vec<Column>,
    plans: Vec<WindowPlan>,
    /// Whether rows of one event time see each other.
    peers: bool,
}

/// A computed column.
#[derive(Debug)]
enum Column {
    Window(OfWindow),
    /// What a memory has told, by its index.
    Memory(usize),
}

/// An aggregate of one window of one lane.
#[derive(Debug)]
struct OfWindow {
    lane: usize,
    window: usize,
    made: Made,
    /// Null in windows of fewer values.
    min_count: u64,
}

/// What a column is made by.
#[derive(Debug)]
enum Made {
    Summaries(Box<dyn OfSummary>),
    /// A scan of the window, by its index there.
    Scan(usize),
}

impl OfWindow {
    /// One value per row that its lane has taken in.
    fn of(&self, lane: &mut Lane) -> ArrayRef {
        let column = self.computed(lane);
        let summaries = &lane.windows[self.window].summaries;
        if summaries.iter().all(|summary| summary.n >= self.min_count) {
            return column;
        }
        let few = summaries.iter().map(|summary| Some(summary.n < self.min_count));
        nullif(&column, &few.collect()).expect("a flag per value")
    }

    fn computed(&self, lane: &mut Lane) -> ArrayRef {
        match &self.made {
            Made::Scan(index) => lane.scanned(self.window, *index),
            Made::Summaries(aggregate) => aggregate.column(&Frame {
                summaries: &lane.windows[self.window].summaries,
                input: lane.input.data_type(),
                texts: &lane.texts,
            }),
        }
    }
}

impl Windows {
    /// Reads the windows of a pipeline over columns of `schema`. Event time that lies up to
    /// `lateness_us` behind is buffered beside the windows' own lengths.
    pub fn build(specs: &[Node], schema: &SchemaRef, lateness_us: i64) -> Result<Self, Problem> {
        let mut fields = schema.fields().to_vec();
        let mut places: Vec<Option<Position>> = vec![None; fields.len()];
        let mut windows = Self {
            schema: Arc::clone(schema),
            conditions: Vec::new(),
            lanes: Vec::new(),
            memories: Vec::new(),
            asked: Vec::new(),
            columns: Vec::new(),
            plans: Vec::new(),
            peers: false,
        };
        for node in specs {
            let spec = Spec::parse(node, schema)?;
            for computed in &spec.computed {
                fields.push(add_field(computed, &fields, &places)?);
                places.push(Some(computed.at));
            }
            windows.add(spec, schema)?;
        }
        windows.schema = Arc::new(Schema::new(fields));
        for plan in &mut windows.plans {
            if let Some(lane) = plan.lane {
                plan.complete(&windows.lanes[lane], lateness_us);
            }
        }
        Ok(windows)
    }

    /// Rows of one event time see each other, as SQL's peers do: they come together, in order of
    /// event time. `specs` is what the windows were built of.
    pub fn with_peers(mut self, specs: &[Node]) -> Result<Self, Problem> {
        let excludes = |node: &&Node| {
            node.get("exclude_current").is_some_and(|n| matches!(n.value, Value::Bool(true)))
        };
        if let Some(node) = specs.iter().find(excludes) {
            let what = "`exclude_current` beside `peers: true`: peers see each other";
            return Err(Problem::new(node.at("exclude_current"), what)
                .expected("`closed: left`, the records before its event time"));
        }
        self.peers = true;
        Ok(self)
    }

    /// True if the row and the next one are peers that see each other.
    pub fn sees_next(&self, rows: &Rows, row: usize) -> bool {
        self.peers && lane::is_peer_of_next(rows, row)
    }

    fn add(&mut self, spec: Spec, schema: &SchemaRef) -> Result<(), Problem> {
        let condition = match &spec.condition {
            Some(node) => Some(self.condition(Condition::sql(node, schema)?)),
            None => None,
        };
        match spec.shape {
            Shape::Window(extent) => self.add_window(spec, extent, condition, schema),
            Shape::Memory(kept) => {
                self.add_memories(&spec, kept, condition);
                Ok(())
            }
        }
    }

    fn add_window(
        &mut self,
        spec: Spec,
        extent: Extent,
        condition: Option<usize>,
        schema: &SchemaRef,
    ) -> Result<(), Problem> {
        let Spec { column, computed, .. } = spec;
        // The lanes that this window is one of, each with its index there and its plan.
        let mut places: Vec<(usize, usize, usize)> = Vec::new();
        for mut computed in computed {
            let input = self.input(&mut computed, column.as_ref(), condition, schema)?;
            let input = Input { resolution_us: extent.resolution_us, ..input };
            let lane = self.lane(input);
            let known = places.iter().find(|(known, ..)| *known == lane).copied();
            let (_, window, plan) = known.unwrap_or_else(|| {
                let window = self.lanes[lane].add(extent);
                let input = &self.lanes[lane].input;
                self.plans.push(WindowPlan::new(lane, extent, input, &self.conditions, schema));
                places.push((lane, window, self.plans.len() - 1));
                (lane, window, self.plans.len() - 1)
            });
            self.plans[plan].computed.push((computed.name.clone(), computed.aggregate_name));
            self.compute(lane, window, computed);
        }
        Ok(())
    }

    /// One memory for each aggregate.
    fn add_memories(&mut self, spec: &Spec, kept: Kept, condition: Option<usize>) {
        let inputs = spec.column.as_ref().map(|(index, _, t)| (*index, t.clone()));
        for computed in &spec.computed {
            let Aggregate::Recursive(aggregate) = &computed.aggregate else {
                unreachable!("refused without a window");
            };
            let named = (computed.name.clone(), computed.aggregate_name);
            self.plans.push(WindowPlan::of_memory(spec, named, &**aggregate, kept));
            self.columns.push(Column::Memory(self.memories.len()));
            self.memories.push(Memory::new(inputs.as_slice(), condition, &**aggregate, kept));
        }
    }

    /// Remembers what features ask for as well, of columns that the windows have computed too.
    ///
    /// What asks for columns that are not there or not numbers is passed over: its feature, which
    /// does not find what it has asked for, is wrong and told of.
    #[must_use]
    pub fn remember(mut self, requests: &[Request]) -> Self {
        let mut fields = self.schema.fields().to_vec();
        for request in requests {
            let Some(inputs) = inputs(request, &self.schema) else { continue };
            fields.push(request.field());
            self.plans.push(WindowPlan::of_request(request));
            self.asked.push(Memory::new(&inputs, None, &*request.aggregate, request.kept));
        }
        self.schema = Arc::new(Schema::new(fields));
        self
    }

    /// Lets a window of a lane compute a column.
    fn compute(&mut self, lane: usize, window: usize, computed: Computed) {
        let into = &mut self.lanes[lane];
        let input = into.input.data_type();
        if let Some(categories) = computed.map {
            let scan = by_category(computed.aggregate, input, categories);
            let scan = scan.expect("an aggregate of pairs makes no map");
            into.need(window, Needs { scan: true, ..Needs::NONE });
            let made = Made::Scan(into.add_scan(window, scan));
            self.columns.push(Column::Window(OfWindow { lane, window, made, min_count: 0 }));
            return;
        }
        let needs = computed.aggregate.needs();
        let made = match computed.aggregate {
            Aggregate::Summary(aggregate)
            | Aggregate::Nulls(aggregate)
            | Aggregate::Holding(_, aggregate) => Made::Summaries(aggregate),
            Aggregate::Events(aggregate) => {
                let scan = aggregate.scan(input);
                Made::Scan(into.add_scan(window, scan))
            }
            Aggregate::Pairs(_, aggregate) => {
                let beside = into.input.beside.as_ref().map(|(_, data_type)| data_type);
                let types = input.zip(beside).expect("it takes two columns");
                let scan = aggregate.scan(types.0, types.1);
                Made::Scan(into.add_scan(window, scan))
            }
            Aggregate::Recursive(_) => unreachable!("refused in a window"),
        };
        into.need(window, needs);
        let min_count = computed.min_count;
        self.columns.push(Column::Window(OfWindow { lane, window, made, min_count }));
    }

    /// What a column is computed from, `condition` being that of its window.
    fn input(
        &mut self,
        computed: &mut Computed,
        column: Option<&FoundColumn>,
        condition: Option<usize>,
        schema: &SchemaRef,
    ) -> Result<Input, Problem> {
        let mut conditions: Vec<usize> = condition.into_iter().collect();
        let values = match (&computed.aggregate, column) {
            (Aggregate::Nulls(_), Some((index, ..))) => {
                Values::Holds(self.condition(Condition::null(*index, schema)))
            }
            (Aggregate::Holding(sql, _), column) => {
                if let Some((index, ..)) = column {
                    conditions.push(self.condition(Condition::present(*index, schema)));
                }
                Values::Holds(self.condition(Condition::sql(sql, schema)?))
            }
            (_, Some((index, _, data_type))) => Values::Column(*index, data_type.clone()),
            (_, None) => Values::None,
        };
        if let Some(only) = computed.only.take() {
            conditions.push(self.condition(only));
        }
        let beside = computed.beside.as_ref();
        let beside = beside.map(|(index, _, data_type)| (*index, data_type.clone()));
        Ok(Input { values, beside, conditions, resolution_us: None })
    }

    /// The place of a condition, the known one if it asks the same.
    fn condition(&mut self, condition: Condition) -> usize {
        let known = self.conditions.iter().position(|known| known.test == condition.test);
        known.unwrap_or_else(|| {
            self.conditions.push(condition);
            self.conditions.len() - 1
        })
    }

    /// The lane of that input.
    fn lane(&mut self, input: Input) -> usize {
        let known = self.lanes.iter().position(|lane| lane.input == input);
        known.unwrap_or_else(|| {
            self.lanes.push(Lane::new(input));
            self.lanes.len() - 1
        })
    }

    /// Columns of the rows after the step: those before it, then one per computed aggregate, then
    /// one per request of a feature, hidden.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Takes the rows in and appends the computed columns. A row that a `where` fails on is
    /// rejected and enters no window.
    pub fn advance(&mut self, rows: Rows, rejected: &mut Rejections) -> Rows {
        let (mut rows, conditions) = self.judge(rows, rejected);
        for lane in &mut self.lanes {
            lane.advance(&rows, &conditions, self.peers);
        }
        for memory in &mut self.memories {
            let condition = memory.condition().map(|index| &conditions[index]);
            memory.advance(&rows, rows.columns.columns(), condition);
        }
        let mut columns = rows.columns.columns().to_vec();
        let (lanes, memories) = (&mut self.lanes, &mut self.memories);
        columns.extend(self.columns.iter().map(|column| match column {
            Column::Window(of_window) => of_window.of(&mut lanes[of_window.lane]),
            Column::Memory(index) => memories[*index].told(),
        }));
        for memory in &mut self.asked {
            memory.advance(&rows, &columns, None);
        }
        columns.extend(self.asked.iter_mut().map(Memory::told));
        rows.columns = RecordBatch::try_new(Arc::clone(&self.schema), columns)
            .expect("one value per row, of the type that was declared");
        rows
    }

    /// Evaluates the conditions and takes out the rows that one of them fails on.
    fn judge(&self, rows: Rows, rejected: &mut Rejections) -> (Rows, Vec<ArrayRef>) {
        let mut failures: Vec<(usize, String)> = Vec::new();
        let mut judged = Vec::with_capacity(self.conditions.len());
        for condition in &self.conditions {
            let (values, failed) = condition.evaluate(&rows.columns);
            let said = |reason: String| format!("where {}: {reason}", condition.test);
            failures.extend(failed.into_iter().map(|(row, reason)| (row, said(reason))));
            judged.push(values);
        }
        if failures.is_empty() {
            return (rows, judged);
        }
        // A stable sort: of several conditions that fail on a row the first is named.
        failures.sort_by_key(|(row, _)| *row);
        failures.dedup_by_key(|(row, _)| *row);
        let mut keep = vec![true; rows.len()];
        for (row, reason) in failures {
            keep[row] = false;
            rejected.push_from("window", rows.records[row], Reason::Expression, reason);
        }
        let mask = BooleanArray::from(keep.clone());
        let judged = judged.iter().map(|j| filter(j, &mask).expect("a flag per row")).collect();
        (rows.filter(&keep), judged)
    }

    /// How long after a key's last row its windows can still be seen.
    pub fn horizon(&self) -> Horizon {
        let memories = self.all_memories().map(Memory::horizon);
        memories.fold(self.horizon_of_lanes(), Horizon::max)
    }

    /// How far before a row, in event time, other rows may lie that its values depend on.
    pub fn reach(&self) -> Horizon {
        let memories = self.all_memories().map(Memory::reach);
        memories.fold(self.horizon_of_lanes(), Horizon::max)
    }

    fn all_memories(&self) -> impl Iterator<Item = &Memory> {
        self.memories.iter().chain(&self.asked)
    }

    fn horizon_of_lanes(&self) -> Horizon {
        let horizon = |lane: &Lane| match lane.retention.rows {
            Some(_) => Horizon::Forever,
            // A tile is seen as long as a part of it is.
            None => Horizon::For(
                lane.retention
                    .time_us
                    .unwrap_or_default()
                    .saturating_add(lane.input.resolution_us.unwrap_or_default()),
            ),
        };
        self.lanes.iter().map(horizon).max().unwrap_or(Horizon::Stateless)
    }

    /// Drops what is kept under `slot`.
    pub fn forget(&mut self, slot: Slot) {
        self.lanes.iter_mut().for_each(|lane| lane.forget(slot));
        let memories = self.memories.iter_mut().chain(&mut self.asked);
        memories.for_each(|memory| memory.forget(slot));
    }

    /// Bytes of all state.
    pub fn state_bytes(&self) -> usize {
        let lanes: usize = self.lanes.iter().map(Lane::state_bytes).sum();
        lanes + self.all_memories().map(Memory::state_bytes).sum::<usize>()
    }

    /// Bytes that are kept of so many keys: unlike [`state_bytes`](Self::state_bytes) without what
    /// lies ready for others.
    pub fn key_bytes(&self, keys: usize) -> usize {
        let lanes: usize = self.lanes.iter().map(|lane| lane.key_bytes(keys)).sum();
        lanes + self.all_memories().map(Memory::state_bytes).sum::<usize>()
    }

    /// Holds on to the state as it is, in parts: lanes in the order of the pipeline file, then what
    /// remembers without a window, then what features have asked for.
    pub fn capture(&self) -> Vec<Box<dyn Saved>> {
        let lanes = self.lanes.iter().map(|lane| Box::new(lane.capture()) as Box<dyn Saved>);
        lanes.chain(self.all_memories().map(Memory::capture)).collect()
    }

    /// What a part is called in snapshots: lanes by the first window that uses them, the rest by
    /// its place.
    pub fn part_name(&self, part: usize) -> String {
        let (lanes, memories) = (self.lanes.len(), self.memories.len());
        match part {
            part if part < lanes => format!("windows/{part}"),
            part if part < lanes + memories => format!("memories/{}", part - lanes),
            part => format!("features/{}", part - lanes - memories),
        }
    }

    /// Takes over the state of one part that a snapshot holds; keys have `slots` slots. After an
    /// error, the windows are of no use.
    pub fn restore(
        &mut self,
        part: usize,
        section: &Section<'_>,
        slots: Slot,
    ) -> Result<(), SnapshotError> {
        match part.checked_sub(self.lanes.len()) {
            Some(memory) => {
                let mut memories = self.memories.iter_mut().chain(&mut self.asked);
                memories.nth(memory).expect("one of the parts").restore(section, slots)
            }
            None => self.lanes[part].restore(section, slots),
        }
    }

    /// What is computed, from what, and what it costs; for `check`.
    pub fn describe(&self) -> Vec<WindowPlan> {
        self.plans.clone()
    }
}

/// The columns that a request is about, if all are there and numbers.
fn inputs(request: &Request, schema: &Schema) -> Option<Vec<(usize, DataType)>> {
    let number = |name: &String| {
        let (index, field) = schema.column_with_name(name)?;
        let data_type = field.data_type();
        let is_number = Kind::of(data_type).is_some() && data_type.is_numeric();
        is_number.then(|| (index, data_type.clone()))
    };
    request.columns.iter().map(number).collect()
}

/// The field of a computed column, whose name must be new.
fn add_field(
    computed: &Computed,
    fields: &[FieldRef],
    places: &[Option<Position>],
) -> Result<FieldRef, Problem> {
    let Computed { name, at, output, .. } = computed;
    let Some(index) = fields.iter().position(|field| field.name() == name) else {
        return Ok(Arc::new(Field::new(name, output.data_type.clone(), output.nullable)));
    };
    let what = match places[index] {
        Some(first) => format!("two windows compute `{name}`, the first in line {}", first.line),
        None => format!("`{name}` is a column already"),
    };
    Err(Problem::new(*at, what).expected("another name, as in `compute: { mean: my_name }`"))
}

#[cfg(test)]
mod tests;
