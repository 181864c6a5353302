//! Arguments on their way out: JSON that streams, and keys with values that have no types of their own.

use serde_json::Value;

use super::json::{JsonSink, Kind};
use super::out::Out;
use super::schema::{Properties, Types};
use crate::wire::JsonText;

/// Passes an argument object through as it comes. Only a value whose beginning contradicts the type of its
/// property is held until it ends, and made to fit.
#[derive(Debug, Default)]
pub(super) struct Typed {
    properties: Properties,
    types: Types,
    /// A value that is held.
    held: Option<String>,
    out: String,
}

impl Typed {
    pub(super) fn new(properties: Properties) -> Self {
        Typed { properties, ..Typed::default() }
    }

    /// What can go out by now.
    pub(super) fn flush(&mut self, out: &mut Out<'_>) {
        out.arguments(&self.out);
        self.out.clear();
    }
}

impl JsonSink for Typed {
    fn key(&mut self, depth: usize, key: &str) {
        if depth == 1 {
            self.types = self.properties.types(key);
        }
    }

    fn begin(&mut self, depth: usize, kind: Kind) {
        if depth == 1 && !self.types.takes(kind) {
            self.held = Some(String::new());
        }
    }

    fn text(&mut self, _: usize, json: &str) {
        self.held.as_mut().unwrap_or(&mut self.out).push_str(json);
    }

    fn end(&mut self, depth: usize) {
        if depth == 1
            && let Some(held) = self.held.take()
        {
            match serde_json::from_str::<Value>(&held) {
                Ok(value) => self.out.push_str(&self.types.fit(value).to_string()),
                Err(_) => self.out.push_str(&held),
            }
            self.types = Types::default();
        }
    }
}

/// Writes an argument object from keys and the text of their values.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    properties: Properties,
    has_any: bool,
    types: Types,
    /// The text of a value that is no string for certain.
    held: String,
    is_open: bool,
}

impl Pairs {
    pub(super) fn new(properties: Properties) -> Self {
        Pairs { properties, ..Pairs::default() }
    }

    /// A key: its value's text follows. `types` where the format says what the value is.
    pub(super) fn key(&mut self, key: &str, types: Option<Types>, out: &mut Out<'_>) {
        let opening = if std::mem::replace(&mut self.has_any, true) { "," } else { "{" };
        self.types = types.unwrap_or_else(|| self.properties.types(key));
        self.is_open = true;
        let quote = if self.types.is_string() { "\"" } else { "" };
        out.arguments(&format!("{opening}{}:{quote}", Value::from(key)));
    }

    /// More text of the value.
    pub(super) fn text(&mut self, text: &str, out: &mut Out<'_>) {
        if !self.types.is_string() {
            self.held.push_str(text);
            return;
        }
        out.arguments(JsonText::from_plain(text).as_escaped());
    }

    /// The value is complete.
    pub(super) fn end_value(&mut self, out: &mut Out<'_>) {
        if !std::mem::take(&mut self.is_open) {
            return;
        }
        if self.types.is_string() {
            return out.arguments("\"");
        }
        let value = self.types.read(&std::mem::take(&mut self.held));
        out.arguments(&value.to_string());
    }

    /// Whether there was no key yet.
    pub(super) fn is_empty(&self) -> bool {
        !self.has_any
    }

    /// The object is complete.
    pub(super) fn end(&mut self, out: &mut Out<'_>) {
        self.end_value(out);
        out.arguments(if self.has_any { "}" } else { "{}" });
    }
}
