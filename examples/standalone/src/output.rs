//! What the program prints: results to standard output, everything else to standard error.

use std::fmt::Display;
use std::io::{self, Write};

/// Writes a result. A reader that has gone away is no failure of ours.
pub(crate) fn bytes(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Writes a line of a result.
pub(crate) fn line(text: impl Display) -> io::Result<()> {
    bytes(format!("{text}\n").as_bytes())
}

/// Writes a message for people.
pub(crate) fn note(text: impl Display) {
    // Nothing can be done about a closed standard error.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Writes why the program failed.
pub(crate) fn error(error: &dyn Display) {
    note(format_args!("anyclaude: {error}"));
}
