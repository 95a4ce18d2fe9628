//! Windows with peers, computed the way SQL's RANGE reads: look at every record of the key.

use super::{naive::CLOSED, *};
use arrow::compute::concat_batches;

/// Which windows: of time with these ends, tumbling, session, rows.
#[derive(Debug, Clone, Copy)]
enum Over {
    Time { span: i64, left: bool, right: bool },
    Delayed { span: i64, delay: i64 },
    Tumbling(i64),
    Session { gap: i64, within: i64 },
    Rows(usize),
}

/// The records in the window of record `i`, in order, each with its index. Records are in order of
/// event time.
fn members(records: &[Record], i: usize, over: Over) -> Vec<usize> {
    let own = &records[i];
    let of_key = |j: &usize| records[*j].slot == own.slot;
    let has_value = |j: &usize| records[*j].value.is_some();
    let in_time = |inside: &dyn Fn(i64) -> bool| -> Vec<usize> {
        let all = (0..records.len()).filter(of_key).filter(|j| inside(records[*j].time));
        all.filter(has_value).collect()
    };
    match over {
        Over::Time { span, left, right } => {
            let (low, high) = (own.time - span, own.time);
            in_time(&|time| {
                (low < time || left && time == low) && (time < high || right && time == high)
            })
        }
        Over::Delayed { span, delay } => {
            let high = own.time - delay;
            in_time(&|time| high - span < time && time <= high)
        }
        Over::Tumbling(span) => {
            let number = |time: i64| time.div_euclid(span);
            in_time(&|time| number(time) == number(own.time) && time <= own.time)
        }
        Over::Session { gap, within } => {
            let recent = in_time(&|time| own.time - within <= time && time <= own.time);
            let mut follower = own.time;
            let mut session: Vec<usize> = Vec::new();
            for j in recent.into_iter().rev() {
                if follower - records[j].time > gap {
                    break;
                }
                follower = records[j].time;
                session.insert(0, j);
            }
            session
        }
        // By place, whatever the event times are.
        Over::Rows(rows) => {
            let before: Vec<usize> = (0..=i).filter(of_key).collect();
            let first = before.len().saturating_sub(rows);
            before[first..].iter().copied().filter(has_value).collect()
        }
    }
}

const COMPUTE: &str = "compute: { count: w_count, sum: w_sum, first: w_first, last: w_last, \
                       lag: w_lag, rank: w_rank, median: w_median, time_since_last: w_since }";

fn check(out: &RecordBatch, records: &[Record], i: usize, over: Over) {
    let members = members(records, i, over);
    let value = |j: usize| records[j].value.unwrap();
    let values: Vec<f64> = members.iter().map(|j| value(*j)).collect();
    let context = || format!("{over:?} at {i}: {values:?} of {records:?}");
    assert_eq!(count(out, "w_count", i), i64::try_from(values.len()).unwrap(), "{}", context());
    assert!((float(out, "w_sum", i).unwrap() - values.iter().sum::<f64>()).abs() < 1e-9);
    assert_eq!(float(out, "w_first", i), values.first().copied(), "{}", context());
    assert_eq!(float(out, "w_last", i), values.last().copied(), "{}", context());
    // What came before the record itself, by event time and offset.
    let before: Vec<usize> = members.iter().copied().filter(|j| *j < i).collect();
    let lag = before.last().map(|j| value(*j));
    assert_eq!(float(out, "w_lag", i), lag, "{}", context());
    let since = before.last().map(|j| (records[i].time - records[*j].time) as f64 / 1e6);
    assert_eq!(float(out, "w_since", i), since, "{}", context());
    let mut sorted = values.clone();
    sorted.sort_by(f64::total_cmp);
    let middle = |at: usize| sorted[at.min(sorted.len() - 1)];
    let median = (!sorted.is_empty())
        .then(|| f64::midpoint(middle((sorted.len() - 1) / 2), middle(sorted.len() / 2)));
    assert_eq!(float(out, "w_median", i), median, "{}", context());
}

