//! The protocol's rules, one by one.

use super::{Limit, Move, Phase, Protocol, Start, Step, usable_snapshots};
use std::collections::BTreeMap;

const LIVE: Start = Start { from: 10, committed: 10, fresh: false };

/// An exactly-once protocol with partition `a` live at 10.
fn live() -> Protocol<char> {
    let mut protocol = Protocol::new(true, None);
    let epoch = protocol.assigned('a');
    assert!(protocol.begin(&'a', epoch, LIVE));
    protocol
}

fn moved(to: i64) -> Vec<Move<char>> {
    vec![Move { id: 'a', to }]
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
    assert_eq!((protocol.committed(&'a'), protocol.snapshot_at(&'a')), (Some(15), Some(15)));
}

#[test]
fn a_replay_is_silent_and_goes_on_through_a_commit() {
    let mut protocol = live();
    let epoch = protocol.assigned('b');
    let start = Start { from: 3, committed: 9, fresh: false };
    assert!(protocol.begin(&'b', epoch, start));
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
        let resolution = protocol.resolved(&BTreeMap::from([('a', committed)]));
        let counts = (resolution.again.len(), resolution.stands.len(), resolution.restore.len());
        assert_eq!(counts, (again, stands, restored), "{committed:?}");
        assert_eq!(protocol.step(), if again == 1 { Step::Drain } else { Step::Fold });
    }
}

#[test]
fn a_partition_that_goes_takes_the_open_transaction_with_it() {
    let mut protocol = live();
    let epoch = protocol.assigned('b');
    assert!(protocol.begin(&'b', epoch, LIVE));
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
    assert!(!protocol.begin(&'a', old, LIVE));
    assert!(protocol.begin(&'a', new, LIVE));
    assert!(!protocol.begin(&'a', new, LIVE), "a second answer neither");
}

#[test]
fn a_first_position_is_committed_before_the_first_record() {
    let mut protocol = Protocol::new(true, None);
    let epoch = protocol.assigned('a');
    assert!(protocol.begin(&'a', epoch, Start { from: 0, committed: 0, fresh: true }));
    assert!(protocol.has_moved());
    protocol.begin_commit();
    protocol.drained();
    assert_eq!(protocol.step(), Step::SendOffsets(moved(0)));
    protocol.failed();
    protocol.reopened();
    let resolution = protocol.resolved(&BTreeMap::from([('a', Some(0))]));
    assert_eq!(resolution.stands, moved(0));
}

#[test]
fn at_least_once_sends_again_and_asks_nobody() {
    let mut protocol = Protocol::new(false, None);
    let epoch = protocol.assigned('a');
    protocol.begin(&'a', epoch, LIVE);
    protocol.advanced(&'a', 15);
    protocol.failed();
    protocol.reopened();
    assert_eq!(protocol.step(), Step::Drain);
    protocol.drained();
    assert_eq!(protocol.step(), Step::Commit(moved(15)));
    protocol.refused();
    assert_eq!((protocol.step(), protocol.committed(&'a')), (Step::Fold, Some(10)));
}

#[test]
fn a_snapshot_ahead_of_the_committed_position_is_none() {
    assert_eq!(usable_snapshots([5, 20, 12, 8], 12, 6), [12, 8]);
    assert!(usable_snapshots([20], 12, 0).is_empty());
    assert_eq!(usable_snapshots([12], 12, 13), [12], "nothing is left to replay");
}
