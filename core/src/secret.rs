//! Keys and tokens, and keeping them out of everything that is said.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// A key or token. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// By hand: an error of the derived one would repeat a number that was meant as a key.
impl<'de> serde::Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(untagged, expecting = "a secret must be a text")]
        enum Given {
            Text(String),
        }
        let Given::Text(text) = Given::deserialize(deserializer)?;
        Ok(Secret(text))
    }
}

impl Secret {
    /// Wraps a secret.
    pub fn new(secret: impl Into<String>) -> Self {
        Secret(secret.into())
    }

    /// The secret itself, for the header or variable it goes into and for nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Secrets that a server might repeat in what it says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Secrets(Arc<[Secret]>);

/// Shorter ones occur in words by chance, and protect nothing.
const SHORTEST: usize = 4;

impl Secrets {
    pub(crate) fn new(secrets: impl IntoIterator<Item = Secret>) -> Self {
        let mut secrets: Vec<Secret> = secrets.into_iter().filter(|secret| secret.0.len() >= SHORTEST).collect();
        // The longest first: one may be the beginning of another.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.0.len()));
        Secrets(secrets.into())
    }

    /// Each of them.
    #[cfg(feature = "proxy")]
    pub(crate) fn all(&self) -> &[Secret] {
        &self.0
    }

    /// The text without any of them.
    pub(crate) fn mask<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut masked = Cow::Borrowed(text);
        for secret in self.0.iter().filter(|secret| text.contains(&secret.0)) {
            masked = Cow::Owned(masked.replace(&secret.0, "[redacted]"));
        }
        masked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_and_never_shown() {
        let secrets = Secrets::new([Secret::new("hunter2"), Secret::new("x")]);
        assert_eq!(secrets.mask("key hunter2 of x is unknown: hunter2"), "key [redacted] of x is unknown: [redacted]");
        let nested = Secrets::new([Secret::new("abcd"), Secret::new("abcdef")]);
        assert_eq!(nested.mask("abcdef"), "[redacted]");
        assert!(matches!(secrets.mask("nothing"), Cow::Borrowed(_)));
        assert!(!format!("{secrets:?}").contains("hunter2"));
    }
}
