//! The control endpoint: what a running proxy tells its owner, and how it is given another backend.

use std::sync::Arc;
use std::time::Instant;

use hyper::body::Incoming;
use hyper::header::HeaderName;
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Response, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::reply::{self, ReplyBody};
use super::{BackendChoice, Proxy, body};
use crate::wire::{ApiError, ErrorType};

/// The header that carries the control token.
pub(super) const CONTROL: HeaderName = HeaderName::from_static("x-anyclaude-control");

/// What an owner's program asks to be proved with the token, before it shows that itself.
const NONCE: HeaderName = HeaderName::from_static("x-anyclaude-nonce");

/// Longer ones are no nonces.
const MAX_NONCE: usize = 128;

/// Where the control endpoint is.
pub(super) const PREFIX: &str = "/anyclaude/";

/// How long the status waits for news of the server.
const PATIENCE: std::time::Duration = std::time::Duration::from_millis(1500);

/// A choice of backend is small.
const MAX_CHOICE: usize = 64 << 10;

/// Lets the owner in, who can read the run file.
#[derive(Debug)]
pub(super) struct Control {
    token: String,
    begun: Instant,
}

impl Control {
    pub(super) fn new() -> Self {
        let mut bytes = [0_u8; 32];
        // Without the system's randomness there is no token, and nobody gets in.
        let token = match getrandom::fill(&mut bytes) {
            Ok(()) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            Err(_) => String::new(),
        };
        Control { token, begun: Instant::now() }
    }

    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// Whether a request shows the token.
    pub(super) fn admits(&self, headers: &HeaderMap) -> bool {
        let given = headers.get(CONTROL).map_or(&[] as &[u8], |value| value.as_bytes());
        !self.token.is_empty() && bool::from(self.token.as_bytes().ct_eq(given))
    }
}

/// Answers requests below [`PREFIX`].
pub(super) async fn answer(proxy: &Arc<Proxy>, parts: &Parts, body: Incoming) -> Result<Response<ReplyBody>, ApiError> {
    if (&parts.method, parts.uri.path().strip_prefix(PREFIX)) == (&Method::GET, Some("proof")) {
        return prove(&proxy.control, &parts.headers);
    }
    if !proxy.control.admits(&parts.headers) {
        let message = "the control token is missing or wrong; it stands in the run file of this proxy";
        return Err(ApiError::new(403, ErrorType::Permission, message));
    }
    let answer = match (&parts.method, parts.uri.path().strip_prefix(PREFIX)) {
        (&Method::GET, Some("status")) => status(proxy).await,
        (&Method::GET, Some("prefix")) => {
            let session = parts.uri.query().and_then(|query| query.strip_prefix("session=")).unwrap_or("");
            json!(proxy.active().translator.prefix_reports(session))
        }
        (&Method::POST, Some("backend")) => {
            let body = body::read(&parts.headers, body, MAX_CHOICE, proxy.config.body_timeout).await?;
            let choice = BackendChoice::from_json(&body).map_err(|error| ApiError::invalid_request(error.message()))?;
            let info = proxy.set_backend(choice).map_err(|error| ApiError::invalid_request(error.message()))?;
            json!({ "backend": info })
        }
        _ => {
            let message = "no such control endpoint; there are GET /anyclaude/status, GET /anyclaude/prefix and POST /anyclaude/backend";
            return Err(ApiError::of(ErrorType::NotFound, message));
        }
    };
    Ok(reply::json(StatusCode::OK, answer.to_string()))
}

/// Shows that this proxy has the token of its run file, and nothing of the token.
fn prove(control: &Control, headers: &HeaderMap) -> Result<Response<ReplyBody>, ApiError> {
    let nonce = headers.get(NONCE).and_then(|nonce| nonce.to_str().ok());
    let nonce = nonce.filter(|nonce| !nonce.is_empty() && nonce.len() <= MAX_NONCE && !control.token.is_empty());
    let Some(nonce) = nonce else {
        return Err(ApiError::invalid_request("x-anyclaude-nonce: a text of at most 128 characters is to be proved"));
    };
    Ok(reply::json(StatusCode::OK, json!({ "proof": proof(&control.token, nonce) }).to_string()))
}

/// What only a holder of the token can say about a nonce.
pub(super) fn proof(token: &str, nonce: &str) -> String {
    // The token is random and of fixed length, so that a plain hash does for a keyed one.
    Sha256::digest(format!("{token}:{nonce}")).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// From what is known: a server that is slow to answer makes nobody wait for this.
async fn status(proxy: &Arc<Proxy>) -> Value {
    let active = proxy.active();
    let _ = tokio::time::timeout(PATIENCE, active.models()).await;
    active.refresh();
    let models = active.catalog.models();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_seconds": proxy.control.begun.elapsed().as_secs(),
        "debug": proxy.config.debug,
        "backend": active.info,
        "reachable": active.catalog.is_reachable(),
        "models": models.to_vec(),
        "warnings": active.warnings.list(),
        "stats": proxy.counters.snapshot(),
    })
}
