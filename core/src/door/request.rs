//! What a request brings that is not in its body.

use std::collections::HashMap;

use serde::Deserialize;

use super::read::strict;
use crate::backend::Model;
use crate::error::Result;
use crate::ids::Seed;
use crate::session::{SessionKey, Timestamp};
use crate::translate::{Hints, RequestMeta};

/// An owned [`RequestMeta`], from JSON.
///
/// ```
/// use anyclaude_core::{RequestFacts, Seed, Timestamp, Translator};
///
/// let facts = RequestFacts::from_json(br#"{"session":"s-1","models":[{"name":"qwen3","window":32768}]}"#)?;
/// let translator = Translator::from_config_json(b"{}")?;
/// let body = br#"{"model":"claude-x","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}"#;
/// let translated = translator.request_json(body, &facts.meta(Timestamp(0), Seed(7)))?;
/// assert_eq!((translated.context.backend_model.as_str(), translated.context.window), ("qwen3", Some(32768)));
/// # Ok::<(), anyclaude_core::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct RequestFacts {
    session: SessionKey,
    hints: Hints,
    seed: Option<Seed>,
    models: Vec<Model>,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
#[derive(Default)]
struct Keys {
    session: Option<String>,
    agent: Option<String>,
    seed: Option<u128>,
    models: Vec<Known>,
    headers: HashMap<String, String>,
}

/// A model that the server has: its name, or its name and its window.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a model is its name, or an object with name and window (in tokens)")]
enum Known {
    Name(String),
    Model(Windowed),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Windowed {
    name: String,
    window: Option<u64>,
}

impl RequestFacts {
    /// Reads an object with the optional keys `session` and `agent` (names of the conversation), `headers` (an object
    /// of the client's: Claude Code names the conversation in them, and what the request is for), `models` (what the
    /// server says it has, the loaded one first: names, or objects with `name` and `window` in tokens) and `seed` (an
    /// integer that makes the ids of the answer). No bytes at all are an object without keys.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) that names the key.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        let keys: Keys = if json.is_empty() { Keys::default() } else { strict("meta", json)? };
        let headers: HashMap<String, String> =
            keys.headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
        let header = |name: &str| headers.get(name).cloned();
        let mut session = SessionKey::from_headers(header);
        session.session = keys.session.unwrap_or(session.session);
        session.agent = keys.agent.unwrap_or(session.agent);
        let model = |known| match known {
            Known::Name(name) => Model::named(name),
            Known::Model(Windowed { name, window }) => Model { window, ..Model::named(name) },
        };
        let models = keys.models.into_iter().map(model).collect();
        Ok(RequestFacts { session, hints: Hints::from_headers(header), seed: keys.seed.map(Seed), models })
    }

    /// The facts as a translator takes them. `fresh` is the seed where none was given: it must be another for each
    /// request, since clients drop calls whose id they have seen.
    pub fn meta(&self, now: Timestamp, fresh: Seed) -> RequestMeta<'_> {
        RequestMeta {
            session: self.session.clone(),
            hints: self.hints.clone(),
            now,
            seed: self.seed.unwrap_or(fresh),
            models: &self.models,
            ..RequestMeta::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_name_the_conversation_unless_something_else_does() {
        let json = br#"{"headers":{"X-Claude-Code-Session-Id":"a","x-claude-code-agent-id":"b"},"agent":"c","seed":340282366920938463463374607431768211455}"#;
        let facts = RequestFacts::from_json(json).unwrap();
        let meta = facts.meta(Timestamp(1), Seed(1));
        assert_eq!((meta.session.session.as_str(), meta.session.agent.as_str()), ("a", "c"));
        assert_eq!(meta.seed, Seed(u128::MAX));
        assert_eq!(RequestFacts::from_json(b"").unwrap().meta(Timestamp(1), Seed(5)).seed, Seed(5));
    }

    #[test]
    fn mistakes_are_named() {
        let told = |json: &str| RequestFacts::from_json(json.as_bytes()).unwrap_err().message().to_owned();
        assert!(told(r#"{"sesion":"x"}"#).starts_with("meta: sesion: unknown field"));
        assert!(told(r#"{"models":[7]}"#).starts_with("meta: models[0]: a model is its name"));
        assert!(told("[]").starts_with("meta: must be a JSON object"));
        assert!(told(r#"{"seed":-1}"#).starts_with("meta: seed: "));
    }
}
