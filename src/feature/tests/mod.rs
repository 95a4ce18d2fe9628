//! Lists of features, and each component against scikit-learn's or the calendar's definition.

use super::*;
use arrow::{
    array::{
        AsArray, BooleanArray, Date32Array, Int64Array, StringArray, TimestampMicrosecondArray,
    },
    datatypes::{Field, Float64Type, Int64Type, TimeUnit},
};
use chrono::{DateTime, Datelike, Timelike};
use proptest::prelude::*;
use std::{f64::consts::TAU, sync::Arc};

mod encoders;
mod lists;
mod remembering;
mod times;

fn schema() -> SchemaRef {
    let utc = || DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    Arc::new(Schema::new(vec![
        Field::new("amount", DataType::Float64, true),
        Field::new("category", DataType::Utf8, true),
        Field::new("count", DataType::Int64, true),
        Field::new("ok", DataType::Boolean, true),
        Field::new("ts", DataType::Int64, false),
        Field::new("at", utc(), false),
        Field::new("day", DataType::Date32, false),
        Field::new("id", DataType::Int64, false),
        Field::new("lat", DataType::Float64, false),
        Field::new("lon", DataType::Float64, false),
    ]))
}

const TS: EventTimeColumn = Some(4);

/// Rows at these microseconds; `ts` in milliseconds.
fn rows(times: &[i64]) -> RecordBatch {
    let n = times.len();
    let cycle = |i: usize| (i % 4 != 3).then_some(i);
    let signed = |i: usize| i64::try_from(i).unwrap();
    let days = times.iter().map(|us| i32::try_from(us.div_euclid(86_400_000_000)).unwrap());
    let categories = ["fuel", "food", "", "?"];
    let columns: Vec<ArrayRef> = vec![
        Arc::new((0..n).map(|i| cycle(i).map(|i| i as f64 * 2.5)).collect::<Float64Array>()),
        Arc::new((0..n).map(|i| cycle(i).map(|i| categories[i % 3])).collect::<StringArray>()),
        Arc::new((0..n).map(|i| cycle(i).map(signed)).collect::<Int64Array>()),
        Arc::new((0..n).map(|i| cycle(i).map(|i| i % 2 == 0)).collect::<BooleanArray>()),
        Arc::new(Int64Array::from_iter_values(times.iter().map(|us| us.div_euclid(1000)))),
        Arc::new(
            TimestampMicrosecondArray::from_iter_values(times.iter().copied()).with_timezone("UTC"),
        ),
        Arc::new(Date32Array::from_iter_values(days)),
        Arc::new(Int64Array::from_iter_values((0..n).map(signed))),
        Arc::new(Float64Array::from_iter_values((0..n).map(|i| 47.0 + i as f64 / 8.0))),
        Arc::new(Float64Array::from_iter_values((0..n).map(|i| 8.5 - i as f64 / 4.0))),
    ];
    RecordBatch::try_new(schema(), columns).unwrap()
}

fn build(text: &str) -> Result<Features, Problem> {
    let list = Node::parse(text).unwrap();
    let features = Features::build(list.as_list().unwrap(), &schema(), TS);
    features.map_err(|problems| problems.into_iter().next().unwrap())
}

/// The columns that rows have where `window` remembers what the features of the list ask for.
fn with_requests(specs: &[Node]) -> SchemaRef {
    let (schema, asked) = (schema(), requests(specs));
    let fields = schema.fields().iter().map(Arc::clone);
    Arc::new(Schema::new(
        fields.chain(asked.iter().map(crate::aggregate::Request::field)).collect::<Vec<_>>(),
    ))
}

fn error(text: &str) -> String {
    build(text).unwrap_err().to_string()
}

fn compute(text: &str, times: &[i64]) -> Vectors {
    build(text).unwrap().advance(&rows(times), times)
}

