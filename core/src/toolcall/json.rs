//! Reads JSON as models write it, and writes JSON as parsers read it, while it comes.
//!
//! Models leave out quotes, write Python's literals, line ends inside of strings, and a comma too many. None of this
//! needs to wait for the end: what comes in goes out in order, each token once.

use super::lead::{Lead, lead};

/// The deepest nesting that is read: as deep as serde_json goes, which reads it next. Arguments are rarely deeper than
/// five.
const MAX_DEPTH: usize = 127;

/// What a value begins as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    String,
    Number,
    Boolean,
    Null,
    Object,
    Array,
}

/// Takes the tokens of a value. Depth 0 is the value itself, 1 its members.
pub(super) trait JsonSink {
    /// A key, decoded, of an object at this depth.
    fn key(&mut self, depth: usize, key: &str);
    /// A value at this depth begins.
    fn begin(&mut self, depth: usize, kind: Kind);
    /// Text of the value, sound JSON; keys, commas and colons included.
    fn text(&mut self, depth: usize, json: &str);
    /// The value at this depth is complete.
    fn end(&mut self, depth: usize);
}

/// How strings are quoted beside JSON's way.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Dialect {
    /// Quotes without escapes: everything up to the next one is data.
    pub(super) raw_quote: Option<&'static str>,
}

impl Dialect {
    /// JSON's own quotes, and Python's.
    pub(super) const PLAIN: Self = Dialect { raw_quote: None };
}

/// One value, read as it comes.
#[derive(Debug)]
pub(super) struct Json {
    dialect: Dialect,
    /// What is sound JSON goes out byte for byte, white space between tokens included.
    exact: bool,
    open: Vec<Open>,
    state: State,
    /// A key, or a bare word, as far as it has come.
    word: String,
    /// White space that goes out behind a comma, if that does.
    blank: String,
    is_done: bool,
    is_broken: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    /// An object, and whether it has members.
    Object(bool),
    Array(bool),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A value must come.
    Value,
    /// A key, or the end of the object.
    Key,
    Colon,
    /// A comma, or the end of the container.
    Comma,
    Quoted {
        quote: Quote,
        is_key: bool,
    },
    Bare {
        is_key: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quote {
    Double,
    Single,
    Raw,
}

/// How far reading came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Read {
    /// Bytes that are read.
    pub(super) bytes: usize,
    /// The value is complete, or can be read no further.
    pub(super) done: bool,
}

impl Json {
    pub(super) fn new(dialect: Dialect) -> Self {
        Json {
            dialect,
            exact: false,
            open: Vec::new(),
            state: State::Value,
            word: String::new(),
            blank: String::new(),
            is_done: false,
            is_broken: false,
        }
    }

    /// JSON that goes out byte for byte where it is sound.
    pub(super) fn exactly() -> Self {
        Json { exact: true, ..Json::new(Dialect::PLAIN) }
    }

    /// Whether anything of the value has come.
    pub(super) fn has_begun(&self) -> bool {
        self.state != State::Value || !self.open.is_empty()
    }

    /// Whether it ended because of something that is no JSON.
    pub(super) fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Reads on; `end` says that nothing more comes.
    pub(super) fn read(&mut self, input: &str, end: bool, sink: &mut dyn JsonSink) -> Read {
        let mut at = 0;
        while !self.is_done && !self.is_broken {
            let rest = input.get(at..).unwrap_or_default();
            let Some(first) = rest.chars().next() else { break };
            let before = self.state;
            let step = self.step(rest, first, end, sink);
            if step == 0 && self.state == before {
                break;
            }
            at += step;
        }
        Read { bytes: at, done: self.is_done || self.is_broken }
    }

