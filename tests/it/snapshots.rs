//! A fold that is restored from a snapshot goes on as if it had never stopped.

use crate::pipelines::line;
use millstream::{
    batch::{Outbox, RawBatch, Reason, Target},
    pipeline::{Definition, Emitter, Fold, Folded, Overrides, Totals},
    state::snapshot::{self, Header, Ledger, LogPosition, Saved, Skipped},
};
use proptest::{collection::vec, prelude::*, test_runner::TestRunner};
use std::{cell::RefCell, collections::BTreeSet, fs, path::Path};

/// What one record is like: what happens, to which card, how far time goes on, how far behind it
/// is, a value.
type Step = (u8, u8, i64, i64, u16);

/// Records of a log, and cuts between batches.
#[derive(Debug, Clone)]
struct Input {
    steps: Vec<Step>,
    /// How many cards there are.
    cards: u8,
    cuts: Vec<usize>,
    other_cuts: Vec<usize>,
    /// Where the snapshot is taken, as a share of the log.
    snapshot: f64,
}

fn inputs() -> impl Strategy<Value = Input> {
    let step = (any::<u8>(), any::<u8>(), 0..900_i64, 0..14_000_i64, any::<u16>());
    let cuts = || vec(1..120_usize, 1..12);
    (vec(step, 20..1_200), 1..12_u8, cuts(), cuts(), 0.0..1.0_f64).prop_map(
        |(steps, cards, cuts, other_cuts, snapshot)| Input {
            steps,
            cards,
            cuts,
            other_cuts,
            snapshot,
        },
    )
}

/// Key and value of each record.
type Record = (String, Option<String>);

fn records(input: &Input) -> Vec<Record> {
    let mut now = 1_767_225_600_000_i64;
    let mut records = Vec::new();
    for (index, (what, card, ahead, behind, value)) in input.steps.iter().enumerate() {
        // A long silence, behind which everything has expired.
        now += if *what == 255 { ahead * 1_000 } else { *ahead };
        let card = format!("card {}", card % input.cards);
        let ts = match what {
            50..110 => now - behind,
            110..115 => now + 3_600_000,
            _ => now,
        };
        let tx = if (20..40).contains(what) { index.saturating_sub(3) } else { index };
        let amount = match what {
            40..60 => "null".to_owned(),
            60..64 => "1e6".to_owned(),
            _ => format!("{}", f64::from(*value) / 128.0),
        };
        let channel = ["\"web\"", "\"pos\"", "null"][usize::from(*value) % 3];
        let value = match what {
            0..8 => None,
            8..12 => Some("{ no JSON".to_owned()),
            _ => Some(format!(
                r#"{{"tx_id":"t{tx}","card_id":"{card}","merchant_id":"m{}","category":"Fuel","amount":{amount},"currency":"EUR","lat":{},"lon":{},"channel":{channel},"ts":{ts}}}"#,
                value % 17,
                f64::from(*value) / 7.0,
                f64::from(*value) / -3.0,
            )),
        };
        records.push((card, value));
    }
    records
}

/// A fold with what it has given so far.
struct Run<'a> {
    definition: &'a Definition,
    fold: Fold,
    /// Vectors, dead letters and verdicts: between them there is no order.
    messages: [String; 3],
    totals: Totals,
}

impl<'a> Run<'a> {
    fn new(definition: &'a Definition) -> Self {
        let (messages, totals) = Default::default();
        Self { definition, fold: definition.fold(None), messages, totals }
    }

    /// Folds the records `from..to` in batches of these sizes, over and over.
    fn advance(&mut self, records: &[Record], from: usize, to: usize, cuts: &[usize]) {
        let mut emitter = self.definition.emitter(None);
        let mut raw = RawBatch::new("all.in".into(), 0);
        let mut at = from;
        for cut in cuts.iter().cycle() {
            if at >= to {
                break;
            }
            let end = to.min(at + cut);
            raw.clear();
            for (offset, (key, value)) in (at..).zip(&records[at..end]) {
                let offset = i64::try_from(offset * 2).unwrap();
                raw.push(offset, None, Some(key.as_bytes()), value.as_deref().map(str::as_bytes));
            }
            at = end;
            let folded = self.fold.advance(&raw);
            self.note(&mut emitter, &raw, folded);
        }
    }

    /// Lets go what waits for the watermark.
    fn tick(&mut self) {
        let raw = RawBatch::new("all.in".into(), 0);
        let folded = self.fold.tick(&raw);
        self.note(&mut self.definition.emitter(None), &raw, folded);
    }

