//! The place where two prompts part, for people to read.

use serde::Serialize;

use super::prompt::{Part, Prompt};

/// Characters that are shown of either side.
const SHOWN: usize = 80;

/// How far back the word begins in which the difference lies; nothing that is longer is shown.
const MAX_WORD: usize = 256;

/// Bytes that are looked at for secrets before they are cut to what is shown: keys are shorter than what is left.
const LOOKED_AT: usize = 256;

/// Bytes before a word that may announce a secret, such as the name of a header.
const ANNOUNCING: usize = 64;

/// The first place where two prompts differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Difference {
    /// `system`, `tool NAME`, or `message N (ROLE)`, counted from zero without the system message.
    pub part: String,
    /// The field of that part, such as `content` or `tool_calls`.
    pub block: String,
    /// Bytes from the start of the part.
    pub offset: u64,
    /// What stood there before: at most 80 characters, without secrets.
    pub before: String,
    /// What stands there now.
    pub now: String,
}

pub(super) fn find(before: &Prompt, now: &Prompt, at: usize, mask: &dyn Fn(&str) -> String) -> Difference {
    let part = now.part_at(at);
    let range = now.range_of(part).unwrap_or(at..at);
    let bytes = now.bytes_of(part).unwrap_or_default();
    let offset = at.saturating_sub(range.start);
    Difference {
        part: name(now, part),
        block: block(bytes.get(..offset).unwrap_or_default()),
        offset: offset as u64,
        before: excerpt(before, at, mask),
        now: excerpt(now, at, mask),
    }
}

pub(super) fn name(prompt: &Prompt, part: Part) -> String {
    match part {
        Part::System => "system".to_owned(),
        Part::Tool(place) => format!("tool {}", prompt.tool_names().nth(place).unwrap_or_default()),
        Part::Message(place) => format!("message {place} ({})", prompt.role(place)),
    }
}

/// The field that has begun last.
fn block(written: &[u8]) -> String {
    let keys = ["content", "tool_calls", "reasoning_content", "reasoning", "thinking", "description", "parameters"];
    let keys = keys.iter().chain(&["input_schema", "input", "name", "role"]);
    let last = |key: &&&str| memchr::memmem::rfind(written, format!("\"{key}\":").as_bytes());
    keys.filter_map(|key| Some((last(&key)?, *key))).max().map_or("", |(_, key)| key).to_owned()
}

/// The text around a place, from the start of its word.
fn excerpt(prompt: &Prompt, at: usize, mask: &dyn Fn(&str) -> String) -> String {
    let text = prompt.text();
    let begun = text.get(at.saturating_sub(MAX_WORD)..at).unwrap_or_default();
    let is_gap = |byte: &u8| matches!(byte, b' ' | b'"' | b',' | b'{' | b'}' | b'\\');
    let word = match begun.iter().rposition(is_gap) {
        // An escape belongs to what stands before it.
        Some(gap) if begun.get(gap) == Some(&b'\\') => (begun.len() - gap).saturating_sub(2),
        Some(gap) => begun.len() - gap - 1,
        // The middle of something very long may be the middle of a key.
        None if begun.len() == MAX_WORD => return "[in a long word]".to_owned(),
        None => begun.len(),
    };
    let end = prompt.range_of(prompt.part_at(at)).map_or(text.len(), |range| range.end.max(at));
    // What announces a secret stands before it.
    let announced = text.get((at - word).saturating_sub(ANNOUNCING)..at - word).unwrap_or_default();
    let shown = text.get(at - word..end.min(at + LOOKED_AT)).unwrap_or_default();
    // Words end at line ends, which stand here as escapes.
    let lines = |text: &[u8]| String::from_utf8_lossy(text).replace("\\n", "\n").replace("\\t", "\t");
    let announced = lines(announced);
    let whole = mask(&(announced.clone() + &lines(shown)));
    match whole.strip_prefix(&mask(&announced)) {
        Some(shown) => shown.chars().take(SHOWN).collect::<String>().replace('\n', "\\n").replace('\t', "\\t"),
        None => "[redacted]".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::prompt::tests::prompt;
    use super::*;

    fn differ(before: &Prompt, now: &Prompt) -> Difference {
        let at = super::super::compare::shared(before.text(), now.text());
        find(before, now, at, &|text| text.replace("sk-secret", "[redacted]"))
    }

    #[test]
    fn the_place_is_named_and_shown() {
        let before = prompt("Today is Monday.", &["Bash"], &[("user", "Hi"), ("assistant", "I think so")]);
        let now = prompt("Today is Sunday.", &["Bash"], &[("user", "Hi"), ("assistant", "I thought so")]);
        let found = differ(&before, &now);
        assert_eq!((found.part.as_str(), found.block.as_str()), ("system", "content"));
        assert_eq!((found.before.as_str(), found.now.as_str()), ("Monday.\"}", "Sunday.\"}"));

        let now = prompt("Today is Monday.", &["Bash"], &[("user", "Hi"), ("assistant", "I thought so")]);
        let found = differ(&before, &now);
        assert_eq!(found.part, "message 1 (assistant)");
        assert_eq!((found.before.as_str(), found.now.as_str()), ("think so\"}", "thought so\"}"));

        let now = prompt("Today is Monday.", &["Bath"], &[("user", "Hi")]);
        let found = differ(&before, &now);
        assert_eq!((found.part.as_str(), found.block.as_str()), ("tool Bath", "name"));
    }

    #[test]
    fn secrets_are_known_by_what_announces_them() {
        let mask = crate::translate::backend_error::redact_body;
        for (announced, secret) in [("Authorization: Bearer ", "abc123def456ghi"), ("password: ", "hunter2secret9")] {
            let before = prompt(&format!("{announced}{secret}"), &[], &[]);
            let now = prompt(&format!("{announced}x{secret}"), &[], &[]);
            let at = super::super::compare::shared(before.text(), now.text());
            let found = find(&before, &now, at, &mask);
            assert!(!found.before.contains(secret) && !found.now.contains(secret), "{found:?}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let before = prompt("key sk-secret1 end", &[], &[]);
        let found = differ(&before, &prompt("key sk-secret2 end", &[], &[]));
        assert!(!found.before.contains("sk-secret") && !found.now.contains("sk-secret"), "{found:?}");
        let long = |end: &str| prompt(&("x".repeat(400) + end), &[], &[]);
        let found = differ(&long("a"), &long("b"));
        assert_eq!(found.now, "[in a long word]");
        let wide = |end: &str| prompt(&("é".repeat(30) + end), &[], &[]);
        assert!(differ(&wide("ä"), &wide("ö")).now.chars().count() <= SHOWN);
    }
}