    /// Nothing more comes, or nothing that can be read: closes what is open.
    pub(super) fn close(&mut self, sink: &mut dyn JsonSink) {
        if self.is_done {
            return;
        }
        match self.state {
            State::Quoted { is_key: false, .. } => {
                self.flush_string(sink);
                sink.text(self.open.len(), "\"");
                self.value_ended(sink);
            }
            State::Bare { is_key: false } => self.bare_ended(sink),
            State::Colon => {
                sink.begin(self.open.len(), Kind::Null);
                sink.text(self.open.len(), ":null");
                self.value_ended(sink);
            }
            State::Value if !self.open.is_empty() && matches!(self.open.last(), Some(Open::Object(_))) => {
                sink.begin(self.open.len(), Kind::Null);
                sink.text(self.open.len(), "null");
                self.value_ended(sink);
            }
            _ => self.word.clear(),
        }
        while let Some(open) = self.open.pop() {
            sink.text(self.open.len(), if matches!(open, Open::Object(_)) { "}" } else { "]" });
            sink.end(self.open.len());
        }
        self.is_done = true;
    }

    /// Takes something from the front; 0 where more must come first.
    fn step(&mut self, rest: &str, first: char, end: bool, sink: &mut dyn JsonSink) -> usize {
        match self.state {
            State::Quoted { quote, is_key } => return self.quoted(rest, quote, is_key, end, sink),
            State::Bare { is_key } => return self.bare(rest, is_key, sink),
            _ if first.is_whitespace() => return self.blank(first, sink),
            _ => {}
        }
        match (self.state, first) {
            (State::Value, '{') => self.container(Open::Object(false), "{", sink),
            (State::Value, '[') => self.container(Open::Array(false), "[", sink),
            (State::Value, ']') if matches!(self.open.last(), Some(Open::Array(_))) => self.closed("]", sink),
            (State::Value | State::Key, '"' | '\'') => {
                let quote = if first == '"' { Quote::Double } else { Quote::Single };
                self.string(quote, sink);
                1
            }
            (State::Value | State::Key, _) if self.raw_quote_at(rest) != Lead::No => match self.raw_quote_at(rest) {
                Lead::Full(length) => {
                    self.string(Quote::Raw, sink);
                    length
                }
                _ if end => self.broken(),
                _ => 0,
            },
            (State::Key, '}') => self.closed("}", sink),
            (State::Colon, ':' | '=') => {
                sink.text(self.open.len(), ":");
                self.state = State::Value;
                1
            }
            (State::Comma, ',') => {
                let in_object = matches!(self.open.last(), Some(Open::Object(_)));
                self.state = if in_object { State::Key } else { State::Value };
                1
            }
            (State::Comma, '}') if matches!(self.open.last(), Some(Open::Object(_))) => self.closed("}", sink),
            (State::Comma, ']') if matches!(self.open.last(), Some(Open::Array(_))) => self.closed("]", sink),
            (State::Value | State::Key, c) if c.is_alphanumeric() || matches!(c, '-' | '+' | '_' | '.') => {
                let is_key = self.state == State::Key;
                self.state = State::Bare { is_key };
                self.bare(rest, is_key, sink)
            }
            _ => self.broken(),
        }
    }

    fn blank(&mut self, blank: char, sink: &mut dyn JsonSink) -> usize {
        if self.exact && matches!(blank, ' ' | '\t' | '\n' | '\r') {
            match (self.state, self.open.last()) {
                (State::Key, _) | (State::Value, Some(Open::Array(_))) => self.blank.push(blank),
                _ => sink.text(self.open.len(), blank.encode_utf8(&mut [0; 4])),
            }
        }
        blank.len_utf8()
    }

    fn flush_blank(&mut self, sink: &mut dyn JsonSink) {
        if !self.blank.is_empty() {
            sink.text(self.open.len(), &std::mem::take(&mut self.blank));
        }
    }

    fn raw_quote_at(&self, rest: &str) -> Lead {
        self.dialect.raw_quote.map_or(Lead::No, |quote| lead(rest, quote))
    }

    fn broken(&mut self) -> usize {
        self.is_broken = true;
        0
    }

    fn comma(&mut self, sink: &mut dyn JsonSink) {
        let depth = self.open.len();
        match self.open.last_mut() {
            Some(Open::Object(has) | Open::Array(has)) if *has => sink.text(depth, ","),
            Some(Open::Object(has) | Open::Array(has)) => *has = true,
            None => {}
        }
        self.flush_blank(sink);
    }

