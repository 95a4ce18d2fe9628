//! Where the pipeline starts its tasks and threads: each has a name, and a panic is reported.

use std::{future::Future, io, thread};
use tokio::task::JoinHandle;
use tracing::{Instrument, error, info_span};

/// Starts a task on the current runtime.
#[expect(clippy::disallowed_methods, reason = "the one place that spawns")]
pub fn spawn<F>(name: &'static str, task: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(task.instrument(info_span!("task", name)))
}

/// Starts a named OS thread: Kafka clients block and live on threads of their own.
pub fn thread<T: Send + 'static>(
    name: String,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<thread::JoinHandle<T>> {
    thread::Builder::new().name(name).spawn(work)
}

/// Drops what may take long to end on a thread of its own.
pub fn drop_elsewhere<T: Send + 'static>(value: T) {
    thread("retired".to_owned(), move || drop(value)).expect("a thread can be started");
}

/// The result of a joined thread; a panic is reported and becomes none.
pub fn joined<T>(handle: thread::JoinHandle<T>) -> Option<T> {
    let name = handle.thread().name().unwrap_or_default().to_owned();
    // The panic itself was logged with its place; its words may quote a record.
    handle.join().inspect_err(|_| error!(thread = name, "thread panicked")).ok()
}
