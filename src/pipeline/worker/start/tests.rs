//! Every situation in which a partition can be found.

use super::*;
use crate::{pipeline::protocol::at, source::Committed, state::snapshot::OffsetRange};

fn rules() -> Rules {
    Rules {
        start: StartAt::Earliest,
        out_of_range: OutOfRange::Stop,
        state_hash: 7,
        migrate: false,
        accept_growth: false,
        cluster: Some("here".to_owned()),
        platform: 1,
        expectations: vec!["amount_mean".to_owned()],
    }
}

fn lookup(committed: Option<(i64, &str)>) -> Lookup {
    Lookup {
        partition: TopicPartition { topic: "t".to_owned(), partition: 2 },
        committed: committed
            .map(|(offset, text)| Committed { offset, metadata: text.as_bytes().to_vec() }),
        low: 10,
        high: 90,
    }
}

fn facts(lookup: &Lookup) -> Facts<'_> {
    Facts {
        lookup,
        topic_id: Some("id"),
        partitions: 3,
        partitions_before: None,
        snapshots: &[],
        other_snapshots: false,
        seen: None,
    }
}

fn metadata(state_hash: u64, origin: i64) -> Metadata {
    let ledger = Ledger { consumed: 5, published: 5, ..Ledger::default() };
    Metadata::new(state_hash, origin, 3, ledger)
}

fn text(state_hash: u64, origin: i64) -> String {
    metadata(state_hash, origin).to_string()
}

fn start(committed: Option<(i64, &str)>, rules: &Rules) -> Result<Start, Stop> {
    decide(&facts(&lookup(committed)), rules)
}

fn code(committed: Option<(i64, &str)>, rules: &Rules) -> &'static str {
    start(committed, rules).unwrap_err().code()
}

#[test]
fn a_first_start_goes_where_the_file_says() {
    let first = start(None, &rules()).unwrap();
    assert_eq!((first.origin, first.committed, first.fresh), (10, at(10), true));
    let latest = Rules { start: StartAt::Latest, ..rules() };
    assert_eq!(start(None, &latest).unwrap().origin, 90);
}

#[test]
fn a_known_position_is_rebuilt_from_the_newest_snapshot_that_can_be_used() {
    let text = text(7, 20);
    let lookup = lookup(Some((50, &text)));
    let start = decide(&facts(&lookup), &rules()).unwrap();
    assert_eq!((start.origin, start.committed, start.digest), (20, at(50), Some(3)));
    let facts = Facts { snapshots: &[5, 40, 50, 51].map(at), ..facts(&lookup) };
    let start = decide(&facts, &rules()).unwrap();
    assert_eq!(start.snapshots, [50, 40].map(at), "neither ahead nor before the log");
}

#[test]
fn what_cannot_be_right_stops_with_a_code() {
    let rules = rules();
    assert_eq!(code(Some((5, &text(7, 3))), &rules), "OFFSET_OUT_OF_RANGE");
    assert_eq!(code(Some((91, &text(7, 20))), &rules), "LOG_TRUNCATED");
    assert_eq!(code(Some((50, &text(7, 3))), &rules), "REPLAY_GAP");
    assert_eq!(code(Some((50, &text(8, 20))), &rules), "OTHER_DEFINITION");
    assert_eq!(code(Some((50, "")), &rules), "FOREIGN_OFFSET");
    assert_eq!(code(Some((5, "")), &rules), "OFFSET_OUT_OF_RANGE");
    let on = |topic_id: &str, cluster: &str| {
        let (topic_id, cluster) = (Some(topic_id.to_owned()), Some(cluster.to_owned()));
        Metadata { cluster, topic_id, ..metadata(7, 20) }.to_string()
    };
    assert!(start(Some((50, &on("id", "here"))), &rules).is_ok());
    assert_eq!(code(Some((50, &on("other", "here"))), &rules), "TOPIC_RECREATED");
    assert_eq!(code(Some((50, &on("id", "there"))), &rules), "OTHER_CLUSTER");
}

