//! A JSON reader that borrows: structure is checked, strings and parts stay as they are on the wire.
//!
//! Requests are up to megabytes of strings of which little is looked at. A general parser visits each
//! byte several times; this one finds the end of a string with vector instructions and visits the rest
//! once. It accepts exactly RFC 8259, nested up to [`MAX_DEPTH`]; a fuzz target compares it with
//! `serde_json`.

use std::fmt;

use super::json::JsonText;

/// The deepest nesting that is read, as `serde_json` has it. Schemas stay below twenty.
pub(crate) const MAX_DEPTH: u32 = 128;

/// A JSON value as it stands on the wire, known to be sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawJson<'a>(&'a str);

impl<'a> RawJson<'a> {
    /// Reads one value that is the whole text.
    ///
    /// # Errors
    /// A sentence that says what is wrong, and where.
    pub fn parse(text: &'a str) -> Result<Self, String> {
        let mut scanner = Scanner::new(text);
        let raw = scanner.raw().and_then(|raw| scanner.end().map(|()| raw));
        raw.map_err(|error| error.to_string())
    }

    /// The JSON text.
    pub fn get(self) -> &'a str {
        self.0
    }

    pub(crate) fn scanner(self) -> Scanner<'a> {
        Scanner::new(self.0)
    }
}

/// What begins with this byte.
fn shape(first: Option<u8>) -> &'static str {
    match first {
        Some(b'"') => "a string",
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        Some(b'-' | b'0'..=b'9') => "a number",
        _ => "no JSON value",
    }
}

/// What is wrong, and at which path.
#[derive(Debug)]
pub(crate) struct ScanError {
    path: String,
    what: String,
}

impl ScanError {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        ScanError { path: String::new(), what: what.into() }
    }

    /// A field that must be there.
    pub(crate) fn missing(name: &str, expected: &str) -> Self {
        ScanError::new(format!("this field is missing; it must be {expected}")).under(name)
    }

    /// The same error, seen from the object that has it under `key`.
    pub(crate) fn under(mut self, key: &str) -> Self {
        let joint = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("{key}{joint}{}", self.path);
        self
    }

    fn at(mut self, index: usize) -> Self {
        let joint = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("[{index}]{joint}{}", self.path);
        self
    }

    /// Where, or nothing for the whole.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn what(&self) -> &str {
        &self.what
    }
}

impl fmt::Display for ScanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() { f.write_str(&self.what) } else { write!(f, "{}: {}", self.path, self.what) }
    }
}

type Result<T, E = ScanError> = std::result::Result<T, E>;

