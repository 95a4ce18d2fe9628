//! Features that are told what `window` remembers.

use super::*;

const ALL: &str = "[amount,
  standardize: { column: amount, online: { half_life: 7d, min_count: 20 } },
  minmax: { column: amount, online: { per: partition }, clip: true },
  maxabs: { column: count, online: {}, as: share },
  haversine: { lat: lat, lon: lon, to: previous },
  speed: { lat: lat, lon: lon, forget_after: 1d },
  elapsed: { since: previous },
  elapsed: { column: day }]";

fn list(text: &str) -> Vec<Node> {
    Node::parse(text).unwrap().as_list().unwrap().to_vec()
}

fn built(text: &str) -> Result<Features, Problem> {
    let list = list(text);
    let features = Features::build(&list, &with_requests(&list), TS);
    features.map_err(|problems| problems.into_iter().next().unwrap())
}

#[test]
fn each_finds_its_own_column_and_has_its_own_name() {
    let features = built(ALL).unwrap();
    let schema = features.schema();
    let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
    let expected = [
        "amount",
        "amount_standardized",
        "amount_minmax",
        "share",
        "distance_km",
        "speed_kmh",
        "elapsed_previous",
        "day_elapsed",
    ];
    assert_eq!(names, expected);
    let asked = requests(&list(ALL));
    assert_eq!(asked.len(), 6);
    let times = [1_000_000, 90_000_000_000];
    let rows = rows(&times);
    let told = asked.iter().zip(1..).map(|(request, number)| {
        let values: ArrayRef = Arc::new(Float64Array::from(vec![f64::from(number); 2]));
        (request.feature, values)
    });
    let told: Vec<(&str, ArrayRef)> = told.collect();
    let columns =
        rows.columns().iter().map(Arc::clone).chain(told.iter().map(|(_, v)| Arc::clone(v)));
    let full = RecordBatch::try_new(with_requests(&list(ALL)), columns.collect()).unwrap();
    let vectors = features.advance(&full, &times);
    for (name, feature) in expected.iter().skip(1).zip([
        "standardize",
        "minmax",
        "maxabs",
        "haversine",
        "speed",
        "elapsed",
    ]) {
        let (_, values) = told.iter().find(|(asking, _)| *asking == feature).unwrap();
        let got = vectors.columns.column_by_name(name).unwrap();
        assert_eq!(got, values, "{name}");
    }
    assert_eq!(numbers(&vectors, "day_elapsed"), [Some(1.0), Some(3_600.0)]);
}

/// By its own name or by that of the feature, nobody else sees it.
#[test]
fn what_is_remembered_is_no_column_for_others() {
    let text = &requests(&list("[elapsed: { since: previous }]"))[0].text;
    let taken = format!("[elapsed: {{ since: previous }}, {text:?}]");
    let message = built(&taken).unwrap_err().to_string();
    assert!(
        message.contains("unknown column") && !message.contains("one of `elapsed"),
        "{message}"
    );
    let sql = format!("[elapsed: {{ since: previous }}, twice: '\"{text}\" * 2']");
    assert!(built(&sql).is_err());
}

#[test]
fn equal_requests_are_one_and_their_order_does_not_show() {
    let texts = |text: &str| -> Vec<String> {
        requests(&list(text)).into_iter().map(|request| request.text).collect()
    };
    let (a, b) = ("speed: { lat: lat, lon: lon }", "minmax: { column: amount, online: {} }");
    let both = texts(&format!("[{a}, {b}]"));
    assert_eq!(both.len(), 2);
    assert_eq!(texts(&format!("[{b}, {a}, speed: {{ lat: lat, lon: lon, as: again }}]")), both);
    assert_ne!(texts(&format!("[{a}, minmax: {{ column: count, online: {{}} }}]")), both);
    let hour = |half_life: &str| {
        texts(&format!("[standardize: {{ column: amount, online: {{ half_life: {half_life} }} }}]"))
    };
    assert_eq!(hour("1h"), hour("60 m"));
    assert!(texts("[amount, standardize: { column: amount, mean: 0, std: 1 }]").is_empty());
}

#[test]
fn mistakes_in_what_is_remembered_say_where_and_what_instead() {
    for (text, expected) in [
        ("[standardize: { column: amuont, online: {} }]", "1:25: unknown column `amuont`"),
        ("[standardize: { column: category, online: {} }]", "of type Utf8; expected a column of"),
        ("[standardize: { column: amount, online: {}, mean: 2 }]", "unknown key `mean`"),
        ("[standardize: { column: amount, online: { per: kex } }]", "did you mean `key`?"),
        ("[standardize: { column: amount, online: { half_life: 0s } }]", "`0s` is no half-life"),
        ("[standardize: { column: amount }]", "missing key `mean`"),
        ("[minmax: { column: amount, online: { half_life: 1h } }]", "`half_life` of `minmax`"),
        ("[maxabs: { column: amount, online: {}, clip: true }]", "unknown key `clip`"),
        (
            "[maxabs: { column: amount, online: { per: partition, forget_after: 1d } }]",
            "`forget_after` beside `per: partition`",
        ),
        ("[robust: { column: amount, online: {} }]", "`robust` cannot learn while records come"),
        ("[haversine: { lat: lat, lon: category, to: previous }]", "column `category` is of type"),
        ("[haversine: { lat: lat, lon: lon, to: next }]", "or `previous`"),
        (
            "[haversine: { lat: lat, lon: lon, to: [1, 2], forget_after: 1d }]",
            "`forget_after` of a given place",
        ),
        ("[speed: { lat: nowhere, lon: lon }]", "unknown column `nowhere`"),
        ("[elapsed: {}]", "`elapsed` since what; expected one of `column: opened_at`"),
        ("[elapsed: { column: day, since: previous }]", "`elapsed` since what"),
        ("[elapsed: { column: day, forget_after: 1d }]", "`forget_after` beside a column"),
        ("[elapsed: { column: amount }]", "expected a timestamp or date column"),
    ] {
        let got = built(text).unwrap_err().to_string();
        assert!(got.contains(expected), "{text}\n  got      {got}\n  expected {expected}");
    }
}
