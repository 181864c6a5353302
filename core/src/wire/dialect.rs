//! Which of two APIs a backend is spoken to in.

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

/// The API by which a backend is asked. Some local servers have the Messages API beside chat
/// completions; their requests are cleaned up and their answers are put in order all the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[cfg_attr(feature = "proxy", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Dialect {
    /// OpenAI chat completions, which every server has.
    #[default]
    Chat,
    /// The Anthropic Messages API, as the server implements it.
    Messages,
}

impl Dialect {
    /// Every dialect.
    pub const ALL: [Dialect; 2] = [Dialect::Chat, Dialect::Messages];

    /// The word users choose it by.
    pub fn as_str(self) -> &'static str {
        match self {
            Dialect::Chat => "chat",
            Dialect::Messages => "messages",
        }
    }

    /// The path below a base URL that ends in `/v1`.
    pub fn path(self) -> &'static str {
        match self {
            Dialect::Chat => "/chat/completions",
            Dialect::Messages => "/messages",
        }
    }

    /// The dialect of a name.
    ///
    /// ```
    /// use anyclaude_core::Dialect;
    ///
    /// assert_eq!(Dialect::by_name("messages")?, Dialect::Messages);
    /// # Ok::<(), anyclaude_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// An unknown name; the message lists the known ones.
    pub fn by_name(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.as_str() == name).ok_or_else(|| {
            let known = Self::ALL.map(Dialect::as_str).join(" or ");
            Error::new(ErrorKind::Config, format!("dialect: {name:?} is not known; choose {known}"))
        })
    }

    /// What an answer is called.
    pub(crate) fn answer(self) -> &'static str {
        match self {
            Dialect::Chat => "chat completion",
            Dialect::Messages => "message",
        }
    }
}
