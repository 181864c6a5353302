//! Keeps keys and tokens out of traces.

use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION, SET_COOKIE};
use serde_json::{Map, Value};

use crate::proxy::control::CONTROL;
use crate::proxy::upstream::X_API_KEY;
use crate::secret::{Secret, Secrets};
use crate::translate::backend_error::redact_body;

/// What stands in place of a header that is all secret.
const MASK: &str = "[redacted]";

/// A text without the secrets that are known, and without what looks like one.
pub(super) fn text(secrets: &Secrets, text: &str) -> String {
    redact_body(&secrets.mask(text))
}

/// Headers as an object; those that carry keys tell only that they were there.
pub(super) fn headers(secrets: &Secrets, headers: &HeaderMap) -> Value {
    let mut shown = Map::new();
    for (name, value) in headers {
        let is_secret = [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE, SET_COOKIE, X_API_KEY, CONTROL].contains(name);
        let value = if is_secret { MASK.to_owned() } else { text(secrets, &String::from_utf8_lossy(value.as_bytes())) };
        shown.insert(name.as_str().to_owned(), Value::String(value));
    }
    Value::Object(shown)
}

/// What a client sends to show who it is: a server may repeat it anywhere.
pub(super) fn credentials(headers: &HeaderMap) -> impl Iterator<Item = Secret> + '_ {
    let values =
        [AUTHORIZATION, PROXY_AUTHORIZATION, X_API_KEY, CONTROL].into_iter().filter_map(|name| headers.get(name));
    values
        .filter_map(|value| value.to_str().ok())
        .map(|value| {
            let (_, bare) = value.split_once(' ').unwrap_or(("", value));
            Secret::new(bare.trim())
        })
        // The word that launchers put there is no secret, and occurs everywhere.
        .filter(|secret| secret.expose() != crate::launch::PLACEHOLDER_TOKEN)
}
