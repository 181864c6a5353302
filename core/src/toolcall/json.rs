//! Reads JSON as models write it, and writes JSON as parsers read it, while it comes.
//!
//! Models leave out quotes, write Python's literals, line ends inside of strings, and a comma too many. None of this
//! needs to wait for the end: what comes in goes out in order, each token once.

use super::lead::{Lead, lead};

/// The deepest nesting that is read. Arguments are rarely deeper than five.
const MAX_DEPTH: usize = 64;

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

/// One value, read as it comes.
#[derive(Debug)]
pub(super) struct Json {
    dialect: Dialect,
    open: Vec<Open>,
    state: State,
    /// A key, or a bare word, as far as it has come.
    word: String,
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
    Quoted { quote: Quote, is_key: bool },
    Bare { is_key: bool },
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
        Json { dialect, open: Vec::new(), state: State::Value, word: String::new(), is_done: false, is_broken: false }
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
            let step = self.step(rest, first, end, sink);
            if step == 0 {
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
            State::Bare { is_key } => return self.bare(rest, first, is_key, sink),
            _ if first.is_whitespace() => return first.len_utf8(),
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
                self.bare(rest, first, is_key, sink)
            }
            _ => self.broken(),
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
        let mut chars = rest.char_indices().peekable();
        let mut taken = 0;
        while let Some((at, c)) = chars.next() {
            match (quote, c) {
                (Quote::Raw, _) => match self.raw_quote_at(rest.get(at..).unwrap_or_default()) {
                    Lead::Full(length) => {
                        self.string_ended(is_key, sink);
                        return at + length;
                    }
                    Lead::Partial if !end => {
                        taken = at;
                        break;
                    }
                    _ => push_escaped(&mut self.word, c),
                },
                (Quote::Double, '"') | (Quote::Single, '\'') => {
                    self.string_ended(is_key, sink);
                    return at + 1;
                }
                (_, '\\') => {
                    let Some((_, escaped)) = chars.next() else {
                        if end {
                            self.word.push_str("\\\\");
                            taken = rest.len();
                        } else {
                            taken = at;
                        }
                        break;
                    };
                    if escaped == 'u' {
                        let digits: String = rest.get(at + 2..).unwrap_or_default().chars().take(4).collect();
                        let is_hex = digits.chars().all(|c| c.is_ascii_hexdigit());
                        if digits.len() < 4 && is_hex && !end && at + 2 + digits.len() == rest.len() {
                            taken = at;
                            break;
                        }
                        self.word.push_str(if digits.len() == 4 && is_hex { "\\u" } else { "\\\\u" });
                    } else {
                        push_escape(&mut self.word, escaped);
                    }
                }
                (_, c) => push_escaped(&mut self.word, c),
            }
            taken = at + c.len_utf8();
            if c == '\\' {
                taken = chars.peek().map_or(rest.len(), |(next, _)| *next);
            }
        }
        if !is_key {
            self.flush_string(sink);
        }
        taken
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

    /// A word without quotes: a key, a number, a literal.
    fn bare(&mut self, rest: &str, _first: char, is_key: bool, sink: &mut dyn JsonSink) -> usize {
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '-' | '+' | '_' | '.' | '$');
        let length = rest.find(|c: char| !is_part(c)).unwrap_or(rest.len());
        self.word.push_str(rest.get(..length).unwrap_or_default());
        if length == rest.len() {
            return length;
        }
        if is_key {
            self.key_ended(sink);
        } else {
            self.bare_ended(sink);
        }
        // At least something was taken, or the next step sees another state.
        if length == 0 { self.step(rest, rest.chars().next().unwrap_or(' '), false, sink) } else { length }
    }

    fn bare_ended(&mut self, sink: &mut dyn JsonSink) {
        let word = std::mem::take(&mut self.word);
        let (kind, text) = match word.as_str() {
            "true" | "True" => (Kind::Boolean, "true".to_owned()),
            "false" | "False" => (Kind::Boolean, "false".to_owned()),
            "null" | "None" => (Kind::Null, "null".to_owned()),
            number if serde_json::from_str::<serde_json::Number>(number).is_ok() => (Kind::Number, word),
            _ => (Kind::String, serde_json::Value::from(word).to_string()),
        };
        self.before_value(kind, sink);
        sink.text(self.open.len(), &text);
        self.value_ended(sink);
    }
}

/// A character inside of a JSON string.
pub(super) fn push_escaped(out: &mut String, c: char) {
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

/// What stood behind a backslash: an escape that JSON knows, or one that only Python does, or a backslash too few.
fn push_escape(out: &mut String, escaped: char) {
    match escaped {
        '"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't' => {
            out.push('\\');
            out.push(escaped);
        }
        '\'' => out.push('\''),
        '\n' => {}
        other => {
            out.push_str("\\\\");
            push_escaped(out, other);
        }
    }
}
