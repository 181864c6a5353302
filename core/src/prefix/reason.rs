//! Why a prompt differs from the one before it.

use serde::Serialize;

use super::difference::name;
use super::prompt::{Part, Prompt};

/// The kind of a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReasonCode {
    /// The conversation begins.
    FirstRequest,
    /// The same prompt again.
    SameRequest,
    /// The dialogue has grown at its end.
    Appended,
    /// The dialogue went back to an earlier point.
    WentBack,
    /// The request before it went to another model.
    OtherModel,
    /// The system prompt is another.
    System,
    /// A tool was added.
    ToolAdded,
    /// A tool is gone.
    ToolRemoved,
    /// The tools stand in another order.
    ToolOrder,
    /// A tool's description or schema is another.
    ToolChanged,
    /// The dialogue was compacted.
    Compacted,
    /// An answer of the model comes back other than it was.
    Answer,
    /// The result of a tool was changed, or cleared.
    ToolResult,
    /// A message of the user was changed.
    UserMessage,
    /// The prompt is as it was, but the server has not kept it.
    NotKept,
}

/// Why a prompt differs, as a code and in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Reason {
    /// What programs read.
    pub code: ReasonCode,
    /// What people read.
    pub text: String,
}

impl Reason {
    pub(crate) fn new(code: ReasonCode, text: impl Into<String>) -> Self {
        Reason { code, text: text.into() }
    }
}

/// Tool names that a reason lists.
const LISTED: usize = 5;

/// The reason for a difference at this byte.
pub(super) fn find(before: &Prompt, now: &Prompt, at: usize, compacted: bool) -> Reason {
    let (old, new) = (before.part_at(at), now.part_at(at));
    match (old, new) {
        (Part::System, _) | (_, Part::System) => {
            let text = "the system prompt changed; a line that changes by itself can be pinned (--pin-lines)";
            Reason::new(ReasonCode::System, text)
        }
        (Part::Tool(old), Part::Tool(new)) if before.tool_names().nth(old) == now.tool_names().nth(new) => {
            // Whatever was added or is gone stands behind it.
            Reason::new(ReasonCode::ToolChanged, format!("{} was changed", name(now, Part::Tool(new))))
        }
        (Part::Tool(_), _) | (_, Part::Tool(_)) => tools(before, now),
        (Part::Message(place), Part::Message(_)) => message(before, now, place, compacted),
    }
}

fn tools(before: &Prompt, now: &Prompt) -> Reason {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.tool_names().collect(), now.tool_names().collect());
    let only_in = |these: &[&str], those: &[&str]| -> Vec<String> {
        these.iter().filter(|name| !those.contains(name)).map(|name| (*name).to_owned()).collect()
    };
    let (added, removed) = (only_in(&new, &old), only_in(&old, &new));
    match (added.as_slice(), removed.as_slice()) {
        ([], []) => Reason::new(ReasonCode::ToolOrder, "the tools stand in another order"),
        ([], removed) => Reason::new(ReasonCode::ToolRemoved, format!("tools are gone: {}", list(removed))),
        (added, []) => Reason::new(ReasonCode::ToolAdded, format!("tools were added: {}", list(added))),
        (added, removed) => {
            let text = format!("tools were added: {}; and are gone: {}", list(added), list(removed));
            Reason::new(ReasonCode::ToolAdded, text)
        }
    }
}

fn list(names: &[String]) -> String {
    let shown = names.iter().take(LISTED).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > LISTED { format!("{shown} and {} more", names.len() - LISTED) } else { shown }
}

fn message(before: &Prompt, now: &Prompt, place: usize, compacted: bool) -> Reason {
    if compacted {
        return Reason::new(ReasonCode::Compacted, "the dialogue was compacted: a summary stands in its place");
    }
    if now.messages() + 2 < before.messages() {
        let text = "the dialogue went back to an earlier point, and goes on from there otherwise";
        return Reason::new(ReasonCode::WentBack, text);
    }
    let what = name(before, Part::Message(place));
    match before.role(place) {
        "assistant" => {
            Reason::new(ReasonCode::Answer, format!("{what}: the client sends the answer back other than it was"))
        }
        "tool" => Reason::new(ReasonCode::ToolResult, format!("{what}: the client changed or cleared a tool result")),
        _ if place + 1 == before.messages() => {
            let text = format!("{what}: the last message of the request before it is another now");
            Reason::new(ReasonCode::UserMessage, text)
        }
        _ => Reason::new(ReasonCode::UserMessage, format!("{what}: an earlier message was changed")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::compare::shared;
    use super::super::prompt::tests::prompt;
    use super::*;

    type Messages<'m> = &'m [(&'m str, &'m str)];
    const TALK: Messages<'_> = &[("user", "Hi"), ("assistant", "Ho"), ("tool", "ok"), ("user", "On"), ("user", "Go")];

    fn reason(system: [&str; 2], tools: [&[&str]; 2], messages: [Messages<'_>; 2]) -> Reason {
        let before = prompt(system[0], tools[0], messages[0]);
        let now = prompt(system[1], tools[1], messages[1]);
        let at = shared(before.text(), now.text());
        find(&before, &now, at, false)
    }

    #[test]
    fn each_change_has_its_reason() {
        use ReasonCode as C;
        let both: [&[&str]; 2] = [&["A", "B"], &["A", "B"]];
        assert_eq!(reason(["a", "b"], both, [TALK, TALK]).code, C::System);
        for (old, new, code, word) in [
            (&["A", "B"][..], &["B", "A"][..], C::ToolOrder, "order"),
            (&["A", "B"], &["A", "C", "B"], C::ToolAdded, "C"),
            (&["A"], &["A", "B"], C::ToolAdded, "B"),
            (&["A", "B"], &["A"], C::ToolRemoved, "B"),
            (&["A", "B"], &["A", "C"], C::ToolAdded, "gone: B"),
            (&[], &["A"], C::ToolAdded, "A"),
        ] {
            let found = reason(["s", "s"], [old, new], [TALK, TALK]);
            assert_eq!(found.code, code, "{old:?} {new:?}");
            assert!(found.text.contains(word), "{}", found.text);
        }
        for (place, code) in [(0, C::UserMessage), (1, C::Answer), (2, C::ToolResult), (4, C::UserMessage)] {
            let mut changed = TALK.to_vec();
            changed[place].1 = "else";
            let found = reason(["s", "s"], both, [TALK, &changed]);
            assert_eq!(found.code, code);
            assert!(found.text.contains(&format!("message {place}")), "{}", found.text);
        }
        let summary: Messages<'_> = &[("user", "In short")];
        assert_eq!(reason(["s", "s"], both, [TALK, summary]).code, C::WentBack);
        let (before, now) = (prompt("s", &[], TALK), prompt("s", &[], summary));
        let at = shared(before.text(), now.text());
        assert_eq!(find(&before, &now, at, true).code, C::Compacted);
    }

    #[test]
    fn a_changed_tool_is_named() {
        let tool = |parameters: &str| {
            let text = format!(r#"{{"type":"function","function":{{"name":"Bash","parameters":{parameters}}}}}"#);
            let whole = 0..text.len();
            let marks = super::super::Marks { tools: Vec::from([whole]), ..Default::default() };
            Prompt::new(text.as_bytes(), &marks)
        };
        let (before, now) = (tool("{}"), tool(r#"{"a":1}"#));
        let at = shared(before.text(), now.text());
        let found = find(&before, &now, at, false);
        assert_eq!((found.code, found.text.as_str()), (ReasonCode::ToolChanged, "tool Bash was changed"));
    }
}