/// A place in a JSON text.
#[derive(Debug)]
pub(crate) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// The text holds control characters, so strings must be searched for them. Bodies of real clients
    /// are compact and hold none.
    has_control: bool,
    depth: u32,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Scanner { text, at: 0, has_control: has_control(text.as_bytes()), depth: 0 }
    }

    /// How many bytes have been taken.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// The first byte of the next token, without taking it.
    pub(crate) fn peek(&mut self) -> Option<u8> {
        let rest = self.rest();
        let space = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t')).count();
        self.at += space;
        rest.get(space).copied()
    }

    /// Nothing but white space may follow.
    pub(crate) fn end(&mut self) -> Result<()> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.fault("the JSON has ended, and more follows")),
        }
    }

    pub(crate) fn string(&mut self) -> Result<JsonText<'a>> {
        self.expect(b'"', "a string")?;
        let from = self.at;
        loop {
            let Some(step) = next_special(self.rest()) else { return Err(self.cut()) };
            let piece = self.rest().get(..step).unwrap_or_default();
            if self.has_control && has_control(piece) {
                return Err(self.fault("a control character stands in a string; it must be escaped"));
            }
            self.at += step;
            if self.rest().first() == Some(&b'"') {
                let text = self.text.get(from..self.at).unwrap_or_default();
                self.at += 1;
                return Ok(JsonText::escaped(text));
            }
            self.escape()?;
        }
    }

    fn escape(&mut self) -> Result<()> {
        let length = match self.rest().get(1..) {
            Some([b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..]) => 2,
            Some([b'u', rest @ ..]) => match rest.get(..4) {
                Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => 6,
                Some(_) => return Err(self.fault("\\u needs four hexadecimal digits")),
                None => return Err(self.cut()),
            },
            Some([_, ..]) => return Err(self.fault("an escape that JSON does not know")),
            _ => return Err(self.cut()),
        };
        self.at += length;
        Ok(())
    }

    /// Any value, as it stands.
    pub(crate) fn raw(&mut self) -> Result<RawJson<'a>> {
        self.peek();
        let from = self.at;
        self.skip()?;
        Ok(RawJson(self.text.get(from..self.at).unwrap_or_default()))
    }

    fn skip(&mut self) -> Result<()> {
        match self.peek() {
            Some(b'"') => self.string().map(|_| ()),
            Some(b'{') => self.object("an object", |_, scanner| scanner.skip()),
            Some(b'[') => self.array("an array", |scanner| scanner.skip()),
            Some(b't') => self.literal("true"),
            Some(b'f') => self.literal("false"),
            Some(b'n') => self.literal("null"),
            Some(b'-' | b'0'..=b'9') => self.number().map(|_| ()),
            Some(_) => Err(self.fault("no JSON value begins here")),
            None => Err(self.cut()),
        }
    }

    /// An object; `each` takes the value of each key.
    pub(crate) fn object(
        &mut self,
        expected: &str,
        mut each: impl FnMut(&JsonText<'a>, &mut Self) -> Result<()>,
    ) -> Result<()> {
        self.enter(b'{', expected)?;
        if !self.close(b'}') {
            loop {
                let key = self.string()?;
                self.expect(b':', "a colon")?;
                each(&key, self).map_err(|error| error.under(&key.decode()))?;
                if !self.goes_on(b'}')? {
                    break;
                }
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// An array; `each` takes each element.
    pub(crate) fn array(&mut self, expected: &str, mut each: impl FnMut(&mut Self) -> Result<()>) -> Result<()> {
        self.enter(b'[', expected)?;
        if !self.close(b']') {
            let mut index = 0;
            loop {
                each(self).map_err(|error| error.at(index))?;
                index += 1;
                if !self.goes_on(b']')? {
                    break;
                }
            }
        }
        self.depth -= 1;
        Ok(())
    }

    pub(crate) fn boolean(&mut self) -> Result<bool> {
        match self.peek() {
            Some(b't') => self.literal("true").map(|()| true),
            Some(b'f') => self.literal("false").map(|()| false),
            _ => Err(self.unexpected("true or false")),
        }
    }

    /// A number that counts something.
    pub(crate) fn count(&mut self) -> Result<u64> {
        const EXPECTED: &str = "a whole number that is not negative";
        if !matches!(self.peek(), Some(b'-' | b'0'..=b'9')) {
            return Err(self.unexpected(EXPECTED));
        }
        let number = self.number()?;
        number.parse().map_err(|_| ScanError::new(format!("expected {EXPECTED}, got {number}")))
    }

    /// Takes a `null`, or else what `read` reads.
    pub(crate) fn nullable<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<Option<T>> {
        if self.peek() == Some(b'n') {
            return self.literal("null").map(|()| None);
        }
        read(self).map(Some)
    }

    /// What is here is something else.
    pub(crate) fn unexpected(&mut self, expected: &str) -> ScanError {
        match self.peek() {
            None => self.cut(),
            first => ScanError::new(format!("expected {expected}, got {}", shape(first))),
        }
    }

    fn number(&mut self) -> Result<&'a str> {
        let from = self.at;
        self.at += usize::from(self.rest().first() == Some(&b'-'));
        let whole = self.digits();
        let leading_zero = whole > 1 && self.text.as_bytes().get(self.at - whole) == Some(&b'0');
        let mut sound = whole > 0 && !leading_zero;
        if self.rest().first() == Some(&b'.') {
            self.at += 1;
            sound &= self.digits() > 0;
        }
        if matches!(self.rest().first(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.rest().first(), Some(b'+' | b'-')));
            sound &= self.digits() > 0;
        }
        if sound {
            Ok(self.text.get(from..self.at).unwrap_or_default())
        } else {
            Err(self.fault("a number is not sound"))
        }
    }

    fn digits(&mut self) -> usize {
        let count = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        count
    }

    fn literal(&mut self, word: &str) -> Result<()> {
        if self.rest().starts_with(word.as_bytes()) {
            self.at += word.len();
            return Ok(());
        }
        if word.as_bytes().starts_with(self.rest()) {
            Err(self.cut())
        } else {
            Err(self.fault("no JSON value begins here"))
        }
    }

    fn enter(&mut self, open: u8, expected: &str) -> Result<()> {
        self.expect(open, expected)?;
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(self.fault("the JSON is nested too deeply")) } else { Ok(()) }
    }

    fn close(&mut self, close: u8) -> bool {
        let is_closed = self.peek() == Some(close);
        self.at += usize::from(is_closed);
        is_closed
    }

    /// Whether a comma, or the end, follows an element.
    fn goes_on(&mut self, close: u8) -> Result<bool> {
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(byte) if byte == close => {
                self.at += 1;
                Ok(false)
            }
            Some(_) => Err(self.fault("a comma or the end is missing")),
            None => Err(self.cut()),
        }
    }

    fn expect(&mut self, byte: u8, expected: &str) -> Result<()> {
        if self.peek() != Some(byte) {
            return Err(self.unexpected(expected));
        }
        self.at += 1;
        Ok(())
    }

    fn fault(&self, what: &str) -> ScanError {
        ScanError::new(format!("{what} (at byte {})", self.at))
    }

    fn cut(&self) -> ScanError {
        ScanError::new(format!("the JSON is cut short (it ends at byte {})", self.text.len()))
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }
}

