//! How a model gets its tools.

use serde::de::IntoDeserializer;
use serde::de::value::{Error as ValueError, StrDeserializer};
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

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
    /// The one of this name.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for another name; the message lists the known ones.
    pub fn by_name(name: &str) -> Result<Self> {
        let reader: StrDeserializer<'_, ValueError> = name.into_deserializer();
        ToolSupply::deserialize(reader).map_err(|error| Error::new(ErrorKind::Config, format!("tools: {error}")))
    }

    /// Whether the tools are described in the prompt. `takes` is what is known of the model.
    pub(crate) fn is_text(self, takes: Option<bool>) -> bool {
        match self {
            ToolSupply::Auto => takes == Some(false),
            ToolSupply::Text => true,
            ToolSupply::On | ToolSupply::Off => false,
        }
    }
}
