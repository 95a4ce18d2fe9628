//! The wall clock and the monotonic clock: the only place that reads them.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds since the epoch, as Kafka timestamps count them.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A point in monotonic time.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
pub fn instant() -> Instant {
    Instant::now()
}

/// Time since this process first asked.
pub fn monotonic() -> Duration {
    static START: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(instant);
    instant().duration_since(*START)
}
