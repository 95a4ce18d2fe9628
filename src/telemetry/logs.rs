//! Log lines to standard error: JSON for machines, text for people.

use serde::{Serialize, Serializer, ser::SerializeMap as _};
use std::{
    error::Error,
    fmt, io,
    panic::{self, PanicHookInfo},
    thread,
};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    EnvFilter,
    filter::ParseError,
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::Writer,
        time::{FormatTime as _, SystemTime},
    },
    registry::LookupSpan,
    util::SubscriberInitExt as _,
};

/// Begins to log. `filter` is a level or directives such as `info,millstream::sink=debug`.
///
/// Lines of the `log` crate come along. A second call changes nothing.
pub fn start_logs(filter: &str, json: bool) -> Result<(), ParseError> {
    let filter = EnvFilter::builder().parse(filter)?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        // A reader that has gone is no reason to stop the pipeline.
        .log_internal_errors(false);
    let started = if json {
        lines.event_format(JsonLines).finish().try_init()
    } else {
        lines.finish().try_init()
    };
    // Only a test that starts twice gets an error here, and its first subscriber is as good.
    drop(started);
    panic::set_hook(Box::new(report_panic));
    Ok(())
}

/// A panic as a line of the log that says where, and not with which words: those of a library
/// may quote a record.
fn report_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let thread = thread::current().name().unwrap_or_default().to_owned();
    tracing::error!(thread, place, "panicked");
}

/// One JSON object per line: timestamp, level, target, message, then the fields of the event.
///
/// Events of the `log` crate carry their target and where in a dependency's source they come from
/// as fields; the first becomes the target, the others are left out.
#[derive(Debug, Clone, Copy)]
struct JsonLines;

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'l> LookupSpan<'l>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut timestamp = String::new();
        SystemTime.format_time(&mut Writer::new(&mut timestamp))?;
        let mut fields = Fields::default();
        event.record(&mut fields);
        let metadata = event.metadata();
        let target = fields.target.unwrap_or_else(|| metadata.target().to_owned());
        let head = [
            ("timestamp", timestamp),
            ("level", metadata.level().as_str().to_owned()),
            ("target", target),
            ("message", fields.message),
        ];
        let head = head.map(|(name, text)| (name, Scalar::Text(text)));
        let line = Line(head.into_iter().chain(fields.others).collect());
        writeln!(writer, "{}", serde_json::to_string(&line).map_err(|_| fmt::Error)?)
    }
}

/// A line: names and values in order.
struct Line(Vec<(&'static str, Scalar)>);

impl Serialize for Line {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// The value of a field.
#[derive(Serialize)]
#[serde(untagged)]
enum Scalar {
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    Text(String),
}

#[derive(Default)]
struct Fields {
    target: Option<String>,
    message: String,
    others: Vec<(&'static str, Scalar)>,
}

impl Fields {
    fn add(&mut self, field: &Field, value: Scalar) {
        let name = field.name();
        if !name.starts_with("log.") {
            self.others.push((name, value));
        }
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, Scalar::Float(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, Scalar::Signed(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, Scalar::Unsigned(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, Scalar::Bool(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => value.clone_into(&mut self.message),
            "log.target" => self.target = Some(value.to_owned()),
            _ => self.add(field, Scalar::Text(value.to_owned())),
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.add(field, Scalar::Text(value.to_string()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        } else {
            self.add(field, Scalar::Text(format!("{value:?}")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Map, Value, json};
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    // One test: the second half sets what the first half must not have set.
    #[test]
    fn a_wrong_filter_starts_nothing_and_lines_are_objects_without_places_in_dependencies() {
        assert!(start_logs("loud=louder", true).is_err());
        assert!(!tracing::dispatcher::has_been_set());
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .event_format(JsonLines)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(topic = "t", partition = 3, ready = true, "a \"live\" line");
            // As the bridge from the `log` crate words it.
            tracing::warn!(log.target = "librdkafka", log.file = "/home/me/client.rs", "slow");
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let mut lines: Vec<Map<String, Value>> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        for line in &mut lines {
            assert!(line.remove("timestamp").unwrap().as_str().unwrap().ends_with('Z'));
        }
        let expected = [
            json!({
                "level": "INFO", "target": module_path!(), "message": "a \"live\" line",
                "topic": "t", "partition": 3, "ready": true,
            }),
            json!({ "level": "WARN", "target": "librdkafka", "message": "slow" }),
        ];
        assert_eq!(lines.into_iter().map(Value::Object).collect::<Vec<_>>(), expected);
    }
}
