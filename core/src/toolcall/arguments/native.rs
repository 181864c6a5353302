//! Arguments of calls that a server has read itself.

use std::fmt;

use serde_json::Value;

use super::Typed;
use crate::toolcall::json::Json;
use crate::toolcall::payload::object;
use crate::toolcall::schema::{Properties, Tools};

/// The arguments of one call as they come from a server: text of a JSON object, in pieces. They go out as they come;
/// only values that contradict the tool's schema are made to fit, where it is clear how.
///
/// An object that fits goes out byte for byte: servers that keep what they have read must find it again in the next
/// request. What is no object is made one: text of a string that holds an object, fenced or not, is that object;
/// nothing and `null` are `{}`; anything else becomes the value of `value`. Broken JSON goes out as far as it can be
/// read, and is closed; so is what was cut off. What follows the object is left out, white space aside.
///
/// ```
/// use anyclaude_core::toolcall::NativeArguments;
///
/// let schema = serde_json::json!({"type": "object", "properties": {"lines": {"type": "integer"}}});
/// let mut arguments = NativeArguments::new(&schema);
/// let mut out = String::new();
/// arguments.push(r#"{"lines": "8"#, &mut out);
/// arguments.push(r#"0", "path": "a"}"#, &mut out);
/// arguments.finish(&mut out);
/// assert_eq!(out, r#"{"lines": 80, "path": "a"}"#);
/// ```
pub struct NativeArguments {
    /// White space in front; then what is no object, until it has all come.
    early: String,
    state: State,
    json: Json,
    typed: Typed,
    /// What may belong to a token of which more comes.
    rest: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Start,
    Object,
    /// Something else than an object has begun.
    Other,
    /// The object is complete; white space may follow.
    Over,
    /// Nothing goes out any more.
    Shut,
}

impl fmt::Debug for NativeArguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NativeArguments").field("state", &self.state).finish_non_exhaustive()
    }
}

impl NativeArguments {
    /// For a call of the tool with this `input_schema`.
    pub fn new(schema: &Value) -> Self {
        Self::with(Properties::of(schema))
    }

    /// For a call of one of these tools; of another nothing is known.
    pub(crate) fn of(tools: &Tools, name: &str) -> Self {
        Self::with(tools.properties(name))
    }

    fn with(properties: Properties) -> Self {
        let json = Json::exactly();
        let typed = Typed::new(properties);
        NativeArguments { early: String::new(), state: State::Start, json, typed, rest: String::new() }
    }

    /// More of the arguments; appends what can go out by now.
    pub fn push(&mut self, text: &str, out: &mut String) {
        let mut text = text;
        if self.state == State::Start {
            let begun = text.trim_start();
            self.early.push_str(text.get(..text.len() - begun.len()).unwrap_or_default());
            self.state = match begun.chars().next() {
                None => return,
                Some('{') => State::Object,
                Some(_) => State::Other,
            };
            if self.state == State::Object {
                out.push_str(&sound_blank(&self.early));
                self.early.clear();
            }
            text = begun;
        }
        match self.state {
            State::Object => self.object(text, false, out),
            State::Over => self.behind(text, out),
            State::Shut => {}
            State::Start | State::Other => self.early.push_str(text),
        }
    }

    /// An object has begun and not ended.
    pub fn is_open(&self) -> bool {
        self.state == State::Object
    }

    /// Nothing more comes; appends what was held back, and what is missing.
    pub fn finish(&mut self, out: &mut String) {
        if matches!(self.state, State::Start | State::Other) {
            self.state = State::Object;
            let early = std::mem::take(&mut self.early);
            // What is no JSON is read as if it stood in a string.
            let is_json = serde_json::from_str::<serde::de::IgnoredAny>(&early).is_ok();
            let text = object(&if is_json { early } else { Value::from(early).to_string() });
            self.object(&text, true, out);
        } else {
            self.object("", true, out);
        }
    }

    fn object(&mut self, text: &str, end: bool, out: &mut String) {
        if self.state != State::Object {
            return;
        }
        self.rest.push_str(text);
        let pending = std::mem::take(&mut self.rest);
        let read = self.json.read(&pending, end, &mut self.typed);
        if read.done || end {
            self.json.close(&mut self.typed);
            self.state = if self.json.is_broken() { State::Shut } else { State::Over };
        }
        out.push_str(&self.typed.out);
        self.typed.out.clear();
        let rest = pending.get(read.bytes..).unwrap_or_default();
        match self.state {
            State::Object => rest.clone_into(&mut self.rest),
            State::Over => self.behind(rest, out),
            _ => {}
        }
    }

    fn behind(&mut self, text: &str, out: &mut String) {
        let blank = sound_blank(text);
        out.push_str(&blank);
        if blank.len() < text.len() {
            self.state = State::Shut;
        }
    }
}