fn numbers(vectors: &Vectors, name: &str) -> Vec<Option<f64>> {
    let column = vectors.columns.column_by_name(name).unwrap_or_else(|| panic!("no {name}"));
    let column = cast(column, &DataType::Float64).unwrap();
    column.as_primitive::<Float64Type>().iter().collect()
}

#[test]
fn table_rows_are_complete_and_their_examples_build() {
    let mut names: Vec<_> = FEATURES.iter().map(|c| c.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), FEATURES.len(), "names are unique");
    for component in FEATURES {
        let name = component.name;
        assert!(component.summary.starts_with(char::is_uppercase), "{name}");
        assert!(component.summary.ends_with('.'), "{name}");
        let node = Node::parse(component.example).unwrap();
        let list = Node::parse(&format!("[{{ {name}: {} }}]", component.example)).unwrap();
        let rows = with_requests(list.as_list().unwrap());
        let input = Input { schema: &schema(), rows: &rows, event_time: TS };
        (component.build)(&node, &input).unwrap_or_else(|p| panic!("{name}: {p}"));
        assert!(
            (component.schema)().get("anyOf").is_some()
                || (component.schema)().get("properties").is_some()
        );
    }
}

#[test]
fn the_list_keeps_its_order_and_types() {
    let features = build(
        "[count, amount, ratio: \"amount / nullif(count, 0)\", is_fuel: \"case when category = 'fuel' \
         then 1 else 0 end\", one_hot: { column: category, values: [fuel, food] }, cyclic: { \
         column: ts, period: day }, hour: \"extract(hour from at)\"]",
    )
    .unwrap();
    let fields: Vec<String> = features
        .schema()
        .fields()
        .iter()
        .map(|f| format!("{} {} {}", f.name(), f.data_type(), f.is_nullable()))
        .collect();
    assert_eq!(
        fields,
        [
            "count Int64 true",
            "amount Float64 true",
            "ratio Float64 true",
            "is_fuel Int64 false",
            "category_fuel Int64 false",
            "category_food Int64 false",
            "ts_day_sin Float64 false",
            "ts_day_cos Float64 false",
            "hour Int64 true",
        ]
    );
}

#[test]
fn mistakes_say_where_and_what_instead() {
    let mistakes = [
        "[amuont]",
        "[amount / 2]",
        "[amount, amount]",
        "[amount, { amount: count + 1 }]",
        "- a: amount\n  b: count",
        "[3]",
        "[x: 3]",
        "[x: amuont / 2]",
        "[one_hto: { column: category, values: [a] }]",
        "[one_hot: { column: category }]",
        "[one_hot: { column: category, values: [] }]",
        "[one_hot: { column: category, values: [a, 3] }]",
        "[one_hot: { column: category, values: [a, b, a] }]",
        "[one_hot: { column: count, values: [1, x] }]",
        "[one_hot: { column: amount, values: [1] }]",
        "[one_hot: { column: category, values: [a], unknown: error }]",
        "[cyclic: { column: ts, period: dya }]",
        "[cyclic: { column: count, period: day }]",
        "[cyclic: { column: category, period: day }]",
        "[cyclic: { column: count, period: -1 }]",
        "[cyclic: { column: at, period: 24 }]",
        "[standardize: { column: amount, mean: 1, std: -1 }]",
        "[standardize: { column: category, mean: 1, std: 1 }]",
        "[standardize: { colum: amount, mean: 1, std: 1 }]",
        "[minmax: { column: amount, min: 2, max: 1 }]",
        "[maxabs: { column: amount, max_abs: -1 }]",
        "[robust: { column: amount, median: 1, range: .inf }]",
        "[power: { column: amount, lambda: .nan }]",
        "[power: { column: amount, lambda: 1, method: boxcox }]",
        "[log1p: { column: category }]",
        "[clip: { column: amount }]",
        "[clip: { column: amount, min: 2, max: 1 }]",
        "[normalize: { columns: [] }]",
        "[normalize: { columns: [amount, category] }]",
        "[bins: { column: amount, edges: [1] }]",
        "[bins: { column: amount, edges: [1, 1] }]",
    ]
    .map(|text| format!("{text}\n    {}", error(text)))
    .join("\n");
    insta::assert_snapshot!(mistakes);
}