/// In order of event time: every row has its event time as watermark.
fn run_in_order(windows: &mut Windows, records: &[Record], cuts: &[usize]) -> Vec<RecordBatch> {
    let mut out = Vec::new();
    let (mut at, mut highest) = (0, i64::MIN);
    for size in cuts.iter().copied().cycle() {
        // No cut between records of one event time.
        let mut end = (at + size).min(records.len());
        while end < records.len() && records[end].time == records[end - 1].time {
            end += 1;
        }
        let batch = rows(&records[at..end], at, &mut highest, 0);
        let mut rejected = Rejections::default();
        out.push(windows.advance(batch, &mut rejected).columns);
        at = end;
        if at == records.len() {
            return out;
        }
    }
    out
}

fn in_order() -> impl Strategy<Value = Vec<Record>> {
    streams(200, 0).prop_map(|records| {
        let finite = |r: Record| Record { value: r.value.filter(|v| v.abs() < 1e6), ..r };
        records.into_iter().map(finite).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn peers_see_each_other_as_in_sql(
        records in in_order(),
        cuts in proptest::collection::vec(1..20_usize, 1..5),
        beside_rows in any::<bool>(),
    ) {
        let mut overs = vec![
            ("over: 9us, delay: 3us".to_owned(), Over::Delayed { span: 9, delay: 3 }),
            ("tumbling: 20us".to_owned(), Over::Tumbling(20)),
            ("session: 2us, within: 50us".to_owned(), Over::Session { gap: 2, within: 50 }),
            ("over: 4 rows".to_owned(), Over::Rows(4)),
        ];
        for (closed, left, right) in CLOSED {
            let over = Over::Time { span: 17, left, right };
            overs.push((format!("over: 17us, closed: {closed}"), over));
        }
        for (keys, over) in overs {
            let spec = format!("- {{ {keys}, of: x, {COMPUTE} }}");
            // The lane then keeps records without a value too.
            let rows = if beside_rows { "- { over: 3 rows, of: x, compute: [mean] }" } else { "" };
            let specs = Node::parse(&format!("{spec}\n{rows}")).unwrap();
            let specs = specs.as_list().unwrap();
            let engine = || {
                let windows = Windows::build(specs, &schema(), 0).unwrap();
                windows.with_peers(specs).unwrap()
            };
            let (mut whole, mut pieces) = (engine(), engine());
            let out = run_in_order(&mut whole, &records, &[records.len()]).remove(0);
            (0..records.len()).for_each(|i| check(&out, &records, i, over));
            let cut = run_in_order(&mut pieces, &records, &cuts);
            let cut = concat_batches(&out.schema(), &cut).unwrap();
            prop_assert_eq!(format!("{cut:?}"), format!("{out:?}"), "cuts show");
        }
    }
}

/// Rows that a policy keeps do not belong to those of their event time that came in order.
#[test]
fn late_rows_have_no_peers() {
    let specs = Node::parse("[{ over: 10us, compute: [count] }]").unwrap();
    let specs = specs.as_list().unwrap();
    let mut windows = Windows::build(specs, &schema(), 0).unwrap().with_peers(specs).unwrap();
    let at = |time| Record { slot: 0, time, value: None, flag: None, text: None };
    let mut batch = rows(&[at(5), at(5), at(5), at(5)], 0, &mut i64::MIN.clone(), 0);
    batch.late[2] = true;
    batch.late[3] = true;
    let out = windows.advance(batch, &mut Rejections::default()).columns;
    let counts: Vec<i64> = (0..4).map(|row| count(&out, "count_10us", row)).collect();
    assert_eq!(counts, [2, 2, 3, 4]);
}

#[test]
fn a_window_without_the_record_itself_has_no_peers() {
    let yaml = "[{ over: 10us, exclude_current: true, compute: [count] }]";
    let specs = Node::parse(yaml).unwrap();
    let specs = specs.as_list().unwrap();
    let windows = Windows::build(specs, &schema(), 0).unwrap();
    let problem = windows.with_peers(specs).unwrap_err().to_string();
    assert!(problem.contains("peers see each other; expected `closed: left`"), "{problem}");
}
