//! Exit codes, as `sysexits.h` numbers them.

use std::process::{ExitCode, Termination};

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Everything asked for was done.
    Ok,
    /// It could not be done, or a test failed.
    Failure,
    /// The command line is wrong.
    Usage,
    /// Another process uses the same instance name.
    SlotUsedTwice,
    /// A pipeline, schema or settings file is invalid: starting again will not help.
    Configuration,
}

impl Exit {
    /// The number.
    pub const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failure => 1,
            Self::Usage => 64,
            Self::SlotUsedTwice => 76,
            Self::Configuration => 78,
        }
    }
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        ExitCode::from(self.code())
    }
}