#[test]
fn one_hot_marks_listed_values_and_null_is_all_zeros() {
    let vectors = compute("[one_hot: { column: category, values: [food, fuel], as: c }]", &[0; 5]);
    assert_eq!(numbers(&vectors, "c_food"), [0., 1., 0., 0., 1.].map(Some));
    assert_eq!(numbers(&vectors, "c_fuel"), [1., 0., 0., 0., 0.].map(Some));
    assert!(vectors.failed.is_empty());

    let text = "[one_hot: { column: category, values: [food, fuel], unknown: reject }]";
    let failed = compute(text, &[0; 4]).failed;
    let detail = "one_hot: column `category` holds a value that is not listed".to_owned();
    assert_eq!(failed, [Failed { row: 2, reason: Reason::Expression, detail }]);

    let vectors = compute("[one_hot: { column: ok, values: [true, false] }]", &[0; 4]);
    assert_eq!(numbers(&vectors, "ok_true"), [1., 0., 1., 0.].map(Some));
    assert_eq!(numbers(&vectors, "ok_false"), [0., 1., 0., 0.].map(Some));

    let vectors = compute("[one_hot: { column: count, values: [2] }]", &[0; 4]);
    let ones = vectors.columns.column(0).as_primitive::<Int64Type>().values();
    assert_eq!(ones, &[0, 0, 1, 0]);
}

#[test]
fn scaling_is_that_of_scikit_learn() {
    let amounts = [Some(0.0), Some(2.5), Some(5.0), None];
    let expect = |text: &str, name: &str, f: fn(f64) -> f64| {
        let got = numbers(&compute(text, &[0; 4]), name);
        assert_eq!(got, amounts.map(|x| x.map(f)), "{text}");
    };
    expect("[standardize: { column: amount, mean: 2.5, std: 2 }]", "amount_standardized", |x| {
        (x - 2.5) / 2.0
    });
    expect("[standardize: { column: amount, mean: 2.5, std: 0, as: z }]", "z", |x| x - 2.5);
    expect("[minmax: { column: amount, min: 2.5, max: 4.5 }]", "amount_minmax", |x| {
        (x - 2.5) / 2.0
    });
    expect("[minmax: { column: amount, min: 0, max: 4, clip: true, as: m }]", "m", |x| {
        (x / 4.0).min(1.0)
    });
    expect("[minmax: { column: amount, min: 5, max: 5, clip: true, as: m }]", "m", |_| 0.0);
}

