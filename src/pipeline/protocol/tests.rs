//! The protocol's rules, one by one.

use super::{Limit, Move, Phase, Protocol, Start, Step, usable_snapshots};
use crate::state::snapshot::LogPosition;
use std::collections::BTreeMap;

fn at(offset: i64) -> LogPosition {
    LogPosition { offset, tick: 0 }
}

fn start(from: i64, committed: i64) -> Start {
    Start { from, committed: at(committed), ticks: Vec::new(), fresh: false }
}

/// An exactly-once protocol with partition `a` live at 10.
fn live() -> Protocol<char> {
    let mut protocol = Protocol::new(true, None);
    let epoch = protocol.assigned('a');
    assert!(protocol.begin(&'a', epoch, start(10, 10)));
    protocol
}

fn moved(to: i64) -> Vec<Move<char>> {
    vec![Move { id: 'a', to: at(to) }]
}

#[test]
fn positions_move_with_their_messages() {
    let mut protocol = live();
    assert!(!protocol.has_moved());
    protocol.advanced(&'a', 15);
    assert!(protocol.has_moved() && protocol.snapshot_at(&'a').is_none());
    protocol.begin_commit();
    assert_eq!((protocol.step(), protocol.limit(&'a')), (Step::Drain, None));
    protocol.drained();
    assert_eq!(protocol.step(), Step::SendOffsets(moved(15)));
    assert!(protocol.may_send_offsets(true) && !protocol.may_send_offsets(false));
    protocol.offsets_sent();
    assert_eq!(protocol.step(), Step::End);
    assert_eq!(protocol.ended(), moved(15));
    assert_eq!((protocol.committed(&'a'), protocol.snapshot_at(&'a')), (Some(15), Some(at(15))));
}

#[test]
fn a_replay_is_silent_and_goes_on_through_a_commit() {
    let mut protocol = live();
    let epoch = protocol.assigned('b');
    assert!(protocol.begin(&'b', epoch, start(3, 9)));
    protocol.advanced(&'a', 11);
    protocol.begin_commit();
    assert_eq!(protocol.limit(&'b'), Some(Limit::Silent { until: 9 }));
    assert!(!protocol.advanced(&'b', 8));
    assert!(protocol.advanced(&'b', 30), "what lies behind the committed offset is not folded");
    assert_eq!((protocol.phase(&'b'), protocol.next(&'b')), (Some(Phase::Live), Some(9)));
    assert_eq!(protocol.limit(&'b'), None, "it emits from the next commit on");
}

#[test]
fn a_failure_is_resolved_by_what_is_committed() {
    for (committed, again, stands, restored) in
        [(Some(10), 1, 0, 0), (Some(15), 0, 1, 0), (Some(12), 0, 0, 1), (None, 0, 0, 1)]
    {
        let mut protocol = live();
        protocol.advanced(&'a', 15);
        protocol.begin_commit();
        protocol.failed();
        assert_eq!(protocol.step(), Step::Reopen);
        protocol.reopened();
        assert_eq!(protocol.step(), Step::Ask(vec!['a']));
        let resolution = protocol.resolved(&BTreeMap::from([('a', committed.map(at))]));
        let counts = (resolution.again.len(), resolution.stands.len(), resolution.restore.len());
        assert_eq!(counts, (again, stands, restored), "{committed:?}");
        assert_eq!(protocol.step(), if again == 1 { Step::Drain } else { Step::Fold });
    }
}

#[test]
fn a_partition_that_goes_takes_the_open_transaction_with_it() {
    let mut protocol = live();
    let epoch = protocol.assigned('b');
    assert!(protocol.begin(&'b', epoch, start(10, 10)));
    protocol.advanced(&'a', 11);
    protocol.advanced(&'b', 12);
    protocol.revoked(&'b');
    assert_eq!(protocol.step(), Step::Reopen);
    protocol.reopened();
    assert_eq!(protocol.step(), Step::Ask(vec!['a']));
    assert!(!protocol.is_current(epoch.number()), "its messages are dropped");
    protocol.revoked(&'a');
    assert_eq!(protocol.step(), Step::Fold, "nobody is left to ask about");
}

#[test]
fn an_answer_to_an_assignment_that_is_over_counts_for_nothing() {
    let mut protocol = live();
    let old = protocol.epoch(&'a').unwrap();
    protocol.revoked(&'a');
    let new = protocol.assigned('a');
    assert!(!protocol.begin(&'a', old, start(10, 10)));
    assert!(protocol.begin(&'a', new, start(10, 10)));
    assert!(!protocol.begin(&'a', new, start(10, 10)), "a second answer neither");
}

