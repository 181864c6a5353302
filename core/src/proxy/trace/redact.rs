//! Keeps keys and tokens out of traces.

use hyper::HeaderMap;
use hyper::header::HeaderName;
use serde_json::{Map, Value};

use crate::proxy::control::CONTROL;
use crate::secret::{Secret, Secrets};
use crate::translate::backend_error::redact_body;

/// What stands in place of a header that is all secret.
const MASK: &str = "[redacted]";

/// A text without the secrets that are known, and without what looks like one.
pub(super) fn text(secrets: &Secrets, text: &str) -> String {
    redact_body(&secrets.mask(text))
}

/// Parts of the names of headers that carry keys, whoever made them up.
const SECRET_NAMES: [&str; 8] = ["auth", "cookie", "credential", "key", "password", "secret", "session-token", "token"];

/// Whether a header carries a key. Names that only count tokens do not.
fn is_secret(name: &HeaderName) -> bool {
    let name = name.as_str();
    let counts = name.starts_with("anthropic-ratelimit") || name.starts_with("x-ratelimit") || name.ends_with("-count");
    *name == *CONTROL.as_str() || (!counts && SECRET_NAMES.iter().any(|part| name.contains(part)))
}

/// Headers as an object; those that carry keys tell only that they were there.
pub(super) fn headers(secrets: &Secrets, headers: &HeaderMap) -> Value {
    let mut shown = Map::new();
    for (name, value) in headers {
        let value = match is_secret(name) {
            true => MASK.to_owned(),
            false => text(secrets, &String::from_utf8_lossy(value.as_bytes())),
        };
        shown.insert(name.as_str().to_owned(), Value::String(value));
    }
    Value::Object(shown)
}

/// What a client sends to show who it is: a server may repeat it anywhere.
pub(super) fn credentials(headers: &HeaderMap) -> impl Iterator<Item = Secret> + '_ {
    let values = headers.iter().filter(|(name, _)| is_secret(name)).filter_map(|(_, value)| value.to_str().ok());
    let bare = values.map(|value| {
        let (_, bare) = value.split_once(' ').unwrap_or(("", value));
        Secret::new(bare.trim())
    });
    // The word that launchers put there is no secret, and occurs everywhere.
    bare.filter(|secret| secret.expose() != crate::launch::PLACEHOLDER_TOKEN)
}
