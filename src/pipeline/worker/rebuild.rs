//! The offset at which a state could begin anew, should the log lose its origin and the store its
//! snapshots: nothing before it matters any more.
//!
//! It is committed with the position. The log alone cannot tell: after its begin is gone, nobody
//! knows what was in it.

use std::collections::VecDeque;

/// Spaces between the samples of one reach: what is rebuilt is so much longer than needed at most.
const SAMPLES: i64 = 32;

/// Follows the watermark of a partition.
#[derive(Debug, Clone)]
pub(super) struct Rebuild {
    /// [`Fold::reach`](crate::pipeline::Fold::reach).
    reach_us: Option<i64>,
    from: Option<i64>,
    /// Offsets and the watermarks there, both rising, at most `SAMPLES` and two of them.
    samples: VecDeque<(i64, i64)>,
}

impl Rebuild {
    /// Goes on from the offset that was committed last.
    pub(super) fn new(reach_us: Option<i64>, from: Option<i64>) -> Self {
        Self { reach_us, from: from.filter(|_| reach_us.is_some()), samples: VecDeque::new() }
    }

    /// The watermark at `offset`, before the record there.
    pub(super) fn note(&mut self, offset: i64, watermark: i64) {
        let Some(reach_us) = self.reach_us else { return };
        while let Some((at, _)) =
            self.samples.pop_front_if(|(_, then)| watermark.saturating_sub(*then) > reach_us)
        {
            self.from = Some(at);
        }
        let is_far = |(_, then): &(i64, i64)| watermark.saturating_sub(*then) > reach_us / SAMPLES;
        if self.samples.back().is_none_or(is_far) {
            self.samples.push_back((offset, watermark));
        }
    }

    /// Held records were released before their time: a state that begins before that would not have
    /// held them too.
    pub(super) fn begin_again(&mut self) {
        self.from = None;
        self.samples.clear();
    }

    /// The offset, once there is one.
    pub(super) fn from(&self) -> Option<i64> {
        self.from
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn nothing_in_reach_is_left_out(
            steps in prop::collection::vec((1..20_i64, 0..50_i64), 1..400),
            reach in 0..1_000_i64,
        ) {
            let mut rebuild = Rebuild::new(Some(reach), None);
            let (mut noted, mut offset, mut watermark) = (Vec::new(), 0, 1_000);
            for (records, ahead) in steps {
                (offset, watermark) = (offset + records, watermark + ahead);
                rebuild.note(offset, watermark);
                noted.push((offset, watermark));
                let newest = |slack: i64| {
                    let past = noted.iter().rev().find(|(_, then)| watermark - then > reach + slack);
                    past.map(|(at, _)| *at)
                };
                prop_assert!(rebuild.from() <= newest(0));
                prop_assert!(rebuild.from() >= newest(reach / SAMPLES + 50), "much too early");
                prop_assert!(rebuild.samples.len() <= 34);
            }
        }
    }

    #[test]
    fn what_was_committed_holds_until_there_is_something_newer() {
        let mut rebuild = Rebuild::new(Some(10), Some(5));
        rebuild.note(20, 100);
        assert_eq!(rebuild.from(), Some(5));
        rebuild.note(30, 110);
        assert_eq!(rebuild.from(), Some(5), "it is still in reach");
        rebuild.note(40, 111);
        assert_eq!(rebuild.from(), Some(20));
        assert_eq!(Rebuild::new(None, Some(5)).from(), None);
        rebuild.begin_again();
        rebuild.note(41, 112);
        assert_eq!(rebuild.from(), None);
        rebuild.note(50, 123);
        assert_eq!(rebuild.from(), Some(41));
    }
}
