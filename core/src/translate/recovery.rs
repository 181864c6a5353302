//! How an answer is to be looked through, by settings and by what is known of the model.

use super::request::{Options, Translator, lock};
use crate::backend::Model;
use crate::recover::RecoveryPlan;
use crate::toolcall::{Selection, ToolFormat, by_name};

impl Translator {
    /// The plan for an answer of the model of this name. `thinks` where the request does not switch thinking off.
    pub(super) fn recovery(&self, name: &str, facts: Option<&Model>, thinks: bool) -> RecoveryPlan {
        let opens = || facts.and_then(|model| model.opens_thinking).unwrap_or(false) || self.has_habit(name);
        RecoveryPlan {
            off: self.options.tool_format == ToolFormat::Off,
            selection: selection(&self.options, name, facts),
            prompt_opens_thinking: self.options.prompt_opens_thinking.unwrap_or_else(|| thinks && opens()),
        }
    }

    fn has_habit(&self, name: &str) -> bool {
        lock(&self.sessions).habits(&self.known_as(name)).prompt_opens_thinking
    }
}

/// The formats that a model's answers are looked through for.
pub(crate) fn selection(options: &Options, name: &str, facts: Option<&Model>) -> Selection {
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
