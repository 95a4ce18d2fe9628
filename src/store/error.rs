//! What can go wrong with a store, told with the store, the object, the operation and what to do.

use object_store::client::{HttpError, HttpErrorKind};
use std::{error::Error, fmt, io, time::Duration};

/// What was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Opening the store.
    Open,
    /// Writing a snapshot.
    Write,
    /// Listing snapshots.
    List,
    /// Reading a snapshot.
    Read,
    /// Removing a snapshot.
    Remove,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open it",
            Self::Write => "write",
            Self::List => "list",
            Self::Read => "read",
            Self::Remove => "remove",
        })
    }
}

/// Why it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The object, directory or bucket does not exist.
    Missing,
    /// No space or no quota is left.
    DiskFull,
    /// The store refuses us: permissions, or credentials.
    Denied,
    /// The file system is mounted read-only.
    ReadOnly,
    /// It took too long.
    TimedOut,
    /// The store cannot be reached or answers with errors of its own.
    Unavailable,
    /// Fewer bytes came than the listing promised.
    Incomplete,
    /// The settings do not describe a store.
    Settings,
}

/// What helps against an error, decided where the error is defined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Time: the next attempt may succeed.
    Retry,
    /// A person.
    Person,
}

/// A store could not do what was asked. Nothing of a payload and no secret is in it.
#[derive(Debug, Clone, thiserror::Error)]
pub struct StoreError {
    store: String,
    operation: Operation,
    object: Option<String>,
    cause: Cause,
    reason: String,
}

impl StoreError {
    pub(super) fn new(store: &str, operation: Operation, cause: Cause, reason: &str) -> Self {
        let reason = clean(reason);
        Self { store: store.to_owned(), operation, object: None, cause, reason }
    }

    pub(super) fn timed_out(store: &str, operation: Operation, longest: Duration) -> Self {
        let reason = format!("no answer within {longest:?}");
        Self::new(store, operation, Cause::TimedOut, &reason)
    }

    /// Finds the cause in what `object_store` says.
    pub(super) fn of(store: &str, operation: Operation, error: &object_store::Error) -> Self {
        Self::new(store, operation, cause(error), &error.to_string())
    }

    #[must_use]
    pub(super) fn about(mut self, object: &str) -> Self {
        self.object = Some(object.to_owned());
        self
    }

    /// What was tried.
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// Why it failed.
    pub fn cause(&self) -> Cause {
        self.cause
    }

    /// What helps.
    pub fn remedy(&self) -> Remedy {
        match (self.cause, self.operation) {
            // What is missing to read, another instance removed since we listed it.
            (Cause::Missing, Operation::Read)
            | (Cause::TimedOut | Cause::Unavailable | Cause::Incomplete, _) => Remedy::Retry,
            _ => Remedy::Person,
        }
    }

    fn advice(&self) -> &'static str {
        match (self.cause, self.operation) {
            (Cause::Missing, Operation::Read) => "it was removed meanwhile: list again",
            (Cause::Missing, _) => "create the directory or bucket, or correct `snapshots.store`",
            (Cause::DiskFull, _) => "no space is left: free some or enlarge the volume",
            (Cause::Denied, _) => {
                "not permitted: give this user or these credentials read, write, list and delete"
            }
            (Cause::ReadOnly, _) => {
                "the file system is read-only: set `snapshots.store` to a writable directory"
            }
            (Cause::TimedOut | Cause::Unavailable, _) => {
                "it is tried again with the next snapshot; see whether the store can be reached"
            }
            (Cause::Incomplete, _) => "read it again, or use an older one",
            (Cause::Settings, _) => "correct the section `snapshots` of the settings",
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "snapshot store {}: cannot {}", self.store, self.operation)?;
        if let Some(object) = &self.object {
            write!(f, " {object}")?;
        }
        write!(f, ": {}; {}", self.reason, self.advice())
    }
}

