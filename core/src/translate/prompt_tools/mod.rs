//! Tools as text, for models and servers that take them in no other way: described ahead of the dialogue, with calls
//! and results written out as the model is asked to write them.

mod style;

use super::content::Part;
use super::conversation::{AssistantTurn, Conversation, Turn, UserTurn};
use super::tools::Offered;
use crate::toolcall::Format;
use crate::wire::JsonText;
use crate::wire::anthropic::ToolChoice;
use style::Style;

/// How a family of models writes calls, ready to describe tools and to write calls out.
#[derive(Clone, Copy, Debug)]
pub(super) struct PromptTools {
    style: &'static Style,
}

impl PromptTools {
    /// In the style of the first of these formats that can be taught, or else as Hermes does.
    pub(super) fn new(formats: &[&'static Format]) -> Self {
        PromptTools { style: style::of(formats) }
    }

    /// The format in which calls come.
    pub(super) fn format(self) -> &'static str {
        self.style.format
    }

    /// What the model is told of its tools.
    pub(super) fn describe(self, offered: &Offered<'_, '_>) -> JsonText<'static> {
        let mut text = String::from(
            "# Tools\n\nYou can call tools. Each is given as a JSON object, with the JSON Schema of its arguments:\n<tools>\n",
        );
        for json in offered.as_json() {
            text.push_str(&json);
            text.push('\n');
        }
        text.push_str("</tools>\n\nTo call a tool, write the call into your answer, in exactly this form:\n");
        self.style.push_example(&mut text);
        text.push_str(
            "\n\nWrite nothing behind your calls: their results are given to you in the next message. For several \
             calls at once, write them one behind the other.",
        );
        JsonText::from_plain(&text)
    }

    /// Writes the calls and the results of a dialogue out as text.
    pub(super) fn write_out(self, conversation: &mut Conversation<'_>) {
        let mut names: Vec<(String, String)> = Vec::new();
        for turn in &mut conversation.turns {
            match turn {
                Turn::Assistant(turn) => {
                    names = turn.calls.iter().map(|call| (plain(&call.id), backend_name(&call.name))).collect();
                    self.calls(turn);
                }
                Turn::User(turn) => self.results(turn, &std::mem::take(&mut names)),
            }
        }
    }

    fn calls(self, turn: &mut AssistantTurn<'_>) {
        if turn.calls.is_empty() {
            return;
        }
        if let Some(came) = turn.came.take() {
            // Thinking that came in the text is in it.
            let whole = plain(&came);
            turn.thinking.retain(|thinking| !whole.contains(plain(thinking).trim()));
            (turn.text, turn.calls) = (vec![came], Vec::new());
            return;
        }
        let texts: Vec<String> = turn.text.iter().map(plain).collect();
        let mut text = texts.join("\n\n");
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        let calls = std::mem::take(&mut turn.calls);
        let calls = calls.iter().map(|call| (backend_name(&call.name), call.arguments().unwrap_or("{}").to_owned()));
        self.style.push_calls(&mut text, &calls.collect::<Vec<_>>());
        turn.text = vec![JsonText::from_plain(&text)];
    }

    fn results(self, turn: &mut UserTurn<'_>, names: &[(String, String)]) {
        let mut parts = Vec::new();
        for result in std::mem::take(&mut turn.results) {
            let id = plain(&result.id);
            let name = names.iter().find(|(known, _)| *known == id).map_or("", |(_, name)| name);
            let texts: Vec<String> = result.text.iter().map(plain).collect();
            let text = style::result(name, &texts.join("\n\n"));
            parts.push(Part::Text(JsonText::from_plain(&text)));
            parts.extend(result.images.into_iter().map(Part::Image));
        }
        turn.parts.splice(0..0, parts);
    }
}

/// What reminds of a choice among the tools, where no parameter can; `None` for a free one.
pub(super) fn demand(choice: &ToolChoice<'_>) -> Option<JsonText<'static>> {
    let mut what = match choice.kind.as_escaped() {
        "any" => vec!["Call a tool now.".to_owned()],
        "none" => vec!["Do not call a tool now.".to_owned()],
        "tool" => vec![format!("Call the tool {} now.", backend_name(choice.name.as_ref()?))],
        _ => Vec::new(),
    };
    if choice.disable_parallel_tool_use == Some(true) {
        what.push("Make one call at a time.".to_owned());
    }
    let what = what.join(" ");
    (!what.is_empty()).then(|| JsonText::from_plain(&format!("<system-reminder>\n{what}\n</system-reminder>")))
}

fn plain(text: &JsonText<'_>) -> String {
    text.decode().into_owned()
}

fn backend_name(name: &JsonText<'_>) -> String {
    let name = plain(name);
    super::context::backend_name(&name).unwrap_or(name)
}