#[test]
fn a_snapshot_closes_the_gap_that_retention_made() {
    let text = text(7, 3);
    let lookup = lookup(Some((50, &text)));
    let facts = Facts { snapshots: &[at(30)], ..facts(&lookup) };
    let start = decide(&facts, &rules()).unwrap();
    assert_eq!((start.snapshots, start.has_origin), (vec![at(30)], false));
}

/// A state needs all ticks behind it.
#[test]
fn states_from_before_the_known_ticks_are_not_used() {
    let tick = |offset, tick| LogPosition { offset, tick };
    let (ticks, snapshots) = (vec![tick(35, 1), tick(50, 1)], [tick(25, 0), tick(35, 1), at(50)]);
    let begin = |ticks_from, snapshots: &[LogPosition]| {
        let metadata = Metadata { tick: 1, ticks: ticks.clone(), ticks_from, ..metadata(7, 20) };
        let text = metadata.to_string();
        let lookup = lookup(Some((50, &text)));
        decide(&Facts { snapshots, ..facts(&lookup) }, &rules())
    };
    let all = begin(None, &snapshots).unwrap();
    assert_eq!((all.committed, all.snapshots.len(), all.has_origin), (tick(50, 1), 3, true));
    assert_eq!(all.ticks_behind(at(20)), [35, 50]);
    assert_eq!(all.ticks_behind(tick(35, 0)), [35, 50]);
    assert_eq!(all.ticks_behind(tick(35, 1)), [50]);
    assert_eq!(all.ticks_behind(tick(50, 1)), [0; 0]);
    let some = begin(Some(tick(30, 1)), &snapshots).unwrap();
    assert_eq!((some.snapshots, some.has_origin), (vec![at(50), tick(35, 1)], false));
    let from = tick(30, 1);
    assert_eq!(begin(Some(from), &[tick(25, 0)]), Err(Stop::TicksForgotten { from }));
}

/// A state that begins anew behind all ticks needs none.
#[test]
fn nothing_is_begun_anew_before_a_tick() {
    let begin = |rebuild| {
        let ticks = vec![LogPosition { offset: 30, tick: 1 }];
        let metadata = Metadata { rebuild: Some(rebuild), ticks, ..metadata(7, 3) };
        start(Some((50, &metadata.to_string())), &rules()).map(|start| start.rebuild)
    };
    assert_eq!(begin(30), Ok(Some(30)));
    assert_eq!(begin(29), Err(Stop::ReplayGap { origin: 3, low: 10 }));
}

fn skips(from: i64, to: i64) -> String {
    let skipped = vec![OffsetRange { from, to }].try_into().unwrap();
    Metadata { skipped, ..metadata(7, 3) }.to_string()
}

#[test]
fn what_is_skipped_is_not_missed_where_the_log_has_lost_it() {
    let begin = |text: &str, snapshots: &[i64]| {
        let lookup = lookup(Some((50, text)));
        let snapshots: Vec<LogPosition> = snapshots.iter().map(|offset| at(*offset)).collect();
        decide(&Facts { snapshots: &snapshots, ..facts(&lookup) }, &rules())
    };
    let origin = begin(&skips(3, 10), &[]).unwrap();
    assert!(origin.has_origin);
    assert_eq!(begin(&skips(4, 10), &[]), Err(Stop::ReplayGap { origin: 3, low: 10 }));
    assert_eq!(begin(&skips(3, 9), &[]), Err(Stop::ReplayGap { origin: 3, low: 10 }));
    let snapshot = begin(&skips(6, 12), &[4, 6, 8, 51]).unwrap();
    assert_eq!((snapshot.snapshots, snapshot.has_origin), (vec![at(8), at(6)], false));
}

#[test]
fn a_state_that_holds_what_is_to_be_skipped_is_not_compared() {
    let text = Metadata { digest: None, ..metadata(7, 20) }.to_string();
    assert_eq!(start(Some((50, &text)), &rules()).unwrap().digest, None);
}

