//! Where windows that do not slide begin: on a grid of equal spans, or of the days of a time zone.

use chrono::{DateTime, TimeZone as _};
use chrono_tz::{GapInfo, Tz};

/// Microseconds of a day.
pub(super) const DAY_US: i64 = 86_400_000_000;

/// Spans one after the other, from 1970-01-01T00:00 (a Thursday) plus the offset on; in UTC, or in
/// the local time of a zone, where a day has 23 hours or 25 when the clocks change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grid {
    /// Microseconds; whole days where there is a zone.
    pub(super) span_us: i64,
    /// Microseconds.
    pub(super) offset_us: i64,
    pub(super) zone: Option<Tz>,
}

impl Grid {
    /// Where the span begins that `time` lies in: never after it.
    pub(super) fn start(self, time: i64) -> i64 {
        self.last_boundary(time, time)
    }

    /// Where the span before the one that begins at `start` does. A day that clocks have left out
    /// is none.
    pub(super) fn before(self, start: i64) -> i64 {
        self.last_boundary(start, start.saturating_sub(1))
    }

    /// True if its boundaries are those of tiles of that length.
    pub(super) fn has_tiles(self, resolution_us: i64) -> bool {
        let is_part = |us: i64| us % resolution_us == 0;
        self.zone.is_none() && is_part(self.span_us) && is_part(self.offset_us)
    }

    /// The longest that `spans` of them take.
    pub(super) fn reach_us(self, spans: i64) -> i64 {
        let reach = self.span_us.saturating_mul(spans);
        // Clocks are moved by an hour, calendars were by a day.
        if self.zone.is_some() { reach.saturating_add(2 * DAY_US) } else { reach }
    }

    /// The last boundary at or before `latest`, which is near `time`.
    fn last_boundary(self, time: i64, latest: i64) -> i64 {
        let Some((zone, shown)) = self.zone.and_then(|zone| Some((zone, local(zone, time)?)))
        else {
            return self.floor(latest);
        };
        // Boundaries follow each other as their places on the grid do, while a clock that is set
        // back shows a time of the span before once more.
        let place = self.floor(shown);
        let boundary =
            |step: i64| utc(zone, place.saturating_add(self.span_us.saturating_mul(step)));
        let mut near = [1, 0, -1, -2].into_iter().map(boundary);
        near.find(|boundary| *boundary <= latest).unwrap_or(latest)
    }

    fn floor(self, time: i64) -> i64 {
        let since = time.saturating_sub(self.offset_us);
        since.saturating_sub(since.rem_euclid(self.span_us)).saturating_add(self.offset_us)
    }
}

/// The time that clocks of the zone show, as microseconds since they showed 1970-01-01T00:00; none
/// for times that no calendar has.
fn local(zone: Tz, time: i64) -> Option<i64> {
    let utc = DateTime::from_timestamp_micros(time)?;
    Some(utc.with_timezone(&zone).naive_local().and_utc().timestamp_micros())
}

