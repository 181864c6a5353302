//! How an answer is to be looked through, by settings and by what is known of the model.

use super::request::{Options, Translator, lock};
use super::supply::ToolSupply;
use crate::backend::Model;
use crate::recover::RecoveryPlan;
use crate::toolcall::{Chosen, Selection, ToolFormat, by_name};

impl Translator {
    /// The plan for an answer of the model of this name. `thinks` where the request does not switch thinking off.
    pub(super) fn recovery(&self, name: &str, facts: Option<&Model>, thinks: bool) -> RecoveryPlan {
        // What answers have shown counts more than what the template seems to do.
        let habit = lock(&self.habits).of(name).prompt_opens_thinking;
        let opens = || habit.or_else(|| facts?.opens_thinking).unwrap_or(false);
        RecoveryPlan {
            off: self.options.tool_format == ToolFormat::Off,
            selection: selection(&self.options, name, facts),
            prompt_opens_thinking: self.options.prompt_opens_thinking.unwrap_or_else(|| thinks && opens()),
            is_guess: self.options.prompt_opens_thinking.is_none(),
            keeps_text: false,
        }
    }
}

/// How a model gets its tools and how its calls are read, for people.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct ToolPlan {
    /// The server's name for the model.
    pub model: String,
    /// How it gets them: `interface`, `prompt` or `not`.
    pub tools: &'static str,
    /// The formats that its text is looked through for; `None` where it is passed on as it is.
    pub calls: Option<Chosen>,
}

impl std::fmt::Display for ToolPlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.tools {
            "interface" => "tools by the server's interface",
            "prompt" => "tools in the prompt",
            _ => "no tools",
        })?;
        match &self.calls {
            Some(chosen) => write!(f, "; calls in its text: {chosen}"),
            None => f.write_str("; its text is passed on as it is"),
        }
    }
}

impl Translator {
    /// Whether the tools go into the prompt of a model that is known to take none.
    pub fn describes_tools(&self) -> bool {
        self.options.tools.is_text(Some(false))
    }

    /// How this model gets its tools, and how its calls are read.
    pub fn tool_plan(&self, model: &Model) -> ToolPlan {
        let tools = match self.options.tools {
            ToolSupply::Off => "not",
            supply if supply.is_text(model.tools) => "prompt",
            _ => "interface",
        };
        let is_off = self.options.tool_format == ToolFormat::Off;
        let calls = (!is_off).then(|| selection(&self.options, &model.id, Some(model)).chosen());
        ToolPlan { model: model.id.clone(), tools, calls }
    }
}

/// The formats that a model's answers are looked through for.
fn selection(options: &Options, name: &str, facts: Option<&Model>) -> Selection {
    if let ToolFormat::Named(format) = options.tool_format
        && let Some(format) = by_name(format)
    {
        return Selection::named(format);
    }
    // Requests may go by a name that stands for the loaded model.
    let name = facts.map_or(name, |model| &model.id);
    match facts.and_then(|model| by_name(model.tool_format?)) {
        Some(format) => Selection::by_template(format, name),
        None => Selection::by_model(name),
    }
}
