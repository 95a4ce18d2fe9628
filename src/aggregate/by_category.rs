//! One value of each category that a window holds, as a map.

use super::{
    Aggregate, Content, Frame, Held, Kind, Needs, OfSummary, Output, Scan, Summary, Symbols, Texts,
    moments::Moments,
};
use arrow::{
    array::{ArrayRef, BooleanArray, MapArray, StringBuilder, StructArray},
    buffer::OffsetBuffer,
    compute::nullif,
    datatypes::{DataType, Field, Fields},
};
use std::{fmt::Debug, mem, sync::Arc};

/// What is kept of a window's categories.
#[derive(Debug, Clone, Copy)]
pub struct Categories {
    /// How many at most: those with the most events, of equally frequent ones the least.
    pub max: usize,
    /// Values below which that of a category is null.
    pub min_count: u64,
}

/// The type of maps from category to values of `output`; a window without events gives an empty
/// one.
pub fn map_of(output: &Output) -> Output {
    let data_type = DataType::Map(Arc::new(entries(&output.data_type)), false);
    Output { data_type, nullable: false }
}

fn entries(values: &DataType) -> Field {
    Field::new("entries", DataType::Struct(members(values)), false)
}

fn members(values: &DataType) -> Fields {
    let key = Field::new("key", DataType::Utf8, false);
    Fields::from(vec![key, Field::new("value", values.clone(), true)])
}

/// A scan of windows whose events have a category beside their value: it makes a map of what
/// `aggregate` makes of the events of each category, in the order of their texts. None for an
/// aggregate that needs a second column of its own, and for one that has no window.
pub fn by_category(
    aggregate: Aggregate,
    input: Option<&DataType>,
    categories: Categories,
) -> Option<Box<dyn Scan>> {
    let output = aggregate.output(input, None).ok()?;
    let made = match aggregate {
        Aggregate::Summary(aggregate)
        | Aggregate::Nulls(aggregate)
        | Aggregate::Holding(_, aggregate) => Made::Summaries {
            needs: aggregate.needs(),
            aggregate,
            input: input.cloned(),
            summaries: Vec::new(),
            texts: Texts::default(),
        },
        Aggregate::Events(aggregate) => Made::Scan(aggregate.scan(input)),
        Aggregate::Pairs(..) | Aggregate::Recursive(_) => return None,
    };
    Some(Box::new(ByCategory {
        categories,
        kind: input.and_then(Kind::of).unwrap_or(Kind::Nothing),
        values: output.data_type,
        made,
        order: Vec::new(),
        groups: Vec::new(),
        events: Vec::new(),
        keys: StringBuilder::new(),
        few: Vec::new(),
        lengths: Vec::new(),
    }))
}

/// What makes the value of a category.
#[derive(Debug)]
enum Made {
    Summaries {
        aggregate: Box<dyn OfSummary>,
        needs: Needs,
        input: Option<DataType>,
        summaries: Vec<Summary>,
        texts: Texts,
    },
    Scan(Box<dyn Scan>),
}

#[derive(Debug)]
struct ByCategory {
    categories: Categories,
    /// How the values are to be read.
    kind: Kind,
    values: DataType,
    made: Made,
    /// Category and place of each event, by category.
    order: Vec<(i64, usize)>,
    /// The categories' parts of `order`: category, first, number.
    groups: Vec<(i64, usize, usize)>,
    /// The events of a category.
    events: Vec<Held>,
    /// Of the batch: the categories of all windows, whether each has too few values, and how many
    /// each window has.
    keys: StringBuilder,
    few: Vec<bool>,
    lengths: Vec<usize>,
}