/// The cause of what `object_store` says.
pub(super) fn cause(error: &object_store::Error) -> Cause {
    use object_store::Error as E;
    if let Some(cause) = chain(error).find_map(io_cause) {
        return cause;
    }
    match error {
        E::NotFound { .. } => Cause::Missing,
        E::PermissionDenied { .. } | E::Unauthenticated { .. } => Cause::Denied,
        E::UnknownConfigurationKey { .. }
        | E::InvalidPath { .. }
        | E::NotSupported { .. }
        | E::NotImplemented { .. } => Cause::Settings,
        error => chain(error).find_map(http_cause).unwrap_or(Cause::Unavailable),
    }
}

/// An error and what it came from.
fn chain<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error)
    })
}

fn io_cause(error: &(dyn Error + 'static)) -> Option<Cause> {
    match error.downcast_ref::<io::Error>()?.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Some(Cause::Missing),
        io::ErrorKind::PermissionDenied => Some(Cause::Denied),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some(Cause::DiskFull),
        io::ErrorKind::ReadOnlyFilesystem => Some(Cause::ReadOnly),
        _ => None,
    }
}

fn http_cause(error: &(dyn Error + 'static)) -> Option<Cause> {
    match error.downcast_ref::<HttpError>()?.kind() {
        HttpErrorKind::Timeout => Some(Cause::TimedOut),
        _ => None,
    }
}

/// Most characters of a foreign text that are repeated.
const REASON_CHARACTERS_MAX: usize = 300;

/// One line, without the document that a service answers with: it may repeat the request.
fn clean(reason: &str) -> String {
    let (before, document) = match reason.split_once('<') {
        Some((before, document)) => (before.trim_end().trim_end_matches(':'), document),
        None => (reason, ""),
    };
    let mut line: String = before
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(REASON_CHARACTERS_MAX)
        .collect();
    let code = document.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
    if let Some((code, _)) = code.filter(|(code, _)| code.chars().all(char::is_alphanumeric)) {
        line.push_str(" (");
        line.push_str(code);
        line.push(')');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn io(kind: io::ErrorKind) -> object_store::Error {
        object_store::Error::Generic { store: "x", source: Box::new(io::Error::from(kind)) }
    }

    #[test]
    fn a_full_disk_and_a_closed_door_are_named() {
        for (error, cause, advice, remedy) in [
            (io(io::ErrorKind::StorageFull), Cause::DiskFull, "no space", Remedy::Person),
            (io(io::ErrorKind::QuotaExceeded), Cause::DiskFull, "no space", Remedy::Person),
            (io(io::ErrorKind::PermissionDenied), Cause::Denied, "not permitted", Remedy::Person),
            (io(io::ErrorKind::ReadOnlyFilesystem), Cause::ReadOnly, "writable", Remedy::Person),
            (io(io::ErrorKind::NotFound), Cause::Missing, "create", Remedy::Person),
            (io(io::ErrorKind::Interrupted), Cause::Unavailable, "again", Remedy::Retry),
        ] {
            let error = StoreError::of("file:///x", Operation::Write, &error).about("a/b.snap");
            assert_eq!((error.cause(), error.remedy()), (cause, remedy));
            let text = error.to_string();
            assert!(
                text.starts_with("snapshot store file:///x: cannot write a/b.snap: "),
                "{text}"
            );
            assert!(text.contains(advice), "{text}");
        }
    }

    #[test]
    fn answers_of_a_service_are_cut_to_their_code() {
        let answer = "status 403 Forbidden: <?xml version=\"1.0\"?>\n<Error><Code>AccessDenied\
                      </Code><StringToSign>canary</StringToSign></Error>";
        assert_eq!(clean(answer), "status 403 Forbidden (AccessDenied)");
        assert_eq!(clean("a\nb"), "a b");
        assert_eq!(clean(&"x".repeat(1000)).len(), REASON_CHARACTERS_MAX);
    }
}
