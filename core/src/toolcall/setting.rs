//! The setting that chooses a format.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::formats::{by_name, formats, unknown};
use crate::error::Error;

/// Which format text is looked through for: what a user sets. Written as `auto`, `off` or a format's name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ToolFormat {
    /// By what is known of the model: its chat template, or else its name; and whatever has markers.
    #[default]
    Auto,
    /// None: text is passed on as it is.
    Off,
    /// The one of this name, and no other.
    Named(&'static str),
}

impl ToolFormat {
    /// The words that the setting takes.
    pub fn words() -> impl Iterator<Item = &'static str> {
        ["auto", "off"].into_iter().chain(formats().map(|format| format.name))
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            ToolFormat::Auto => "auto",
            ToolFormat::Off => "off",
            ToolFormat::Named(name) => name,
        }
    }
}

impl FromStr for ToolFormat {
    type Err = Error;

    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) for a name that is not known; the message lists the known ones.
    fn from_str(word: &str) -> Result<Self, Error> {
        match word {
            "auto" => Ok(ToolFormat::Auto),
            "off" => Ok(ToolFormat::Off),
            _ => match by_name(word) {
                Some(format) => Ok(ToolFormat::Named(format.name)),
                None => Err(unknown("tool_format", word, ToolFormat::words())),
            },
        }
    }
}

impl fmt::Display for ToolFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ToolFormat {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        let unknown = |error: Error| {
            let message = error.message();
            serde::de::Error::custom(message.strip_prefix("tool_format: ").unwrap_or(message))
        };
        word.parse().map_err(unknown)
    }
}

impl Serialize for ToolFormat {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_are_written() {
        for word in ToolFormat::words() {
            assert_eq!(word.parse::<ToolFormat>().unwrap().as_str(), word);
        }
        let error = "herms".parse::<ToolFormat>().unwrap_err();
        assert!(error.message().contains("\"herms\" is not known; choose one of auto, off, hermes, "), "{error}");
    }
}
