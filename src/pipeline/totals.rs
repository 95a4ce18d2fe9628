//! What became of the records: the two sides of the conservation law.

use crate::{
    batch::{Judgement, Policy, Reason, Rejected, Verdict},
    state::snapshot::Ledger,
};
use std::{fmt, ops::AddAssign};

/// Numbers of records by outcome.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Records taken from the log.
    pub consumed: u64,
    /// Records that became a vector.
    pub published: u64,
    /// Records in the dead-letter topic, by reason.
    pub rejected: ByReason,
    /// Records counted and let go, by reason.
    pub dropped: ByReason,
    /// Records that wait for the watermark, always 0 with `order: arrival`. Of a part of a run it is
    /// how many more wait behind it than before.
    pub held: i64,
    /// Verdicts on windows.
    pub verdicts: Verdicts,
}

impl Totals {
    /// Counts a record that left.
    pub(super) fn count(&mut self, rejected: &Rejected) {
        match rejected.policy {
            Some(Policy::Reject) => self.rejected.0[rejected.reason as usize] += 1,
            _ => self.dropped.0[rejected.reason as usize] += 1,
        }
    }

    /// Counts a verdict.
    pub(super) fn count_verdict(&mut self, verdict: &Verdict) {
        self.verdicts.add(verdict.expectation, verdict.judgement, 1);
        if let Some(value) = verdict.observed {
            self.verdicts.observe(verdict.expectation, value);
        }
    }

    /// True if every record has exactly one outcome:
    /// `consumed = published + rejected + dropped + held`.
    pub fn balance(&self) -> bool {
        let left = self.published + self.rejected.sum() + self.dropped.sum();
        self.consumed.cast_signed() == left.cast_signed() + self.held
    }
}

impl AddAssign<&Self> for Totals {
    fn add_assign(&mut self, other: &Self) {
        self.consumed += other.consumed;
        self.published += other.published;
        self.held += other.held;
        for i in 0..Reason::ALL.len() {
            self.rejected.0[i] += other.rejected.0[i];
            self.dropped.0[i] += other.dropped.0[i];
        }
        for (expectation, judgement, count) in other.verdicts.iter() {
            self.verdicts.add(expectation, judgement, count);
        }
        for (expectation, value) in other.verdicts.observed() {
            self.verdicts.observe(expectation, value);
        }
    }
}

impl AddAssign<&Totals> for Ledger {
    fn add_assign(&mut self, totals: &Totals) {
        self.consumed += totals.consumed;
        self.published += totals.published;
        self.rejected += totals.rejected.sum();
        self.dropped += totals.dropped.sum();
        let held = self.held.checked_add_signed(totals.held);
        self.held = held.expect("no more records are released than were held");
    }
}

/// The conservation law with its numbers, and the reasons behind two of them.
impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rejected, dropped) = (self.rejected.sum(), self.dropped.sum());
        write!(
            f,
            "consumed {} {} published {} + rejected {rejected} + dropped {dropped} + held {}",
            self.consumed,
            if self.balance() { "=" } else { "!=" },
            self.published,
            self.held
        )?;
        for (name, counts) in [("rejected", &self.rejected), ("dropped", &self.dropped)] {
            for (reason, count) in counts.iter() {
                write!(f, "\n  {name} {reason}: {count}")?;
            }
        }
        Ok(())
    }
}

/// Windows per expectation and judgement, and what was measured last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdicts(Vec<Told>);

/// What was told of one expectation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Told {
    windows: [u64; Judgement::ALL.len()],
    /// The bits of the newest measured value.
    observed: Option<u64>,
}

impl Verdicts {
    fn of(&mut self, expectation: usize) -> &mut Told {
        if self.0.len() <= expectation {
            self.0.resize(expectation + 1, Told::default());
        }
        &mut self.0[expectation]
    }

    fn add(&mut self, expectation: usize, judgement: Judgement, count: u64) {
        self.of(expectation).windows[judgement as usize] += count;
    }

    fn observe(&mut self, expectation: usize, value: f64) {
        self.of(expectation).observed = Some(value.to_bits());
    }

    /// What was measured in the newest window that had values, by the index of the expectation.
    pub fn observed(&self) -> impl Iterator<Item = (usize, f64)> + '_ {
        let value = |(index, told): (usize, &Told)| Some((index, f64::from_bits(told.observed?)));
        self.0.iter().enumerate().filter_map(value)
    }

    /// The numbers that are not 0, by the index of the expectation in the pipeline file.
    pub fn iter(&self) -> impl Iterator<Item = (usize, Judgement, u64)> + '_ {
        let of = |(expectation, told): (usize, &Told)| {
            Judgement::ALL.map(|kind| (expectation, kind, told.windows[kind as usize]))
        };
        self.0.iter().enumerate().flat_map(of).filter(|(_, _, count)| *count > 0)
    }
}

/// A number per reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ByReason([u64; Reason::ALL.len()]);

impl ByReason {
    /// The number for `reason`.
    pub fn get(&self, reason: Reason) -> u64 {
        self.0[reason as usize]
    }

    /// The reasons that occurred, in gate order, with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (Reason, u64)> {
        Reason::ALL.into_iter().map(|reason| (reason, self.get(reason))).filter(|(_, n)| *n > 0)
    }

    /// Over all reasons.
    pub fn sum(&self) -> u64 {
        self.0.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejected(reason: Reason, policy: Policy) -> Rejected {
        let (stage, detail) = (reason.stage(), String::new());
        Rejected { record: 0, reason, stage, detail, policy: Some(policy) }
    }

    #[test]
    fn the_law_is_printed_and_seen_broken() {
        let mut totals = Totals { consumed: 4, published: 1, ..Totals::default() };
        totals.count(&rejected(Reason::Late, Policy::Reject));
        totals.count(&rejected(Reason::Tombstone, Policy::Forget));
        assert!(!totals.balance());
        totals.count(&rejected(Reason::Late, Policy::Reject));
        assert_eq!(
            totals.to_string(),
            "consumed 4 = published 1 + rejected 2 + dropped 1 + held 0\
             \n  rejected late: 2\n  dropped tombstone: 1"
        );
        let mut twice = totals.clone();
        twice += &totals;
        assert!(twice.balance() && twice.rejected.get(Reason::Late) == 4);
    }
}