impl ByCategory {
    /// Finds the categories to give, in order.
    fn group(&mut self, content: &Content<'_>) {
        self.order.clear();
        self.order.extend(content.pairs().map(|pair| pair.second).zip(0..));
        self.order.sort_unstable();
        self.groups.clear();
        let mut first = 0;
        for run in self.order.chunk_by(|a, b| a.0 == b.0) {
            self.groups.push((run[0].0, first, run.len()));
            first += run.len();
        }
        let text = |group: &(i64, usize, usize)| content.symbols.text(group.0);
        if self.groups.len() > self.categories.max {
            let order = |a: &_, b: &_| text(a).cmp(text(b));
            self.groups.sort_unstable_by(|a, b| b.2.cmp(&a.2).then_with(|| order(a, b)));
            self.groups.truncate(self.categories.max);
        }
        self.groups.sort_unstable_by(|a, b| text(a).cmp(text(b)));
    }
}

impl Scan for ByCategory {
    fn take(&mut self, content: &Content<'_>) {
        self.group(content);
        self.lengths.push(self.groups.len());
        let own = content.own.map(|key| content.pairs.get(key));
        for (category, first, count) in self.groups.iter().copied() {
            self.keys.append_value(content.symbols.text(category));
            self.few.push((count as u64) < self.categories.min_count);
            self.events.clear();
            self.events.extend(self.order[first..first + count].iter().map(|(_, place)| {
                let event = content.events[*place];
                Held { time: event.time, key: content.pairs.get(event.key).first }
            }));
            let of_peers = content.events.len() - content.behind;
            let places = self.order[first..first + count].iter().map(|(_, place)| *place);
            let own = own.filter(|own| own.second == category);
            let part = Content {
                events: &self.events,
                kind: self.kind,
                own: own.map(|own| own.first),
                has_own: content.has_own && own.is_some(),
                behind: places.filter(|place| *place >= of_peers).count(),
                ..*content
            };
            match &mut self.made {
                Made::Scan(scan) => scan.take(&part),
                Made::Summaries { needs, summaries, texts, .. } => {
                    summaries.push(summary(&part, *needs, texts));
                }
            }
        }
    }

    fn finish(&mut self) -> ArrayRef {
        let values = match &mut self.made {
            Made::Scan(scan) => scan.finish(),
            Made::Summaries { aggregate, input, summaries, texts, .. } => {
                let frame = Frame { summaries, input: input.as_ref(), texts };
                let column = aggregate.column(&frame);
                summaries.clear();
                texts.clear();
                column
            }
        };
        let few = BooleanArray::from(mem::take(&mut self.few));
        let values = nullif(&values, &few).expect("a flag per value");
        let keys: ArrayRef = Arc::new(self.keys.finish());
        let members = StructArray::new(members(&self.values), vec![keys, values], None);
        let offsets = OffsetBuffer::from_lengths(self.lengths.drain(..));
        Arc::new(MapArray::new(Arc::new(entries(&self.values)), offsets, members, None, false))
    }
}

/// What the events amount to, as a buffer would say it of a range of its own.
fn summary(content: &Content<'_>, needs: Needs, texts: &mut Texts) -> Summary {
    let (events, kind) = (content.events, content.kind);
    let (Some(first), Some(last)) = (events.first(), events.last()) else {
        return Summary::default();
    };
    let around = |centre: f64| {
        let mut moments = Moments::around(centre);
        moments.n = events.len() as u64;
        for event in events {
            if needs.moments {
                moments.add(kind.number(event.key));
            }
            moments.widen(event.key);
        }
        moments
    };
    let mut moments = around(kind.number(first.key));
    if needs.moments && moments.off_centre() && moments.mean().is_finite() {
        moments = around(moments.mean());
    }
    let mut key = |event: &Held, is_needed: bool| match kind {
        Kind::Text if is_needed => copy(content.symbols, event.key, texts),
        _ => event.key,
    };
    let mut summary = Summary {
        first: key(first, needs.first),
        last: key(last, needs.last),
        first_time: first.time,
        last_time: last.time,
        previous_time: content.before().last().map(|event| event.time),
        own: content.own,
        time: content.time,
        ..Summary::default()
    };
    summary.set_moments(&moments);
    summary
}

fn copy(symbols: &Symbols, key: i64, texts: &mut Texts) -> i64 {
    texts.push(symbols.text(key))
}
