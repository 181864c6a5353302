//! The context of an answer, from JSON and as JSON.

use serde::{Deserialize, Serialize};

use super::read::strict;
use crate::backend;
use crate::error::Result;
use crate::ids::Seed;
use crate::translate::RequestContext;
use crate::wire::Dialect;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    model: String,
    #[serde(default = "openai")]
    backend: String,
    #[serde(default)]
    backend_api: Dialect,
    #[serde(default = "one")]
    estimated_input_tokens: u64,
    max_tokens: Option<u64>,
    #[serde(default)]
    seed: u128,
}

fn openai() -> String {
    "openai".to_owned()
}

fn one() -> u64 {
    1
}

impl RequestContext {
    /// The context of an answer to a request that something else has translated, from a JSON object: `model`, the name
    /// that the client asked for, and the optional keys `backend` (default `openai`), `backend_api` (`chat` or
    /// `messages`), `estimated_input_tokens`, `max_tokens` (what the server was sent) and `seed` (an integer that makes
    /// the ids of the answer, another for each).
    ///
    /// ```
    /// use anyclaude_core::RequestContext;
    ///
    /// let context = RequestContext::from_json(br#"{"model":"claude-x","backend":"mlx-lm"}"#)?;
    /// assert_eq!((context.model.as_str(), context.backend), ("claude-x", "mlx-lm"));
    /// # Ok::<(), anyclaude_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) that names the key, or the backends there are.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        let keys: Keys = strict("context", json)?;
        Ok(RequestContext {
            backend: backend::by_name(&keys.backend)?.name,
            dialect: keys.backend_api,
            estimated_input_tokens: keys.estimated_input_tokens,
            max_tokens: keys.max_tokens,
            seed: Seed(keys.seed),
            ..RequestContext::for_model(keys.model)
        })
    }

    /// What callers without Rust types may want to know of it: an object with `model`, `backend_model` (what the
    /// server was sent), `backend`, `backend_api`, `stream` (whether the client wants an event stream),
    /// `backend_stream` (whether the server was asked for one), `max_tokens` (the limit that the server was sent, or
    /// null), `estimated_input_tokens` and `window` (in tokens, or null).
    pub fn to_json(&self) -> String {
        let told = Told {
            model: &self.model,
            backend_model: &self.backend_model,
            backend: self.backend,
            backend_api: self.dialect.as_str(),
            stream: self.stream,
            backend_stream: self.backend_stream,
            max_tokens: self.max_tokens,
            estimated_input_tokens: self.estimated_input_tokens,
            window: self.window,
        };
        serde_json::to_string(&told).unwrap_or_default()
    }
}

/// Written at every request: a struct costs a quarter of a tree.
#[derive(Serialize)]
struct Told<'a> {
    model: &'a str,
    backend_model: &'a str,
    backend: &'a str,
    backend_api: &'a str,
    stream: bool,
    backend_stream: bool,
    max_tokens: Option<u64>,
    estimated_input_tokens: u64,
    window: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_named() {
        let told = |json: &str| RequestContext::from_json(json.as_bytes()).unwrap_err().message().to_owned();
        assert!(told("{}").contains("model"));
        assert!(told(r#"{"model":"x","modl":1}"#).starts_with("context: modl: unknown field"));
        assert!(told(r#"{"model":"x","backend":"nowhere"}"#).contains("nowhere"));
        assert!(told(r#"{"model":7}"#).starts_with("context: model: "));
    }
}
