//! A client of the Messages API, for the checks and for measuring.

use std::io::{BufRead, BufReader};
use std::time::Duration;

use serde_json::{Value, json};
use ureq::Agent;

use crate::json;

/// How long one answer may take: a small machine reads its prompt for minutes.
const PATIENCE: Duration = Duration::from_secs(600);

pub(in crate::commands) struct Client {
    agent: Agent,
    url: String,
    key: String,
    model: String,
}

impl Client {
    /// A client that asks for a model by its name. A proxy for a local server takes any.
    pub(in crate::commands) fn new(base: &str, key: Option<String>, model: Option<String>) -> Self {
        let config = Agent::config_builder().timeout_global(Some(PATIENCE)).proxy(None).http_status_as_error(false);
        Client {
            agent: config.build().into(),
            url: format!("{base}/v1/messages"),
            key: key.unwrap_or_else(|| anyclaude_core::launch::PLACEHOLDER_TOKEN.to_owned()),
            model: model.unwrap_or_else(|| "claude-doctor".to_owned()),
        }
    }

    fn post(&self, headers: &[(&str, &str)], body: &Value) -> Result<ureq::Body, String> {
        let mut body = body.clone();
        if let Some(object) = body.as_object_mut() {
            object.insert("model".to_owned(), self.model.as_str().into());
        }
        let request = self.agent.post(&self.url).header("x-api-key", &self.key);
        let request = request.header("anthropic-version", "2023-06-01");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        // Written here, since `send_json` indents: clients do not, and the proxy passes schemas on as they are.
        let request = request.header("content-type", "application/json");
        let mut answer = request.send(body.to_string()).map_err(|error| error.to_string())?;
        if answer.status().is_success() {
            return Ok(answer.into_body());
        }
        let said: Value = answer.body_mut().read_json().unwrap_or_default();
        Err(format!("HTTP {}: {}", answer.status().as_u16(), json::text(&said, "/error/message")))
    }

    /// A whole answer.
    pub(in crate::commands) fn message(&self, body: &Value) -> Result<Value, String> {
        self.post(&[], body)?.read_json().map_err(|error| error.to_string())
    }

    /// Streams an answer; `each` gets the events and says whether to go on. Leaving closes the connection.
    pub(super) fn events(&self, body: Value, each: &mut dyn FnMut(&Value) -> bool) -> Result<(), String> {
        self.events_with(&[], body, each)
    }

    /// The same with headers of a certain client.
    pub(in crate::commands) fn events_with(
        &self,
        headers: &[(&str, &str)],
        mut body: Value,
        each: &mut dyn FnMut(&Value) -> bool,
    ) -> Result<(), String> {
        if let Some(object) = body.as_object_mut() {
            object.insert("stream".to_owned(), true.into());
        }
        let mut answer = self.post(headers, &body)?;
        for line in BufReader::new(answer.as_reader()).lines() {
            let line = line.map_err(|error| error.to_string())?;
            let Some(event) = line.strip_prefix("data:").and_then(|data| serde_json::from_str::<Value>(data).ok())
            else {
                continue;
            };
            if json::text(&event, "/type") == "error" {
                return Err(json::text(&event, "/error/message").to_owned());
            }
            if !each(&event) {
                break;
            }
        }
        Ok(())
    }
}

/// A request with one question.
pub(in crate::commands) fn question(text: &str, max_tokens: u64) -> Value {
    json!({"max_tokens": max_tokens, "messages": [{"role": "user", "content": text}]})
}

/// Whether an event is a piece of the answer.
pub(super) fn is_piece(event: &Value) -> bool {
    json::text(event, "/type") == "content_block_delta"
}
