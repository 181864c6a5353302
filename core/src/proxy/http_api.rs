//! Paths of the API and what answers them.

use std::convert::Infallible;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use tracing::Instrument;

use super::active::Active;
use super::reply::{REQUEST_ID, ReplyBody};
use super::{Proxy, control, cors, guard, models, passthrough, pipeline, reply};
use crate::backend::Role;
use crate::exchange::{Reply, method_not_allowed};
use crate::ids::Seed;
use crate::wire::{ApiError, ErrorType};

/// Answers a request. Every answer has a `request-id`, every error is an Anthropic envelope; only what is
/// no HTTP at all is refused before this.
pub(super) async fn handle(proxy: Arc<Proxy>, request: Request<Incoming>) -> Result<Response<ReplyBody>, Infallible> {
    let seed = Seed::random();
    let request_id = seed.request_id();
    let (parts, body) = request.into_parts();
    let authority = parts.uri.authority().map(|authority| authority.as_str());
    let is_control = parts.uri.path().starts_with(control::PREFIX);
    // What the owner's programs do is no page's business, allowed or not.
    let origin = guard::allowed_origin(&proxy.config, &parts.headers).filter(|_| !is_control);
    let is_preflight = origin.is_some() && cors::is_preflight(&parts);
    let answer = match guard::check(&proxy.config, &parts.headers, authority, !is_control && !is_preflight) {
        Ok(()) if is_preflight => Ok(cors::preflight(&parts)),
        Ok(()) if is_control => control::answer(&proxy, &parts, body).await,
        Ok(()) => {
            let span = tracing::info_span!("request", id = request_id);
            route(&proxy, &parts, body, seed).instrument(span).await
        }
        Err(error) => Err(error),
    };
    let mut response = answer.unwrap_or_else(|error| {
        tracing::debug!(request_id, status = error.status, path = parts.uri.path(), "{}", error.message);
        reply::error(&error, &request_id)
    });
    // An answer of Anthropic's own has its id.
    if let (Ok(value), false) = (HeaderValue::try_from(request_id), response.headers().contains_key(REQUEST_ID)) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    if let Some(origin) = origin {
        cors::allow(origin, response.headers_mut());
    }
    Ok(response)
}

async fn route(proxy: &Arc<Proxy>, parts: &Parts, body: Incoming, seed: Seed) -> Result<Response<ReplyBody>, ApiError> {
    let path = parts.uri.path();
    let active = &proxy.active();
    if let (Role::PassThrough, Some(server)) = (active.spec.role, active.upstream.server())
        && !path.starts_with("/health")
    {
        return passthrough::forward(proxy, active, server, parts, body, seed).await;
    }
    match path.trim_end_matches('/') {
        "/v1/messages" => {
            allow(parts, &[Method::POST])?;
            pipeline::message(proxy, active, parts, body, seed).await
        }
        "/v1/messages/count_tokens" => {
            allow(parts, &[Method::POST])?;
            count_tokens(proxy, active, parts, body, seed).await
        }
        "" | "/health" | "/health/live" => {
            allow(parts, &[Method::GET, Method::HEAD])?;
            Ok(reply::json(StatusCode::OK, r#"{"status":"ok"}"#))
        }
        "/health/ready" => {
            allow(parts, &[Method::GET, Method::HEAD])?;
            ready(active).await
        }
        "/v1/models" => {
            allow(parts, &[Method::GET, Method::HEAD])?;
            let mut out = Vec::new();
            models::push_list(&mut out, &active.catalog.offered(&active.upstream).await);
            Ok(reply::json(StatusCode::OK, out))
        }
        other => match other.strip_prefix("/v1/models/") {
            Some(id) => {
                allow(parts, &[Method::GET, Method::HEAD])?;
                model(active, &percent_decode(id)).await
            }
            None => elsewhere(other),
        },
    }
}

/// What is not part of the product, in words that tell why.
fn elsewhere(path: &str) -> Result<Response<ReplyBody>, ApiError> {
    // Claude Code's telemetry comes to the base URL as well; an error there makes it try again.
    const TELEMETRY: [&str; 5] = ["/api/event_logging", "/api/claude_c", "/api/eval", "/api/hello", "/v1/code/"];
    if TELEMETRY.iter().any(|prefix| path.starts_with(prefix)) {
        return Ok(reply::json(StatusCode::OK, "{}"));
    }
    let message = if path.starts_with("/v1/files") || path.starts_with("/v1/messages/batches") {
        format!("{path}: files and batches are not supported by this proxy; they exist on Anthropic's servers only")
    } else if path.ends_with("/chat/completions") || path.ends_with("/responses") {
        format!("{path}: this is an Anthropic Messages API; point OpenAI clients at the model server itself")
    } else {
        format!("{path}: no such endpoint; this proxy has /v1/messages, /v1/messages/count_tokens and /v1/models")
    };
    Err(ApiError::of(ErrorType::NotFound, message))
}

fn allow(parts: &Parts, methods: &[Method]) -> Result<(), ApiError> {
    if methods.contains(&parts.method) {
        return Ok(());
    }
    let names: Vec<&str> = methods.iter().map(Method::as_str).collect();
    Err(method_not_allowed(parts.method.as_str(), parts.uri.path(), &names))
}

async fn count_tokens(
    proxy: &Arc<Proxy>,
    active: &Arc<Active>,
    parts: &Parts,
    body: Incoming,
    seed: Seed,
) -> Result<Response<ReplyBody>, ApiError> {
    let tokens = pipeline::count_tokens(proxy, active, parts, body, seed).await?;
    Ok(reply::respond(Reply::token_count(tokens)))
}

async fn ready(active: &Active) -> Result<Response<ReplyBody>, ApiError> {
    match active.catalog.reach(&active.upstream).await {
        Ok(_) => Ok(reply::json(StatusCode::OK, r#"{"status":"ready"}"#)),
        Err(error) => Err(ApiError::new(503, ErrorType::Api, error.message)),
    }
}

/// Any Claude name is served, so it exists; other names must be the backend's.
async fn model(active: &Active, id: &str) -> Result<Response<ReplyBody>, ApiError> {
    let offered = active.catalog.offered(&active.upstream).await;
    if !crate::translate::is_claude_name(id) && !offered.iter().any(|model| model.id == id) {
        let names: Vec<&str> = offered.iter().map(|model| model.id.as_str()).collect();
        let known = if names.is_empty() { "none that it tells of".to_owned() } else { names.join(", ") };
        return Err(ApiError::of(ErrorType::NotFound, format!("model {id:?} is not served; the backend has {known}")));
    }
    let mut out = Vec::new();
    models::push_model(&mut out, id);
    Ok(reply::json(StatusCode::OK, out))
}

/// Ids hold slashes, which clients send as `%2F`.
fn percent_decode(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let ahead: Vec<u8> = bytes.clone().take(2).collect();
        let code = std::str::from_utf8(&ahead)
            .ok()
            .filter(|hex| hex.len() == 2)
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match code.filter(|_| byte == b'%') {
            Some(code) => {
                out.push(code);
                bytes.nth(1);
            }
            None => out.push(byte),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_in_paths_are_decoded() {
        assert_eq!(percent_decode("org%2Fmodel%20x%"), "org/model x%");
        assert_eq!(percent_decode("%zz%4"), "%zz%4");
    }
}