    fn note(&mut self, emitter: &mut Emitter, raw: &RawBatch, mut folded: Folded) {
        let mut outbox = Outbox::default();
        emitter.emit(raw, &mut folded, &mut outbox);
        emitter.flush(&mut outbox);
        for message in outbox.iter() {
            let to = match message.parts.target {
                Target::Output => 0,
                Target::DeadLetter => 1,
                Target::Quality => 2,
            };
            self.messages[to] += &line(&message);
        }
        self.totals += &folded.totals;
    }

    fn snapshot(&self) -> Vec<u8> {
        written(&self.fold.capture())
    }

    /// A fold from a snapshot, which has given nothing yet.
    fn restored(definition: &'a Definition, bytes: &[u8]) -> Self {
        let (_, sections) = snapshot::read(bytes).unwrap();
        let mut run = Self::new(definition);
        run.fold.restore(&sections).unwrap();
        run
    }

    /// What is the same after the same records.
    fn state(&self) -> (u64, Option<i64>, usize, usize) {
        let fold = &self.fold;
        (fold.digest(), fold.watermark(), fold.state_keys(), fold.state_bytes())
    }
}

/// A snapshot of that state.
pub(crate) fn written(state: &dyn Saved) -> Vec<u8> {
    let header = Header {
        pipeline: "all-state".into(),
        state_hash: String::new(),
        fold_version: 1,
        platform: String::new(),
        cluster_id: None,
        topic: "all.in".into(),
        topic_id: None,
        partition: 0,
        partitions: 1,
        position: LogPosition { offset: 0, tick: 0 },
        origin: 0,
        watermark: None,
        digest: String::new(),
        ledger: Ledger::default(),
        skipped: Skipped::default(),
        keys: 0,
        taken_ms: 0,
    };
    let mut bytes = Vec::new();
    snapshot::write(&header, state, &mut bytes).unwrap();
    bytes
}

/// The pipeline with every kind of state, the same without what keeps keys for ever, and the same in
/// order of event time.
fn definitions() -> [Definition; 3] {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/chaos");
    let text = fs::read_to_string(folder.join("all-state.yaml")).unwrap();
    let text = with_recursions(&text);
    let is_by_rows =
        |line: &&str| [" rows,", "5r\n", "100r\n"].iter().any(|end| line.contains(end));
    let expiring: String = text.split_inclusive('\n').filter(|line| !is_by_rows(line)).collect();
    let in_order = without_expectations(&text).replace(
        "order: arrival",
        "order: event_time\n  peers: true\n  hold: { max_records: 300 }",
    );
    let schema = "card-transaction.schema.json";
    [text, expiring, in_order].map(|text| {
        let other = tempfile::tempdir().unwrap();
        fs::copy(folder.join(schema), other.path().join(schema)).unwrap();
        let file = other.path().join("all-state.yaml");
        fs::write(&file, text).unwrap();
        Definition::load(&file, Overrides::default()).unwrap_or_else(|p| panic!("{p:#?}"))
    })
}

/// The pipeline without what is judged in the order of arrival alone.
fn without_expectations(text: &str) -> String {
    let (before, section) = text.split_once("expectations:\n").unwrap();
    let (_, behind) = section.split_once("windows:\n").unwrap();
    format!("{before}windows:\n{behind}")
}

/// What remembers without a window.
const RECURSIONS: [(&str, &str); 5] = [
    ("of: amount, compute: { ewma: { half_life: 3s, as: mean_3s } }", "mean_3s"),
    ("of: amount, compute: { ewm_std: { half_life: 2s, as: std_2s } }", "std_2s"),
    (
        "of: lat, where: \"channel = 'web'\", forget_after: 40s, compute: { ewma: { span: 5, as: m } }",
        "m",
    ),
    ("per: partition, compute: { decayed_count: { half_life: 9s, as: per_9s } }", "per_9s"),
    (
        "of: lon, forget_after: 30s, compute: { decayed_sum: { half_life: 1m, as: lon_1m } }",
        "lon_1m",
    ),
];

/// Features that remember.
const ASKED: [&str; 5] = [
    "standardize: { column: amount, online: { half_life: 3s, min_count: 3 } }",
    "minmax: { column: lat, online: { per: partition } }",
    "maxabs: { column: amount, online: { exclude_current: true, forget_after: 30s } }",
    "speed: { lat: lat, lon: lon, forget_after: 50s }",
    "elapsed: { since: previous, forget_after: 5s }",
];

