//! A fold reduced to what the protocol depends on: its state is a hash, some of its records wait.

/// State of a partition: a hash over every record before `next` that does not wait, and those that
/// do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Fold {
    pub(super) next: i64,
    value: u64,
    /// Offsets and records.
    held: Vec<(i64, u64)>,
}

impl Fold {
    /// Takes one entry of the log in and gives what it releases, offsets with the values as of
    /// them: nothing for a marker and for a record that waits.
    pub(super) fn advance(&mut self, entry: Option<u64>) -> Vec<(i64, u64)> {
        let offset = self.next;
        self.next += 1;
        let Some(record) = entry else { return Vec::new() };
        self.held.push((offset, record));
        if record % 3 == 0 { Vec::new() } else { self.release() }
    }

    /// Gives what waits.
    pub(super) fn tick(&mut self) -> Vec<(i64, u64)> {
        self.mix(1);
        self.release()
    }

    pub(super) fn holds(&self) -> bool {
        !self.held.is_empty()
    }

    pub(super) fn digest(&self) -> u64 {
        let mut held = Self { value: self.value, ..Self::default() };
        for (offset, record) in &self.held {
            held.mix(offset.cast_unsigned() ^ record);
        }
        held.value
    }

    fn release(&mut self) -> Vec<(i64, u64)> {
        let held = std::mem::take(&mut self.held);
        let value = |(offset, record)| {
            self.mix(record);
            (offset, self.value)
        };
        held.into_iter().map(value).collect()
    }

    fn mix(&mut self, word: u64) {
        self.value = (self.value ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(17);
    }
}