/// When clocks of the zone show that time first, or are moved over it.
fn utc(zone: Tz, local: i64) -> i64 {
    let Some(shown) = DateTime::from_timestamp_micros(local) else { return local };
    let shown = shown.naive_utc();
    let first = zone.from_local_datetime(&shown).earliest();
    let found = first.or_else(|| GapInfo::new(&shown, &zone)?.end);
    found.map_or(local, |found| found.timestamp_micros())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> i64 {
        DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros()
    }

    fn days(zone: &str) -> Grid {
        Grid { span_us: DAY_US, offset_us: 0, zone: Some(zone.parse().unwrap()) }
    }

    #[test]
    fn spans_follow_each_other_from_the_offset_on() {
        let grid = Grid { span_us: 10, offset_us: 3, zone: None };
        assert_eq!([2, 3, 12, 13, -8].map(|time| grid.start(time)), [-7, 3, 3, 13, -17]);
        assert_eq!(grid.before(3), -7);
        let weeks = Grid { span_us: 7 * DAY_US, offset_us: 4 * DAY_US, zone: None };
        let (monday, sunday) = (at("2026-11-23T00:00:00Z"), at("2026-11-29T23:59:59Z"));
        assert_eq!((weeks.start(monday), weeks.start(sunday)), (monday, monday));
    }

    #[test]
    fn days_of_a_zone_are_as_long_as_its_clocks_say() {
        let berlin = days("Europe/Berlin");
        let short = at("2026-03-29T00:00:00+01:00");
        assert_eq!(berlin.start(at("2026-03-29T23:59:59+02:00")), short);
        assert_eq!(berlin.before(at("2026-03-30T00:00:00+02:00")), short);
        let long = at("2026-10-25T00:00:00+02:00");
        assert_eq!(berlin.start(at("2026-10-25T23:59:59+01:00")), long);
        assert_eq!(berlin.before(long), at("2026-10-24T00:00:00+02:00"));
    }

    /// On 2018-11-04 clocks in São Paulo went from 23:59:59 to 01:00; Samoa had no 2011-12-30.
    #[test]
    fn days_that_begin_late_or_never_have_a_place() {
        let sao_paulo = days("America/Sao_Paulo");
        let late = at("2018-11-04T01:00:00-02:00");
        assert_eq!(sao_paulo.start(at("2018-11-04T12:00:00-02:00")), late);
        assert_eq!(sao_paulo.before(at("2018-11-05T00:00:00-02:00")), late);
        assert_eq!(sao_paulo.before(late), at("2018-11-03T00:00:00-03:00"));
        let samoa = days("Pacific/Apia");
        let after = at("2011-12-31T00:00:00+14:00");
        assert_eq!(samoa.start(at("2011-12-31T08:00:00+14:00")), after);
        let before = at("2011-12-29T00:00:00-10:00");
        assert_eq!(samoa.before(after), before, "the day between was none");
    }

    /// Clocks that are moved over a boundary, and shown one a second time.
    #[test]
    fn a_boundary_that_is_not_shown_or_shown_twice_is_one() {
        let offset_us = (2 * 60 + 10) * 60_000_000;
        let grid = Grid { offset_us, ..days("Europe/Berlin") };
        let spring = at("2026-03-29T03:00:00+02:00");
        assert_eq!(grid.start(at("2026-03-29T03:05:00+02:00")), spring);
        assert_eq!(grid.start(at("2026-03-29T01:59:59+01:00")), at("2026-03-28T02:10:00+01:00"));
        let autumn = at("2026-10-25T02:10:00+02:00");
        assert_eq!(grid.start(at("2026-10-25T02:05:00+01:00")), autumn, "the second 02:05");
    }

    proptest! {
        #[test]
        fn a_span_begins_before_what_lies_in_it_and_after_the_span_before(
            zone in 0..chrono_tz::TZ_VARIANTS.len(),
            days in 1..9_i64,
            offset_us in 0..3 * DAY_US,
            seconds in -3_000_000_000..5_000_000_000_i64,
            after_us in 0..2 * DAY_US,
        ) {
            let zone = Some(chrono_tz::TZ_VARIANTS[zone]);
            let grid = Grid { span_us: days * DAY_US, offset_us, zone };
            let time = seconds * 1_000_000;
            let start = grid.start(time);
            prop_assert!(start <= time && time - start <= grid.reach_us(1));
            prop_assert_eq!(grid.start(start), start);
            prop_assert!(start <= grid.start(time + after_us));
            let before = grid.before(start);
            prop_assert!(before < start && time - before <= grid.reach_us(2));
            prop_assert_eq!(grid.start(start - 1), before);
        }
    }

    /// What a day is depends on it: whoever brings in a new table raises `FOLD_VERSION`.
    #[test]
    fn the_table_of_time_zones_is_the_one_that_is_known() {
        assert_eq!(chrono_tz::IANA_TZDB_VERSION, "2025b");
    }
}
