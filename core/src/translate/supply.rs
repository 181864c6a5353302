//! How a model gets its tools.

use serde::{Deserialize, Serialize};

/// How a model gets its tools: what a user sets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "proxy", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ToolSupply {
    /// By the server's interface, or described in the prompt where the model is known to take none that way.
    #[default]
    Auto,
    /// By the server's interface, whatever is known of the model.
    On,
    /// Described in the prompt; calls are read from the text of the answer.
    Text,
    /// Not at all.
    Off,
}

impl ToolSupply {
    /// Whether the tools are described in the prompt. `takes` is what is known of the model.
    pub(crate) fn is_text(self, takes: Option<bool>) -> bool {
        match self {
            ToolSupply::Auto => takes == Some(false),
            ToolSupply::Text => true,
            ToolSupply::On | ToolSupply::Off => false,
        }
    }
}
