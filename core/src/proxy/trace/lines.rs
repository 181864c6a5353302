//! Bytes of a stream that wait until they are a record.

/// Stream bytes that are joined into one record below level 3.
const JOINED: usize = 8 << 10;

/// The longest event, or line, that is held until it ends. Longer ones are cut in two records.
const MAX_HELD: usize = 256 << 10;

/// Cuts a stream into records at the ends of its lines, so that no secret is cut in two.
#[derive(Debug)]
pub(super) struct Lines {
    waiting: Vec<u8>,
    /// How much of `waiting` was searched for the end of an event.
    searched: usize,
    /// Every event is a record of its own.
    each_event: bool,
}

impl Lines {
    pub(super) fn new(each_event: bool) -> Self {
        Lines { waiting: Vec::new(), searched: 0, each_event }
    }

    /// Adds bytes; `write` gets each record that is complete.
    pub(super) fn push(&mut self, bytes: &[u8], mut write: impl FnMut(Vec<u8>)) {
        self.waiting.extend_from_slice(bytes);
        if self.each_event {
            while let Some(end) = self.event_end() {
                write(self.take(end));
            }
        } else if self.waiting.len() >= JOINED
            && let Some(end) = memchr::memrchr(b'\n', &self.waiting)
        {
            write(self.take(end + 1));
        }
        if self.waiting.len() > MAX_HELD {
            write(self.take(self.waiting.len()));
        }
    }

    /// What is left when the stream has ended.
    pub(super) fn rest(&mut self) -> Option<Vec<u8>> {
        (!self.waiting.is_empty()).then(|| self.take(self.waiting.len()))
    }

    /// Behind the first blank line.
    fn event_end(&mut self) -> Option<usize> {
        let unsearched = self.waiting.get(self.searched..).unwrap_or_default();
        let mut found = None;
        for at in memchr::memchr_iter(b'\n', unsearched) {
            let at = self.searched + at;
            let before = self.waiting.get(..at).unwrap_or_default();
            if before.ends_with(b"\n") || before.ends_with(b"\n\r") {
                found = Some(at + 1);
                break;
            }
        }
        self.searched = if found.is_some() { 0 } else { self.waiting.len() };
        found
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        self.searched = 0;
        let rest = self.waiting.split_off(length);
        std::mem::replace(&mut self.waiting, rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(each_event: bool, pieces: &[&[u8]]) -> Vec<String> {
        let mut lines = Lines::new(each_event);
        let mut all = Vec::new();
        for piece in pieces {
            lines.push(piece, |record| all.push(String::from_utf8(record).unwrap()));
        }
        all.extend(lines.rest().map(|rest| String::from_utf8(rest).unwrap()));
        all
    }

    #[test]
    fn each_event_is_a_record_however_it_comes() {
        let stream = b"event: a\ndata: 1\n\n: ping\r\n\r\ndata: 2\n\ndata: cut";
        let expected = ["event: a\ndata: 1\n\n", ": ping\r\n\r\n", "data: 2\n\n", "data: cut"];
        assert_eq!(records(true, &[stream]), expected);
        assert_eq!(records(true, &stream.chunks(1).collect::<Vec<_>>()), expected);
    }

    #[test]
    fn below_that_events_are_joined_at_line_ends() {
        let line = format!("data: {}\n", "x".repeat(1000));
        let found = records(false, &vec![line.as_bytes(); 20]);
        assert!(found.len() < 5 && found.iter().all(|record| record.ends_with('\n')), "{}", found.len());
        assert_eq!(found.concat(), line.repeat(20));
    }

    #[test]
    fn a_line_without_end_is_not_held_for_ever() {
        for each_event in [false, true] {
            let found = records(each_event, &[&[b'x'; 100_000][..]; 10]);
            assert!(found.iter().all(|record| record.len() <= MAX_HELD + 100_000));
            assert_eq!(found.concat().len(), 1_000_000);
        }
    }
}