/// White space that JSON knows, at the front of a text.
fn sound_blank(text: &str) -> String {
    text.chars().take_while(|c| matches!(c, ' ' | '\t' | '\n' | '\r')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn in_pieces(schema: &Value, pieces: &[&str]) -> String {
        let mut arguments = NativeArguments::new(schema);
        let mut out = String::new();
        pieces.iter().for_each(|piece| arguments.push(piece, &mut out));
        arguments.finish(&mut out);
        out
    }

    fn at_every_split(schema: &Value, text: &str) -> String {
        let whole = in_pieces(schema, &[text]);
        for (at, _) in text.char_indices() {
            assert_eq!(in_pieces(schema, &[&text[..at], &text[at..]]), whole, "{text:?} at {at}");
        }
        let chars: Vec<String> = text.chars().map(String::from).collect();
        assert_eq!(in_pieces(schema, &chars.iter().map(String::as_str).collect::<Vec<_>>()), whole, "{text:?}");
        whole
    }

    #[test]
    fn what_fits_goes_out_byte_for_byte() {
        for text in [
            "{}",
            " {\n\t\"a\" : 1 , \"a\":2 ,\"b\":[ 1 , [ ] ,{ } , -0.50E+07 ]\r\n}\n ",
            r#"{"a":"\u0041\/\"\ud83d\ude00 é","":null,"c":1e999,"d":123456789012345678901234567890}"#,
        ] {
            assert_eq!(at_every_split(&json!({}), text), text);
        }
    }

    #[test]
    fn values_inside_are_made_to_fit() {
        let edit = json!({"type": "object", "properties": {"line": {"type": "integer"}, "text": {"type": "string"},
            "all": {"type": "boolean"}, "more": {"$ref": "#/$defs/edit"}}});
        let schema = json!({"$defs": {"edit": edit}, "properties": {
            "edits": {"type": "array", "items": {"$ref": "#/$defs/edit"}},
            "pair": {"prefixItems": [{"type": "integer"}, {"type": "string"}]},
            "map": {"additionalProperties": {"type": "number"}},
            "free": {}, "any": {"anyOf": [{"title": "Any"}, {"type": "integer"}]}, "far": {"anyOf": [{"$ref": "x.json"}, {"type": "integer"}]},
            "beside": {"$ref": "#/$defs/edit", "properties": {"more": {"type": "integer"}}}, "either": {"oneOf": [{"type": "integer"}, {"type": "string"}]}}});
        for (text, wanted) in [
            (
                r#"{"edits": [{"line": "80", "text": 8, "all": "false"}]}"#,
                r#"{"edits": [{"line": 80, "text": "8", "all": false}]}"#,
            ),
            (r#"{"edits": "[{\"line\": \"1\"}, {\"text\": \"2\"}]"}"#, r#"{"edits": [{"line":1},{"text":"2"}]}"#),
            (
                r#"{"edits": ["{\"line\": 1}", {"more": {"more": {"line": "3"}}}]}"#,
                r#"{"edits": [{"line":1}, {"more": {"more": {"line": 3}}}]}"#,
            ),
            (
                r#"{"pair": ["1", "2", "3"], "map": {"x": "1.5", "y": 2}}"#,
                r#"{"pair": [1, "2", "3"], "map": {"x": 1.5, "y": 2}}"#,
            ),
            (
                r#"{"free": {"line": "1"}, "either": "7", "edits": "none"}"#,
                r#"{"free": {"line": "1"}, "either": "7", "edits": "none"}"#,
            ),
            (
                r#"{"any": "7", "far": "7", "beside": {"line": "7", "text": 7}}"#,
                r#"{"any": "7", "far": "7", "beside": {"line": 7, "text": "7"}}"#,
            ),
            (r#""{\"edits\": [{\"line\": \"1\"}]}""#, r#"{"edits": [{"line": 1}]}"#),
            ("```json\n{\"map\": {\"x\": \"1\"}}\n```", "{\"map\": {\"x\": 1}}\n"),
        ] {
            assert_eq!(at_every_split(&schema, text), wanted, "{text}");
        }
    }

    #[test]
    fn what_is_broken_is_closed() {
        for (text, wanted) in [
            ("", "{}"),
            ("  ", "{}"),
            ("null", "{}"),
            ("[1]", r#"{"value":[1]}"#),
            ("\"word\"", r#"{"value":"word"}"#),
            (r#"{"a": "x"#, r#"{"a": "x"}"#),
            (r#"{"a": [1, {"b":"#, r#"{"a": [1, {"b":null}]}"#),
            (r#"{"a": 1,}"#, r#"{"a": 1}"#),
            (r#"{'a': True, b: 'it'}"#, r#"{"a": true, "b": "it"}"#),
            (r#"{"a": 1} and more"#, r#"{"a": 1} "#),
            (r#"{"a": 1}}"#, r#"{"a": 1}"#),
            (r#"{"a": 1 ? 2}"#, r#"{"a": 1 }"#),
        ] {
            assert_eq!(at_every_split(&json!({}), text), wanted, "{text}");
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec((".{0,4}", inner), 0..5).prop_map(|members| members.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn every_object_goes_out_as_it_came(members in prop::collection::vec((".{0,4}", value()), 0..5), pretty: bool) {
            let object: Value = members.into_iter().collect();
            let text = if pretty { serde_json::to_string_pretty(&object).unwrap() } else { object.to_string() };
            for schema in [json!({}), json!({"type": "object", "additionalProperties": {}})] {
                prop_assert_eq!(at_every_split(&schema, &text), &text[..]);
            }
        }

        #[test]
        fn whatever_comes_an_object_goes_out(text in r#"[{}\[\]":,\\ 'a1tnN.\-]{0,40}"#) {
            let schema = json!({"additionalProperties": {"type": ["integer", "object"], "additionalProperties": {"type": "boolean"}}});
            let out = at_every_split(&schema, &text);
            prop_assert!(serde_json::from_str::<Value>(&out).is_ok_and(|value| value.is_object()), "{out}");
        }
    }
}