#[test]
fn a_first_position_is_committed_before_the_first_record() {
    let mut protocol = Protocol::new(true, None);
    let epoch = protocol.assigned('a');
    assert!(protocol.begin(&'a', epoch, Start { fresh: true, ..start(0, 0) }));
    assert!(protocol.has_moved());
    protocol.begin_commit();
    protocol.drained();
    assert_eq!(protocol.step(), Step::SendOffsets(moved(0)));
    protocol.failed();
    protocol.reopened();
    let resolution = protocol.resolved(&BTreeMap::from([('a', Some(at(0)))]));
    assert_eq!(resolution.stands, moved(0));
}

#[test]
fn at_least_once_sends_again_and_asks_nobody() {
    let mut protocol = Protocol::new(false, None);
    let epoch = protocol.assigned('a');
    protocol.begin(&'a', epoch, start(10, 10));
    protocol.advanced(&'a', 15);
    protocol.failed();
    protocol.reopened();
    assert_eq!(protocol.step(), Step::Drain);
    protocol.drained();
    assert_eq!(protocol.step(), Step::Commit(moved(15)));
    protocol.refused();
    assert_eq!((protocol.step(), protocol.committed(&'a')), (Step::Fold, Some(10)));
}

/// A position between offsets moves, stands and is snapshot like any other.
#[test]
fn a_tick_moves_the_position_without_an_offset() {
    let mut protocol = live();
    assert!(!protocol.ticked(&'a'));
    let ticked = LogPosition { offset: 10, tick: 1 };
    assert!(protocol.has_moved() && !protocol.is_committed(&'a'));
    assert_eq!((protocol.next(&'a'), protocol.snapshot_at(&'a')), (Some(10), None));
    protocol.begin_commit();
    protocol.drained();
    assert_eq!(protocol.step(), Step::SendOffsets(vec![Move { id: 'a', to: ticked }]));
    for (committed, stands) in [(at(10), 0), (ticked, 1)] {
        let mut protocol = live();
        protocol.ticked(&'a');
        protocol.failed();
        protocol.reopened();
        let resolution = protocol.resolved(&BTreeMap::from([('a', Some(committed))]));
        assert_eq!((resolution.again.len(), resolution.stands.len()), (1 - stands, stands));
    }
    protocol.offsets_sent();
    protocol.ended();
    assert_eq!(protocol.snapshot_at(&'a'), Some(ticked));
    protocol.advanced(&'a', 11);
    assert_eq!(protocol.position(&'a'), Some(at(11)), "ticks are counted anew at each offset");
}

#[test]
fn a_replay_makes_the_ticks_at_their_places() {
    let mut protocol = Protocol::new(true, None);
    let epoch = protocol.assigned('a');
    let committed = LogPosition { offset: 9, tick: 2 };
    let begin = Start { from: 3, committed, ticks: vec![3, 5, 9, 9], fresh: false };
    assert!(protocol.begin(&'a', epoch, begin));
    assert_eq!(protocol.limit(&'a'), Some(Limit::SilentTick));
    assert!(!protocol.ticked(&'a'));
    assert_eq!(protocol.limit(&'a'), Some(Limit::Silent { until: 5 }));
    assert!(!protocol.advanced(&'a', 8), "not over a tick");
    assert_eq!(protocol.next(&'a'), Some(5));
    assert!(!protocol.ticked(&'a'));
    assert!(!protocol.advanced(&'a', 9) && !protocol.ticked(&'a') && protocol.ticked(&'a'));
    assert_eq!((protocol.phase(&'a'), protocol.has_moved()), (Some(Phase::Live), false));
    assert_eq!(protocol.position(&'a'), Some(committed));
}

#[test]
fn a_snapshot_ahead_of_the_committed_position_is_none() {
    let usable = |snapshots: &[i64], low| {
        usable_snapshots(snapshots.iter().map(|offset| at(*offset)), at(12), low)
    };
    assert_eq!(usable(&[5, 20, 12, 8], 6), [at(12), at(8)]);
    assert!(usable(&[20], 0).is_empty());
    assert_eq!(usable(&[12], 13), [at(12)], "nothing is left to replay");
    let ticked = [2, 0, 1].map(|tick| LogPosition { offset: 12, tick });
    assert_eq!(usable_snapshots(ticked, ticked[2], 13), [ticked[2], ticked[1]]);
}
