//! Where the parser writes a page's text: it stops at a size, or when nobody waits any more.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use pdf_extract::ConvertToFmt;

/// Takes at most `room` bytes of text and then fails, which ends the page.
pub(super) struct Sink<'a> {
    pub text: &'a mut String,
    pub room: usize,
    pub cancelled: &'a AtomicBool,
}

impl fmt::Write for Sink<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.cancelled.load(Ordering::Relaxed) || self.text.len() >= self.room {
            return Err(fmt::Error);
        }
        self.text.extend(text.chars().filter(|c| *c == '\n' || !c.is_control()));
        Ok(())
    }
}

impl ConvertToFmt for Sink<'_> {
    type Writer = Self;

    fn convert(self) -> Self {
        self
    }
}
