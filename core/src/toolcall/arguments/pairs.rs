//! Keys with the text of their values.

use serde_json::Value;

use super::fit;
use crate::toolcall::out::Out;
use crate::toolcall::schema::{NodeId, Properties, Types};
use crate::wire::JsonText;

/// Writes an argument object from keys and the text of their values.
#[derive(Debug, Default)]
pub(in crate::toolcall) struct Pairs {
    properties: Properties,
    has_any: bool,
    place: NodeId,
    types: Types,
    /// The text of a value that is no string for certain.
    held: String,
    is_open: bool,
}

impl Pairs {
    pub(in crate::toolcall) fn new(properties: Properties) -> Self {
        Pairs { properties, ..Pairs::default() }
    }

    /// A key: its value's text follows. `types` where the format says what the value is.
    pub(in crate::toolcall) fn key(&mut self, key: &str, types: Option<Types>, out: &mut Out<'_>) {
        let opening = if std::mem::replace(&mut self.has_any, true) { "," } else { "{" };
        self.place = self.properties.member(self.properties.root(), key);
        self.types = types.unwrap_or_else(|| self.properties.types_at(self.place));
        self.is_open = true;
        let quote = if self.types.is_string() { "\"" } else { "" };
        out.arguments(&format!("{opening}{}:{quote}", Value::from(key)));
    }

    /// More text of the value.
    pub(in crate::toolcall) fn text(&mut self, text: &str, out: &mut Out<'_>) {
        if !self.types.is_string() {
            self.held.push_str(text);
            return;
        }
        out.arguments(JsonText::from_plain(text).as_escaped());
    }

    /// The value is complete.
    pub(in crate::toolcall) fn end_value(&mut self, out: &mut Out<'_>) {
        if !std::mem::take(&mut self.is_open) {
            return;
        }
        if self.types.is_string() {
            return out.arguments("\"");
        }
        let text = std::mem::take(&mut self.held);
        out.arguments(&fit::read(&self.properties, self.place, self.types, &text));
    }

    /// Whether there was no key yet.
    pub(in crate::toolcall) fn is_empty(&self) -> bool {
        !self.has_any
    }

    /// The object is complete.
    pub(in crate::toolcall) fn end(&mut self, out: &mut Out<'_>) {
        self.end_value(out);
        out.arguments(if self.has_any { "}" } else { "{}" });
    }
}
