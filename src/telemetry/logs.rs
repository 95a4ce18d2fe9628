//! Log lines to standard error: JSON for machines, text for people.

use std::io;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::util::SubscriberInitExt;

/// Begins to log. `filter` is a level or directives such as `info,millstream::sink=debug`.
///
/// Lines of the `log` crate, librdkafka's among them, come along. A second call changes nothing.
pub fn start_logs(filter: &str, json: bool) -> Result<(), ParseError> {
    let filter = EnvFilter::builder().parse(filter)?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let started = if json {
        lines.json().flatten_event(true).with_current_span(false).finish().try_init()
    } else {
        lines.finish().try_init()
    };
    // Only a test that starts twice gets an error here, and its first subscriber is as good.
    drop(started);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_filter_starts_nothing() {
        assert!(start_logs("loud=louder", true).is_err());
        assert!(!tracing::dispatcher::has_been_set());
    }
}
