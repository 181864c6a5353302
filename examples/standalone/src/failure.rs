//! Why a command failed, and the exit code that says so.

use std::fmt;

use anyclaude_core::ErrorKind;

/// A sentence, and whether it is about what the user has asked for.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    /// The exit code: 1 for a failure, 2 for arguments or settings that make no sense.
    pub(crate) code: u8,
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Failure { message: message.into(), code: 1 }
    }

    /// Arguments or settings that make no sense.
    pub(crate) fn settings(message: impl Into<String>) -> Self {
        Failure { message: message.into(), code: 2 }
    }

    /// A failure whose findings have been printed already.
    pub(crate) fn told() -> Self {
        Failure::new("")
    }

    /// Whether there is nothing left to say.
    pub(crate) fn is_told(&self) -> bool {
        self.message.is_empty()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<anyclaude_core::Error> for Failure {
    fn from(error: anyclaude_core::Error) -> Self {
        let code = if error.kind() == ErrorKind::Config { 2 } else { 1 };
        Failure { message: error.message().to_owned(), code }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Failure::new(error.to_string())
    }
}