fn with_recursions(text: &str) -> String {
    let asked = ASKED.iter().fold(text.to_owned(), |text, feature| {
        text.replace("features:\n", &format!("features:\n  - {feature}\n"))
    });
    RECURSIONS.iter().fold(asked, |text, (entry, name)| {
        let text = text.replace("windows:\n", &format!("windows:\n  - {{ {entry} }}\n"));
        text.replace("features:\n", &format!("features:\n  - {name}\n"))
    })
}

#[test]
fn a_restored_fold_goes_on_as_if_it_had_never_stopped() {
    for definition in definitions() {
        let mut runner = TestRunner::new(ProptestConfig::with_cases(40));
        let seen = RefCell::new(BTreeSet::new());
        let result = runner.run(&inputs(), |input| {
            let records = records(&input);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share")]
            let at = (records.len() as f64 * input.snapshot) as usize;
            let mut whole = Run::new(&definition);
            whole.advance(&records, 0, at, &input.cuts);
            let held = whole.fold.capture();
            let bytes = whole.snapshot();
            let mut twin = Run::restored(&definition, &bytes);
            prop_assert_eq!(twin.state(), whole.state());
            prop_assert!(twin.snapshot() == bytes, "what is written again is the same");
            let mut cut = Run::new(&definition);
            cut.advance(&records, 0, at, &input.other_cuts);
            prop_assert!(cut.snapshot() == bytes, "batches do not show in a snapshot");

            whole.messages = Default::default();
            whole.totals = Totals::default();
            whole.advance(&records, at, records.len(), &input.cuts);
            twin.advance(&records, at, records.len(), &input.other_cuts);
            prop_assert!(twin.snapshot() == whole.snapshot(), "also with what waits in it");
            whole.tick();
            twin.tick();
            prop_assert_eq!(&twin.messages, &whole.messages);
            prop_assert_eq!(&twin.totals, &whole.totals);
            prop_assert_eq!(twin.state(), whole.state());
            prop_assert!(twin.snapshot() == whole.snapshot(), "the state is the same to the bit");
            prop_assert!(written(&held) == bytes, "what was captured stays as it was");
            seen.borrow_mut().extend(seen_in(&whole));
            Ok(())
        });
        assert!(result.is_ok(), "{}", result.unwrap_err());
        let all = ["duplicate", "extreme", "filled", "forgotten", "future", "late", "outlier"];
        assert_eq!(
            seen.into_inner().into_iter().collect::<Vec<_>>(),
            all,
            "what happened behind a snapshot"
        );
    }
}

/// What of state was of use to a run.
fn seen_in(run: &Run<'_>) -> Vec<&'static str> {
    let vectors = &run.messages[0];
    [
        ("duplicate", run.totals.dropped.get(Reason::Duplicate) > 0),
        ("extreme", vectors.contains("\"amount_is_extreme\":true")),
        ("filled", vectors.contains("\"amount_was_missing\":true")),
        ("forgotten", run.totals.dropped.get(Reason::Tombstone) > 0),
        ("future", run.totals.rejected.get(Reason::Future) > 0),
        ("late", vectors.contains("millstream-late")),
        ("outlier", vectors.contains("\"amount_is_outlier\":true")),
    ]
    .into_iter()
    .filter_map(|(name, seen)| seen.then_some(name))
    .collect()
}

/// Sections that do not belong together are an error that names one of them, not a panic later.
#[test]
fn a_snapshot_of_another_pipeline_is_refused() {
    let [all, expiring, _] = definitions();
    let input = Input {
        steps: (0..300_u16).map(|i| (200, i.to_le_bytes()[0], 100, 0, i)).collect(),
        cards: 5,
        cuts: vec![50],
        other_cuts: vec![],
        snapshot: 0.0,
    };
    let records = records(&input);
    let refused = |from: &Definition, to: &Definition| {
        let mut run = Run::new(from);
        run.advance(&records, 0, records.len(), &[50]);
        let bytes = run.snapshot();
        let (_, sections) = snapshot::read(&bytes).unwrap();
        to.fold(None).restore(&sections).unwrap_err().to_string()
    };
    let error = refused(&all, &expiring);
    assert!(error.starts_with("section `windows/") && error.contains("no part"), "{error}");
    let error = refused(&expiring, &all);
    assert!(error.starts_with("section `windows/") && error.contains("not there"), "{error}");
}
