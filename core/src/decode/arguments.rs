//! Arguments of a call while they stream: have they ended, and may they be passed on?

use crate::wire::JsonText;

/// Follows JSON text as it arrives and knows when its outermost object has been closed.
#[derive(Clone, Debug, Default)]
pub(super) struct ArgumentsTracker {
    /// Open braces and brackets. A count suffices: what does not nest properly does not parse either,
    /// and is then delivered as it is.
    depth: u32,
    in_string: bool,
    after_backslash: bool,
    first: Option<char>,
    complete: bool,
}

impl ArgumentsTracker {
    pub(super) fn feed(&mut self, text: &JsonText<'_>) {
        for c in text.chars() {
            self.step(c);
        }
    }

    fn step(&mut self, c: char) {
        if self.in_string {
            if self.after_backslash {
                self.after_backslash = false;
            } else if c == '\\' {
                self.after_backslash = true;
            } else if c == '"' {
                self.in_string = false;
            }
            return;
        }
        if self.first.is_none() && !c.is_whitespace() {
            self.first = Some(c);
        }
        match c {
            '"' => self.in_string = true,
            '{' | '[' => self.depth += 1,
            '}' | ']' => {
                self.depth = self.depth.saturating_sub(1);
                self.complete |= self.depth == 0 && self.first == Some('{');
            }
            _ => {}
        }
    }

    /// Anything but white space has come.
    pub(super) fn begun(&self) -> bool {
        self.first.is_some()
    }

    /// The text begins as an object does, so it may go out as it comes.
    pub(super) fn is_object(&self) -> bool {
        self.first == Some('{')
    }

    /// The outermost object has been closed: nothing more can belong to it.
    pub(super) fn complete(&self) -> bool {
        self.complete
    }
}

/// What came as arguments but does not begin as an object, made into one where its meaning is clear:
/// nothing or `null` is no arguments, a string may hold the object's text (encoded twice).
pub(crate) fn as_object_text(text: &str) -> Option<String> {
    let trimmed = text.trim();
    if trimmed.is_empty() || trimmed == "null" {
        return Some("{}".to_owned());
    }
    if trimmed.starts_with('"') {
        let inner: String = serde_json::from_str(trimmed).ok()?;
        let is_object = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&inner).is_ok();
        return is_object.then_some(inner);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tracked(text: &str) -> ArgumentsTracker {
        let mut tracker = ArgumentsTracker::default();
        tracker.feed(&JsonText::from_plain(text));
        tracker
    }

    #[test]
    fn knows_when_the_object_is_closed() {
        for text in ["{}", " {\"a\": {\"b\": [1, {}]}}", r#"{"a": "}\"{", "b": "\\"}"#] {
            assert!(tracked(text).complete(), "{text}");
        }
        for text in ["", "{", r#"{"a": "}"#, r#"{"a": "\"}"#, "[{}]", "null", "\"{}\""] {
            assert!(!tracked(text).complete(), "{text}");
        }
    }

    #[test]
    fn odd_arguments_become_objects_where_that_is_clear() {
        assert_eq!(as_object_text(" null ").as_deref(), Some("{}"));
        assert_eq!(as_object_text(r#""{\"a\": 1}""#).as_deref(), Some("{\"a\": 1}"));
        assert_eq!(as_object_text("[1]"), None);
        assert_eq!(as_object_text("\"plain\""), None);
    }
}
