//! Puts the model's own words back where the client's echo of them differs in form.

use std::sync::Arc;

use serde_json::{Map, Number, Value};

use super::conversation::{AssistantTurn, Conversation, Turn};
use crate::session::{Spoken, SpokenTurn};

/// What a backend is sent of earlier answers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Replay<'s> {
    pub(super) spoken: &'s Spoken,
    /// The backend takes thinking of earlier answers.
    pub(super) thinking: bool,
    /// Text before calls may be blank.
    pub(super) blank_text: bool,
    /// The client has named the conversation: words of another one cannot get in.
    pub(super) is_named: bool,
}

impl Replay<'_> {
    /// Replays what is known of each answer.
    pub(super) fn apply(&self, conversation: &mut Conversation<'_>) {
        if self.spoken.is_empty() {
            return;
        }
        let mut last = None;
        for turn in &mut conversation.turns {
            if let Turn::Assistant(turn) = turn {
                last = self.turn(turn, last).or(last);
            }
        }
    }

    /// Replays an answer behind the one with the number `last`; gives its own number.
    fn turn(&self, turn: &mut AssistantTurn<'_>, last: Option<u64>) -> Option<u64> {
        let (number, said) = match turn.calls.first() {
            Some(call) => self.spoken.with_call(&call.id.decode())?,
            None if !self.is_named => return None,
            None => self.spoken.with_text(&turn.text, last)?,
        };
        let mut is_same = true;
        for call in &mut turn.calls {
            let Some(written) = said.arguments(&call.id.decode()) else {
                is_same = false;
                continue;
            };
            let echo = call.input.map_or("{}", |input| input.get());
            if **written != *echo {
                let is_echo = is_echo(written, echo);
                is_same &= is_echo;
                call.written = is_echo.then(|| Arc::clone(written));
            }
        }
        // A turn that the client has cut, or joined with another, is its own.
        if said.has_calls(turn.calls.len()) && said.says(&turn.text) {
            self.words(turn, said);
            turn.came = Some(said.came.clone()).filter(|came| is_same && !came.is_empty());
        }
        Some(number)
    }

    fn words(&self, turn: &mut AssistantTurn<'_>, said: &SpokenTurn) {
        let is_fit = !said.text.is_blank() || (self.blank_text && !turn.calls.is_empty());
        if is_fit && !said.text.is_empty() {
            turn.text = vec![said.text.clone()];
        }
        if said.is_no_thought {
            turn.thinking.clear();
        } else if self.thinking && !said.thinking.is_blank() {
            turn.thinking = vec![said.thinking.clone()];
        }
    }
}

/// Whether the client's arguments are the model's own, put in order: keys may stand elsewhere, and be added if they
/// say nothing, values may have become of the right type, blanks at the ends of lines may be gone. Anything else was
/// changed by somebody, and the model must know it.
fn is_echo(written: &str, echo: &str) -> bool {
    let Ok(Value::Object(written)) = serde_json::from_str(written) else { return false };
    let Ok(Value::Object(echo)) = serde_json::from_str::<Value>(echo) else { return false };
    is_same_object(&written, &echo)
}

fn is_same_object(written: &Map<String, Value>, echo: &Map<String, Value>) -> bool {
    let says_nothing = |value: &Value| matches!(value, Value::Null | Value::Bool(false));
    written.iter().all(|(key, value)| echo.get(key).is_some_and(|echoed| is_same(value, echoed)))
        && echo.iter().all(|(key, value)| written.contains_key(key) || says_nothing(value))
}

fn is_same(written: &Value, echoed: &Value) -> bool {
    match (written, echoed) {
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b)),
        (Value::Object(a), Value::Object(b)) => is_same_object(a, b),
        (Value::String(a), Value::String(b)) => a == b || without_ends(a).eq(without_ends(b)),
        // "5000" for 5000, "false" for false, a list or an object as text.
        (Value::String(a), other) => serde_json::from_str::<Value>(a.trim()).is_ok_and(|a| a == *other),
        (Value::Number(a), Value::Number(b)) => a == b || is_same_fraction(a, b),
        (a, b) => a == b,
    }
}

/// 2 for 2.0; whole numbers that only look equal as fractions are not.
fn is_same_fraction(a: &Number, b: &Number) -> bool {
    (a.is_f64() || b.is_f64()) && a.as_f64() == b.as_f64()
}

/// The lines of a text without the blanks at their ends.
fn without_ends(text: &str) -> impl Iterator<Item = &str> {
    text.trim_end().lines().map(str::trim_end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn echoes_are_told_from_changes() {
        for (written, echo) in [
            (r#"{"a": 1}"#, r#"{"a":1}"#),
            (r#"{"b":1,"a":2}"#, r#"{"a":2,"b":1}"#),
            (r#"{"old":"x"}"#, r#"{"replace_all":false,"old":"x"}"#),
            (r#"{"n":"5000","f":"false","l":"[1, 2]"}"#, r#"{"n":5000,"f":false,"l":[1,2]}"#),
            (r#"{"content":"a  \nb\t\n"}"#, r#"{"content":"a\nb"}"#),
            (r#"{"o":{"x":[{"y":1.0}]}}"#, r#"{"o":{"x":[{"y":1,"z":null}]}}"#),
        ] {
            assert!(is_echo(written, echo), "{written} {echo}");
        }
        for (written, echo) in [
            (r#"{"command":"ls"}"#, r#"{"command":"ls -l"}"#),
            (r#"{"a":1,"b":2}"#, r#"{"a":1}"#),
            (r#"{"a":1}"#, r#"{"a":1,"dangerous":true}"#),
            (r#"{"a":1}"#, r#"{"a":1,"cwd":"/"}"#),
            (r#"{"a":9007199254740993}"#, r#"{"a":9007199254740992}"#),
            (r#"{"a":[1]}"#, r#"{"a":[1,2]}"#),
            (r#"{"content":"  a"}"#, r#"{"content":"a"}"#),
            (r#"{"a":1"#, r#"{"__unparsedToolInput":{"raw":"{\"a\":1"}}"#),
            ("[1]", "[1]"),
        ] {
            assert!(!is_echo(written, echo), "{written} {echo}");
        }
    }
}