    /// What stands before a value in its container.
    fn before_value(&mut self, kind: Kind, sink: &mut dyn JsonSink) {
        if matches!(self.open.last(), Some(Open::Array(_))) {
            self.comma(sink);
        }
        sink.begin(self.open.len(), kind);
    }

    fn container(&mut self, open: Open, text: &str, sink: &mut dyn JsonSink) -> usize {
        if self.open.len() >= MAX_DEPTH {
            return self.broken();
        }
        let is_object = matches!(open, Open::Object(_));
        self.before_value(if is_object { Kind::Object } else { Kind::Array }, sink);
        sink.text(self.open.len(), text);
        self.open.push(open);
        self.state = if is_object { State::Key } else { State::Value };
        1
    }

    fn closed(&mut self, text: &str, sink: &mut dyn JsonSink) -> usize {
        self.flush_blank(sink);
        self.open.pop();
        sink.text(self.open.len(), text);
        self.value_ended(sink);
        1
    }

    fn value_ended(&mut self, sink: &mut dyn JsonSink) {
        sink.end(self.open.len());
        self.state = State::Comma;
        self.is_done = self.open.is_empty();
    }

    fn string(&mut self, quote: Quote, sink: &mut dyn JsonSink) {
        let is_key = self.state == State::Key;
        if !is_key {
            self.before_value(Kind::String, sink);
            sink.text(self.open.len(), "\"");
        }
        self.state = State::Quoted { quote, is_key };
    }

    /// Text inside of quotes; escapes stay whole.
    fn quoted(&mut self, rest: &str, quote: Quote, is_key: bool, end: bool, sink: &mut dyn JsonSink) -> usize {
        let mut at = 0;
        loop {
            let here = rest.get(at..).unwrap_or_default();
            let plain = here.find(|c: char| self.stops(quote, c)).unwrap_or(here.len());
            self.word.push_str(here.get(..plain).unwrap_or_default());
            at += plain;
            let here = here.get(plain..).unwrap_or_default();
            let Some(c) = here.chars().next() else { break };
            let closed = match quote {
                Quote::Raw => self.raw_quote_at(here),
                Quote::Double if c == '"' => Lead::Full(1),
                Quote::Single if c == '\'' => Lead::Full(1),
                _ => Lead::No,
            };
            match closed {
                Lead::Full(length) => {
                    self.string_ended(is_key, sink);
                    return at + length;
                }
                Lead::Partial if !end => break,
                _ if c == '\\' && quote != Quote::Raw => match escape(here, end) {
                    Some((length, text)) => {
                        self.word.push_str(&text);
                        at += length;
                    }
                    None => break,
                },
                _ => {
                    push_escaped(&mut self.word, c);
                    at += c.len_utf8();
                }
            }
        }
        if !is_key {
            self.flush_string(sink);
        }
        at
    }

    /// Whether a character in a string is more than itself.
    fn stops(&self, quote: Quote, c: char) -> bool {
        c < ' '
            || matches!(c, '"' | '\\')
            || match quote {
                Quote::Double => false,
                Quote::Single => c == '\'',
                Quote::Raw => self.dialect.raw_quote.is_some_and(|quote| quote.starts_with(c)),
            }
    }

    fn flush_string(&mut self, sink: &mut dyn JsonSink) {
        if !self.word.is_empty() {
            sink.text(self.open.len(), &self.word);
            self.word.clear();
        }
    }

    fn string_ended(&mut self, is_key: bool, sink: &mut dyn JsonSink) {
        if is_key {
            return self.key_ended(sink);
        }
        self.flush_string(sink);
        sink.text(self.open.len(), "\"");
        self.value_ended(sink);
    }

    fn key_ended(&mut self, sink: &mut dyn JsonSink) {
        let word = std::mem::take(&mut self.word);
        let quoted = format!("\"{word}\"");
        let decoded: String = serde_json::from_str(&quoted).unwrap_or(word);
        self.comma(sink);
        // A key belongs to its value: whoever leaves out the value leaves out the key.
        sink.key(self.open.len(), &decoded);
        sink.text(self.open.len(), &quoted);
        self.state = State::Colon;
    }

