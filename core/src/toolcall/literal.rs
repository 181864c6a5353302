//! Python's literals, as models write them for arguments.

use serde_json::Value;

use super::json::{Dialect, Json, JsonSink, Kind};

/// Collects a value's text.
#[derive(Default)]
struct Text(String);

impl JsonSink for Text {
    fn key(&mut self, _: usize, _: &str) {}
    fn begin(&mut self, _: usize, _: Kind) {}
    fn text(&mut self, _: usize, json: &str) {
        self.0.push_str(json);
    }
    fn end(&mut self, _: usize) {}
}

/// A list or a dict, whole; `None` for everything else.
pub(super) fn container(text: &str) -> Option<Value> {
    if !text.starts_with(['{', '[']) {
        return None;
    }
    let mut json = Json::new(Dialect::default());
    let mut collected = Text::default();
    let read = json.read(text, true, &mut collected);
    if !read.done || json.is_broken() || read.bytes != text.len() {
        return None;
    }
    serde_json::from_str(&collected.0).ok()
}