/// Values of sklearn.preprocessing 1.9 (`power_transform` without standardizing, `normalize`,
/// `KBinsDiscretizer`), of scipy.special.boxcox and numpy.log1p.
#[test]
fn other_scales_are_those_of_scikit_learn() {
    let near = |text: &str, name: &str, expected: [Option<f64>; 4]| {
        let got = numbers(&compute(text, &[0; 4]), name);
        for (got, expected) in got.iter().zip(expected) {
            let same = match (got, expected) {
                (Some(got), Some(expected)) => {
                    (got - expected).abs() < 1e-12 || got.is_nan() && expected.is_nan()
                }
                (got, expected) => got.is_none() && expected.is_none(),
            };
            assert!(same, "{text}: {got:?}, expected {expected:?}");
        }
    };
    let some = |values: [f64; 3]| [Some(values[0]), Some(values[1]), Some(values[2]), None];
    near("[maxabs: { column: amount, max_abs: 4 }]", "amount_maxabs", some([0.0, 0.625, 1.25]));
    let robust = "[robust: { column: amount, median: 2.5, range: 2 }]";
    near(robust, "amount_robust", some([-1.25, 0.0, 1.25]));
    near("[log1p: { column: amount }]", "amount_log1p", some([0.0, 3.5_f64.ln(), 6_f64.ln()]));
    near("[clip: { column: amount, min: 1, max: 3 }]", "amount_clipped", some([1.0, 2.5, 3.0]));
    near("[clip: { column: amount, max: 3, as: c }]", "c", some([0.0, 2.5, 3.0]));
    let power = |lambda: f64| [0.0, 2.5, 5.0].map(|x: f64| ((x + 1.0).powf(lambda) - 1.0) / lambda);
    near("[power: { column: amount, lambda: 0.5 }]", "amount_power", some(power(0.5)));
    near(
        "[power: { column: amount, lambda: 0 }]",
        "amount_power",
        some([0.0, 3.5_f64.ln(), 6_f64.ln()]),
    );
    let standardized = power(0.5).map(|x| (x - 1.5) / 2.0);
    let text = "[power: { column: amount, lambda: 0.5, mean: 1.5, std: 2 }]";
    near(text, "amount_power", some(standardized));
    let box_cox = "[power: { column: amount, method: box_cox, lambda: -1 }]";
    near(box_cox, "amount_power", some([f64::NAN, 0.6, 0.8]));
    near(
        "[bins: { column: amount, edges: [1, 2.5, 4, 4.5] }]",
        "amount_bin",
        some([0.0, 1.0, 2.0]),
    );
    let root = (2.5_f64 * 2.5 + 1.0).sqrt();
    let normalize = "[normalize: { columns: [amount, count] }]";
    near(normalize, "amount_normalized", some([0.0, 2.5 / root, 5.0 / 29_f64.sqrt()]));
    near(normalize, "count_normalized", some([0.0, 1.0 / root, 2.0 / 29_f64.sqrt()]));
    let normalize = "[normalize: { columns: [amount, count], norm: l1 }]";
    near(normalize, "amount_normalized", some([0.0, 2.5 / 3.5, 5.0 / 7.0]));
    let normalize = "[normalize: { columns: [amount, count], norm: max }]";
    near(normalize, "count_normalized", some([0.0, 0.4, 0.4]));
}

#[test]
fn cyclic_of_numbers_dates_and_long_periods() {
    let monday_noon = 4 * 86_400_000_000 + 43_200_000_000;
    let vectors = compute(
        "[cyclic: { column: count, period: 4 }, cyclic: { column: at, period: week }, cyclic: { \
         column: day, period: month, as: d }, cyclic: { column: ts, period: 12h }]",
        &[monday_noon; 4],
    );
    let near = |name: &str, row: usize, expected: f64| {
        let got = numbers(&vectors, name)[row].unwrap();
        assert!((got - expected).abs() < 1e-12, "{name}: {got} is not {expected}");
    };
    near("count_4_sin", 1, 1.0);
    near("count_4_cos", 2, -1.0);
    assert_eq!(numbers(&vectors, "count_4_sin")[3], None);
    near("at_week_sin", 0, (TAU / 14.0).sin());
    near("d_sin", 0, (TAU * 4.0 / 31.0).sin());
    near("ts_12h_cos", 0, 1.0);
}

