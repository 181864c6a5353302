//! A backend's refusal, as the answer for the client.

use serde::Deserialize;
use serde_json::Value;

use super::read::strict;
use crate::error::Result;
use crate::exchange::{Refusal, Reply};
use crate::translate::RequestContext;
use crate::wire::ApiError;

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct Head {
    content_type: Option<String>,
    retry_after: Option<String>,
}

impl RequestContext {
    /// What the client is told when the server has refused this request with this status and body. `head` is a JSON
    /// object with the server's headers `content_type` and `retry_after`, as far as it sent them, or no bytes.
    ///
    /// ```
    /// use anyclaude_core::RequestContext;
    ///
    /// let context = RequestContext::from_json(br#"{"model":"claude-x","backend":"mlx-lm"}"#)?;
    /// let error = context.failure(503, b"", br#"{"error":"loading"}"#)?;
    /// assert!(error.to_answer_json().starts_with(r#"{"status":"#));
    /// # Ok::<(), anyclaude_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for a head that makes no sense. Any status and body will do.
    pub fn failure(&self, status: u16, head: &[u8], body: &[u8]) -> Result<ApiError> {
        let head: Head = if head.is_empty() { Head::default() } else { strict("head", head)? };
        let (content_type, retry_after) = (head.content_type, head.retry_after);
        Ok(Refusal { status, content_type, retry_after, body: body.to_vec(), clients_key: false }.classify(self))
    }
}

impl ApiError {
    /// The answer that a server of the Messages API gives: an object with `status`, `headers` (an object) and `body`
    /// (an object).
    #[must_use]
    pub fn to_answer_json(&self) -> String {
        let pairs =
            Reply::error(self, "").headers.into_iter().map(|(name, value)| (name.to_owned(), Value::from(value)));
        let headers = Value::Object(pairs.collect());
        let body = String::from_utf8_lossy(&self.to_json_without_id()).into_owned();
        format!(r#"{{"status":{},"headers":{headers},"body":{body}}}"#, self.status)
    }
}