    /// A word without quotes: a key, a number, a literal. What ends it is read next.
    fn bare(&mut self, rest: &str, is_key: bool, sink: &mut dyn JsonSink) -> usize {
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '-' | '+' | '_' | '.' | '$');
        let length = rest.find(|c: char| !is_part(c)).unwrap_or(rest.len());
        self.word.push_str(rest.get(..length).unwrap_or_default());
        if length < rest.len() {
            if is_key {
                self.key_ended(sink);
            } else {
                self.bare_ended(sink);
            }
        }
        length
    }

    /// Numbers too large to be read are words, unless they are only passed on.
    fn is_number(&self, word: &str) -> bool {
        serde_json::from_str::<serde_json::Number>(word).is_ok() || (self.exact && is_number(word))
    }

    fn bare_ended(&mut self, sink: &mut dyn JsonSink) {
        let word = std::mem::take(&mut self.word);
        let (kind, text) = match word.as_str() {
            "true" | "True" => (Kind::Boolean, "true".to_owned()),
            "false" | "False" => (Kind::Boolean, "false".to_owned()),
            "null" | "None" => (Kind::Null, "null".to_owned()),
            number if self.is_number(number) => (Kind::Number, word),
            _ => (Kind::String, serde_json::Value::from(word).to_string()),
        };
        self.before_value(kind, sink);
        sink.text(self.open.len(), &text);
        self.value_ended(sink);
    }
}

/// A number by JSON's grammar, whatever its size.
fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let text = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = text.split_once(['e', 'E']).map_or((text, None), |(text, rest)| (text, Some(rest)));
    let (whole, fraction) = mantissa.split_once('.').map_or((mantissa, None), |(text, rest)| (text, Some(rest)));
    digits(whole)
        && (whole.len() == 1 || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|exponent| digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)))
}

/// A character inside of a JSON string.
fn push_escaped(out: &mut String, c: char) {
    match c {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
        c => out.push(c),
    }
}

/// An escape as JSON knows it, and how long it was in the text: Python's own ones, half characters and backslashes
/// that should have been two are mended. `None` while it has not all come.
fn escape(text: &str, end: bool) -> Option<(usize, String)> {
    let mut chars = text.chars().skip(1);
    let Some(escaped) = chars.next() else {
        // The text ended in the middle of an escape, which says nothing.
        return end.then(|| (1, String::new()));
    };
    match escaped {
        '"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't' => Some((2, format!("\\{escaped}"))),
        '\'' => Some((2, "'".to_owned())),
        '\n' => Some((2, String::new())),
        'u' => unicode(text, end),
        other => {
            let mut mended = "\\\\".to_owned();
            push_escaped(&mut mended, other);
            Some((1 + other.len_utf8(), mended))
        }
    }
}

/// An escape `\uXXXX`, or the two of them that are one character.
fn unicode(text: &str, end: bool) -> Option<(usize, String)> {
    let unit = |from: usize| {
        let digits = text.get(from..from + 4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        digits.and_then(|digits| u16::from_str_radix(digits, 16).ok())
    };
    let is_cut = |from: usize| {
        let rest = text.get(from..).unwrap_or_default();
        rest.len() < 4 && rest.bytes().all(|byte| byte.is_ascii_hexdigit()) && !end
    };
    let Some(first) = unit(2) else {
        return if is_cut(2) { None } else { Some((2, "\\\\u".to_owned())) };
    };
    if !(0xD800..0xE000).contains(&first) {
        return Some((6, text.get(..6).unwrap_or_default().to_owned()));
    }
    let lone = Some((6, "\\ufffd".to_owned()));
    if first >= 0xDC00 {
        return lone;
    }
    match lead(text.get(6..).unwrap_or_default(), "\\u") {
        Lead::Full(_) if is_cut(8) => None,
        Lead::Full(_) if unit(8).is_some_and(|second| (0xDC00..0xE000).contains(&second)) => {
            Some((12, text.get(..12).unwrap_or_default().to_owned()))
        }
        Lead::Partial if !end => None,
        _ => lone,
    }
}