proptest! {
    #[test]
    fn cyclic_agrees_with_the_calendar(us in -3_000_000_000_000_000_i64..5_000_000_000_000_000) {
        let time = DateTime::from_timestamp_micros(us).unwrap();
        let second = f64::from(time.nanosecond()) / 1e9 + f64::from(time.second());
        let hour = (f64::from(time.minute()) * 60.0 + second) / 3600.0;
        let day = (f64::from(time.hour()) + hour) / 24.0;
        let days_in_year = if time.date_naive().leap_year() { 366.0 } else { 365.0 };
        let shares = [
            ("minute", second / 60.0),
            ("hour", hour),
            ("day", day),
            ("week", (f64::from(time.weekday().num_days_from_monday()) + day) / 7.0),
            ("month", (f64::from(time.day0()) + day) / f64::from(time.num_days_in_month())),
            ("year", (f64::from(time.ordinal0()) + day) / days_in_year),
        ];
        for (period, share) in shares {
            for column in ["ts", "at"] {
                let text = format!("[cyclic: {{ column: {column}, period: {period} }}]");
                let vectors = compute(&text, &[us]);
                for (part, expected) in [("sin", (TAU * share).sin()), ("cos", (TAU * share).cos())] {
                    let got = numbers(&vectors, &format!("{column}_{period}_{part}"))[0].unwrap();
                    prop_assert!((got - expected).abs() < 1e-9, "{text} {part}: {got} {expected}");
                }
            }
        }
    }

    #[test]
    fn batches_do_not_show(times in proptest::collection::vec(0_i64..1 << 50, 1..20), size in 1_usize..6) {
        let text = "[amount, a: 10 / (id % 3), b: 10 / (id % 4), cyclic: { column: ts, period: \
            month }, one_hot: { column: category, values: [fuel], unknown: reject }]";
        let features = build(text).unwrap().with_nulls(Nulls::Constant(-1.0), Position::default()).unwrap();
        let rows = rows(&times);
        let whole = features.advance(&rows, &times);
        let mut failed = Vec::new();
        for first in (0..times.len()).step_by(size) {
            let count = size.min(times.len() - first);
            let part = features.advance(&rows.slice(first, count), &times[first..first + count]);
            prop_assert_eq!(&part.columns, &whole.columns.slice(first, count));
            failed.extend(part.failed.into_iter().map(|f| Failed { row: f.row + first, ..f }));
        }
        prop_assert_eq!(failed, whole.failed);
    }
}

#[test]
fn nulls_are_kept_replaced_or_rejected() {
    let text = "[amount, count, f: 10 / count, one_hot: { column: category, values: [fuel] }]";
    let with = |nulls: &str| {
        let nulls = Nulls::read(&Node::parse(nulls).unwrap()).unwrap();
        build(text).unwrap().with_nulls(nulls, Position { line: 7, column: 3 })
    };
    let kept = with("null").unwrap().advance(&rows(&[0; 4]), &[0; 4]);
    assert_eq!(numbers(&kept, "amount")[3], None);
    assert_eq!(kept.failed.len(), 1, "10 / 0");

    let filled = with("-1").unwrap();
    assert!(filled.schema().fields().iter().all(|f| !f.is_nullable()));
    let filled = filled.advance(&rows(&[0; 4]), &[0; 4]);
    assert_eq!(numbers(&filled, "amount"), [0.0, 2.5, 5.0, -1.0].map(Some));
    assert_eq!(numbers(&filled, "count")[3], Some(-1.0));

    let failed = with("reject").unwrap().advance(&rows(&[0; 4]), &[0; 4]).failed;
    let reasons: Vec<_> = failed.iter().map(|f| (f.row, f.reason, f.detail.as_str())).collect();
    assert_eq!(
        reasons,
        [
            (0, Reason::Expression, "feature `f`: division by zero"),
            (3, Reason::NullPolicy, "feature `amount` is null"),
        ]
    );
    assert_eq!(
        with(".nan").unwrap_err().to_string(),
        "7:3: `NaN` cannot replace nulls of feature `count`; expected a value of type Int64; or \
         cast or coalesce the feature"
    );
    assert!(with("0.5").unwrap_err().to_string().contains("`0.5` cannot replace"));
    let floats = build("[amount]").unwrap().with_nulls(Nulls::Nan, Position::default()).unwrap();
    let floats = numbers(&floats.advance(&rows(&[0; 4]), &[0; 4]), "amount");
    assert!(floats[3].unwrap().is_nan());
    assert!(Nulls::read(&Node::parse("zero").unwrap()).is_err());
}

#[test]
fn no_features_and_no_rows_are_fine() {
    assert_eq!(compute("[]", &[0; 3]).columns.num_rows(), 3);
    assert_eq!(compute("[amount, x: 1 / count]", &[]).columns.num_rows(), 0);
}
