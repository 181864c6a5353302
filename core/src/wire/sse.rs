//! Server-sent events: a splitter for any chunking, and a joiner.
//!
//! Source: the event stream format of the WHATWG HTML standard, section 9.2. Tolerated beyond it is
//! nothing; required of it is everything: CRLF, LF and CR line ends, a missing space after the colon,
//! data over several lines, comments, a byte order mark.

use crate::error::{Error, ErrorKind, Result};

/// The most bytes one event may hold. A tool call of a whole source file comes in one event from some
/// servers; 16 MiB is far above any model's output and bounds what a hostile server can make us hold.
pub const MAX_EVENT_BYTES: usize = 16 << 20;

/// One event as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SseEvent<'a> {
    /// The `event:` field, if there was one.
    pub name: Option<&'a [u8]>,
    /// The `data:` lines, joined by line feeds.
    pub data: &'a [u8],
}

/// Cuts a byte stream into events. Holds at most one unfinished event.
#[derive(Debug, Default)]
pub struct SseSplitter {
    /// The unfinished line at the end of what was pushed.
    line: Vec<u8>,
    data: Vec<u8>,
    name: Vec<u8>,
    has_data: bool,
    has_name: bool,
    /// The last byte was CR: a LF that follows belongs to the same line end.
    after_cr: bool,
    started: bool,
}

impl SseSplitter {
    /// A splitter at the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes and hands each finished event to `each`.
    ///
    /// # Errors
    /// When an event grows over [`MAX_EVENT_BYTES`], or when `each` fails.
    pub fn push(&mut self, mut bytes: &[u8], each: &mut dyn FnMut(SseEvent<'_>) -> Result<()>) -> Result<()> {
        if self.after_cr && !bytes.is_empty() {
            self.after_cr = false;
            bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
        }
        while let Some(end) = memchr::memchr2(b'\n', b'\r', bytes) {
            let (head, tail) = bytes.split_at(end);
            let is_cr = tail.first() == Some(&b'\r');
            bytes = tail.get(1..).unwrap_or_default();
            if is_cr {
                if bytes.is_empty() {
                    self.after_cr = true;
                } else {
                    bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
                }
            }
            if self.line.is_empty() {
                self.take_line(head, each)?;
            } else {
                self.hold(head)?;
                let line = std::mem::take(&mut self.line);
                self.take_line(&line, each)?;
                self.line = line;
                self.line.clear();
            }
        }
        self.hold(bytes)
    }

    /// The stream has ended: hands out an event whose closing blank line never came.
    ///
    /// The standard drops it; servers that are cut short, or that end without the last line feed, make
    /// it worth reading. What is cut inside JSON is noticed by whoever parses it.
    ///
    /// # Errors
    /// When `each` fails.
    pub fn finish(&mut self, each: &mut dyn FnMut(SseEvent<'_>) -> Result<()>) -> Result<()> {
        if !self.line.is_empty() {
            let line = std::mem::take(&mut self.line);
            self.take_line(&line, each)?;
        }
        self.take_line(b"", each)
    }

    fn hold(&mut self, bytes: &[u8]) -> Result<()> {
        self.check_size(bytes.len())?;
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn check_size(&self, more: usize) -> Result<()> {
        if self.line.len() + self.data.len() + more > MAX_EVENT_BYTES {
            let message = format!("the backend sent one event of more than {MAX_EVENT_BYTES} bytes");
            return Err(Error::new(ErrorKind::Backend, message));
        }
        Ok(())
    }

    fn take_line(&mut self, mut line: &[u8], each: &mut dyn FnMut(SseEvent<'_>) -> Result<()>) -> Result<()> {
        if !self.started {
            self.started = true;
            line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
        }
        if line.is_empty() {
            return self.dispatch(each);
        }
        let (field, value) = match memchr::memchr(b':', line) {
            Some(colon) => {
                let (field, value) = line.split_at(colon);
                let value = value.get(1..).unwrap_or_default();
                (field, value.strip_prefix(b" ").unwrap_or(value))
            }
            None => (line, &[] as &[u8]),
        };
        match field {
            b"data" => {
                self.check_size(value.len())?;
                if self.has_data {
                    self.data.push(b'\n');
                }
                self.has_data = true;
                self.data.extend_from_slice(value);
            }
            b"event" => {
                self.has_name = true;
                self.name.clear();
                self.name.extend_from_slice(value);
            }
            _ => {} // comments, id, retry
        }
        Ok(())
    }

    fn dispatch(&mut self, each: &mut dyn FnMut(SseEvent<'_>) -> Result<()>) -> Result<()> {
        let wanted = self.has_data;
        self.has_data = false;
        let name = std::mem::take(&mut self.has_name).then_some(self.name.as_slice());
        let result = if wanted { each(SseEvent { name, data: &self.data }) } else { Ok(()) };
        self.data.clear();
        result
    }
}

/// Appends one event with a name and one line of data.
pub fn push_event(out: &mut Vec<u8>, name: &str, data: &str) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    out.extend_from_slice(data.as_bytes());
    out.extend_from_slice(b"\n\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(chunks: &[&[u8]]) -> Vec<(Option<String>, String)> {
        let mut events = Vec::new();
        let mut splitter = SseSplitter::new();
        let mut each = |event: SseEvent<'_>| {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            events.push((event.name.map(text), text(event.data)));
            Ok(())
        };
        for chunk in chunks {
            splitter.push(chunk, &mut each).unwrap();
        }
        splitter.finish(&mut each).unwrap();
        events
    }

    fn data(text: &str) -> (Option<String>, String) {
        (None, text.to_owned())
    }

    #[test]
    fn reads_every_form_of_the_standard() {
        let text = "\u{FEFF}: note\r\ndata:a\r\ndata:  b\r\n\r\nevent: x\rdata\rdata\r\rid: 1\ndata: {\n\ndata: [DONE]";
        let wanted = [data("a\n b"), (Some("x".to_owned()), "\n".to_owned()), data("{"), data("[DONE]")];
        assert_eq!(split(&[text.as_bytes()]), wanted);
    }

    #[test]
    fn an_event_over_the_limit_is_an_error() {
        let mut splitter = SseSplitter::new();
        let long = vec![b'x'; MAX_EVENT_BYTES + 1];
        assert!(splitter.push(&long, &mut |_| Ok(())).is_err());
    }

    proptest! {
        #[test]
        fn the_chunking_makes_no_difference(
            pieces in proptest::collection::vec("(data|event|: c|x)?:? ?[a-zé\u{1F600}]{0,3}(\r\n|\n|\r){0,2}", 0..20),
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let text: String = pieces.concat();
            let bytes = text.as_bytes();
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            at.extend([0, bytes.len()]);
            at.sort_unstable();
            let chunks: Vec<&[u8]> = at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            let whole = split(&[bytes]);
            prop_assert_eq!(&split(&chunks), &whole);
            prop_assert_eq!(&split(&single), &whole);
        }
    }
}
