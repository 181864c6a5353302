//! What the program prints: results to standard output, everything else to standard error.

use std::fmt::Display;
use std::io::{self, Write};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressStyle};

/// Good news, bad news, and what is in between.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(crate) const ODD: Style = AnsiColor::Yellow.on_default();

/// Writes a result. A reader that has gone away is no failure of ours.
pub(crate) fn bytes(bytes: &[u8]) -> io::Result<()> {
    settle(io::stdout().lock(), bytes)
}

/// Writes a line of a result. Its colours are left out where no terminal is.
pub(crate) fn line(text: impl Display) -> io::Result<()> {
    settle(anstream::stdout().lock(), format!("{text}\n").as_bytes())
}

/// Writes a result as JSON.
pub(crate) fn json(value: &serde_json::Value) -> io::Result<()> {
    line(format_args!("{value:#}"))
}

/// Writes a message for people.
pub(crate) fn note(text: impl Display) {
    // Nothing can be done about a closed standard error.
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// Writes why the program failed.
pub(crate) fn error(error: &dyn Display) {
    note(format_args!("{BAD}anyclaude:{BAD:#} {error}"));
}

/// A text in a colour.
pub(crate) fn styled(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Shows that something goes on, if it takes over a second; gone when dropped.
pub(crate) struct Busy(ProgressBar);

impl Busy {
    pub(crate) fn new(what: impl Into<std::borrow::Cow<'static, str>>) -> Self {
        let bar = ProgressBar::new_spinner().with_message(what);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(250));
        Busy(bar)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn settle(mut out: impl Write, bytes: &[u8]) -> io::Result<()> {
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}
