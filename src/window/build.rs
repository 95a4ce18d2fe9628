//! Puts the windows of a pipeline together: what each entry computes, from which lane or memory.

use super::{
    Windows,
    column::{Column, Made, OfWindow},
    condition::Condition,
    extent::Extent,
    input::{Input, Values},
    lane::Lane,
    memory::Memory,
    plan::WindowPlan,
    spec::{Computed, FoundColumn, Shape, Spec},
};
use crate::{
    aggregate::{Aggregate, Kept, Kind, Needs, Request, by_category},
    registry::{Node, Position, Problem, Value},
};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use std::sync::Arc;

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