/// Where the next quote or backslash is. Keys are short: a call of the vector search would cost more.
fn next_special(bytes: &[u8]) -> Option<usize> {
    const NEAR: usize = 8;
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\');
    let (near, far) = bytes.split_at_checked(NEAR).unwrap_or((bytes, &[]));
    near.iter().position(is_special).or_else(|| memchr::memchr2(b'"', b'\\', far).map(|at| NEAR + at))
}

/// In blocks, which compile to vector instructions.
fn has_control(bytes: &[u8]) -> bool {
    bytes.chunks(128).any(|block| block.iter().fold(false, |found, &byte| found | (byte < 0x20)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn agrees(text: &str) {
        let ours = RawJson::parse(text);
        // Only syntax is compared: serde_json also refuses numbers that no float can hold.
        let theirs = serde_json::from_str::<&serde_json::value::RawValue>(text);
        assert_eq!(ours.is_ok(), theirs.is_ok(), "{text:?}: {ours:?} {theirs:?}");
        if let (Ok(ours), Ok(theirs)) = (ours, theirs) {
            assert_eq!(ours.get(), theirs.get());
        }
    }

    #[test]
    fn agrees_with_serde_json() {
        let deep = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        for text in [
            "",
            " ",
            "null",
            " true ",
            "nul",
            "truex",
            "false",
            "\"a\"",
            "\"a",
            "\"\\\"",
            "\"\\u00e\"",
            "\"\\u00eg\"",
            "\"\\x\"",
            "\"a\nb\"",
            "\"a\u{1}\"",
            "{}",
            "{\"a\":1,}",
            "{\"a\":[1,2,{\"b\":null}]}",
            "{\"a\" : 1 , \"b\":\n[]}",
            "{a:1}",
            "{\"a\"}",
            "[1,2",
            "[1 2]",
            "[,]",
            "[]x",
            "0",
            "-0",
            "01",
            "-",
            "1.",
            ".5",
            "1.5e+3",
            "1e",
            "1E-",
            "--1",
            "+1",
            "\u{FEFF}1",
            "\\u0041",
            "{\"a\":1 \"b\":2}",
            "\"\\ud83d\"",
            "[\"é😀\"]",
            "tru",
            "n",
            "-a",
        ] {
            agrees(text);
        }
        agrees(&deep(MAX_DEPTH as usize));
        assert!(RawJson::parse(&deep(MAX_DEPTH as usize + 1)).unwrap_err().contains("too deeply"));
    }

    proptest! {
        #[test]
        fn agrees_with_serde_json_on_noise(text in "[\\[\\]{}:,\"\\\\ntrue0-9.eE \n\u{e9}u-]{0,24}") {
            agrees(&text);
        }
    }

    #[test]
    fn errors_tell_the_place() {
        let mut scanner = Scanner::new(r#"{"a":[{"b":1},{"b":"x"}]}"#);
        let error = scanner.object("an object", |_, list| {
            list.array("an array", |item| item.object("an object", |_, value| value.count().map(|_| ())))
        });
        assert_eq!(
            error.unwrap_err().to_string(),
            "a[1].b: expected a whole number that is not negative, got a string"
        );
    }
}