#[test]
fn offsets_that_are_gone_while_snapshots_are_there_stop() {
    let lookup = lookup(None);
    let at_30 = [at(30)];
    let with = |snapshots, other_snapshots| Facts { snapshots, other_snapshots, ..facts(&lookup) };
    assert_eq!(decide(&with(&at_30, false), &rules()), Err(Stop::OffsetMissing));
    assert_eq!(decide(&with(&[], true), &rules()), Err(Stop::OffsetMissing));
    assert!(decide(&with(&at_30, true), &Rules { migrate: true, ..rules() }).unwrap().fresh);
}

/// A migration begins anew once, not whenever the broker forgets.
#[test]
fn a_position_that_this_process_has_seen_does_not_go() {
    let lookup = lookup(None);
    let seen = Facts { seen: Some(30), ..facts(&lookup) };
    for migrate in [false, true] {
        assert_eq!(decide(&seen, &Rules { migrate, ..rules() }), Err(Stop::OffsetMissing));
    }
}

#[test]
fn a_position_behind_where_the_group_was_is_doubtful() {
    let text = metadata(7, 10).to_string();
    let lookup = lookup(Some((50, &text)));
    let offsets = [60, 20, 50, 20, 91, 60].map(at);
    let [ahead, behind, far] = [&offsets[..2], &offsets[2..4], &offsets[4..]];
    let with = |snapshots, seen| Facts { snapshots, seen, ..facts(&lookup) };
    assert!(!with(behind, Some(50)).is_doubtful());
    // An operator may have gone back behind a snapshot: time tells.
    assert!(with(ahead, None).is_doubtful());
    let start = decide(&with(ahead, None), &rules()).unwrap();
    assert_eq!(start.snapshots, [at(20)]);
    // Nobody goes back while this process is there.
    let back = with(&behind[1..], Some(60));
    assert!(back.is_doubtful());
    assert_eq!(decide(&back, &rules()), Err(Stop::OffsetBack { committed: 50, seen: 60 }));
    // One that is not of this log says nothing, whatever else there is.
    assert!(with(far, None).is_doubtful());
    assert!(with(&far[..1], Some(60)).is_doubtful());
    // Where the log was cut the group is sent back.
    assert!(!with(&[], Some(91)).is_doubtful());
    assert!(decide(&with(&[], Some(91)), &rules()).is_ok());
}

#[test]
fn new_partitions_of_a_known_topic_wait_to_be_accepted_and_then_begin_at_the_beginning() {
    let lookup = lookup(None);
    let grown = Facts { partitions_before: Some(2), ..facts(&lookup) };
    assert_eq!(decide(&grown, &rules()), Err(Stop::PartitionsGrew { before: 2, now: 3 }));
    let accept = Rules { accept_growth: true, start: StartAt::Latest, ..rules() };
    assert_eq!(decide(&grown, &accept).unwrap().origin, 10);
    let known = Facts { partitions_before: Some(3), ..facts(&lookup) };
    assert_eq!(decide(&known, &Rules { start: StartAt::Latest, ..rules() }).unwrap().origin, 90);
}

#[test]
fn only_what_was_asked_for_is_skipped() {
    let earliest = Rules { out_of_range: OutOfRange::Earliest, ..rules() };
    let begun = start(Some((5, "")), &earliest).unwrap();
    assert_eq!((begun.origin, begun.fresh), (10, true));
    let recreated = Metadata { topic_id: Some("old".to_owned()), ..metadata(7, 20) }.to_string();
    assert_eq!(start(Some((50, &recreated)), &earliest).unwrap().origin, 10);
    let migrate = Rules { migrate: true, ..rules() };
    let begun = start(Some((50, &text(8, 20))), &migrate).unwrap();
    assert_eq!((begun.origin, begun.committed, begun.digest), (20, at(50), None));
    assert_eq!(start(Some((50, "")), &migrate).unwrap().committed, at(50));
}

#[test]
fn another_platform_is_no_divergence() {
    let text = Metadata { platform: Some(2), ..metadata(7, 20) }.to_string();
    assert_eq!(start(Some((50, &text)), &rules()).unwrap().digest, None);
}
