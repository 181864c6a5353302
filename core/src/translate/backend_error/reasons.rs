//! Causes that a sentence names better than its status does.

use crate::wire::{ApiError, ErrorType};

use super::body::Said;
use super::figures::plain;
use super::message::with_words;
use super::refused::{RefusedParameter, capability};
use super::{BackendFailure, retry_after};

/// The error for a cause that is recognised by its wording, or `None`.
pub(super) fn find(failure: &BackendFailure<'_>, said: &Said) -> Option<ApiError> {
    let text = plain(&said.message);
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let name = failure.backend;
    // 402 says the same and is answered by its status.
    if failure.status != 402 && is_quota(said, &text) {
        return Some(
            ApiError::of(
                ErrorType::RateLimit,
                with_words(&format!("the account at the backend ({name}) has no quota left"), &said.message),
            )
            .with_should_retry(false),
        );
    }
    if failure.status == 429 || has(RATE_LIMIT) || RATE_LIMIT_WORDS.iter().any(|word| said.has_word(word)) {
        let error = ApiError::of(
            ErrorType::RateLimit,
            with_words(&format!("the backend ({name}) limits the rate of requests"), &said.message),
        );
        return Some(error.with_retry_after(retry_after::find(failure, said)));
    }
    if matches!(failure.status, 401 | 403)
        || has(KEY)
        || said.has_word("invalid_api_key")
        || said.has_word("authentication_error")
    {
        return Some(refused_key(failure, said));
    }
    if has(LOADING) {
        let error =
            ApiError::api(503, with_words(&format!("the backend ({name}) is still loading the model"), &said.message));
        return Some(error.with_retry_after(Some(retry_after::find(failure, said).unwrap_or(LOADING_RETRY_SECONDS))));
    }
    // Grammar before model: "model" stands in many grammar errors.
    if has(GRAMMAR) {
        return Some(grammar(failure, said));
    }
    if is_unknown_model(failure, said, &text) {
        return Some(ApiError::of(
            ErrorType::NotFound,
            with_words(&format!("the backend ({name}) does not have this model"), &said.message),
        ));
    }
    if let Some(ability) = capability(said) {
        return Some(missing_ability(failure, said, ability));
    }
    // The server's own sentence: Claude Code looks for its wording and resends without inline
    // system messages.
    has(TEMPLATE).then(|| {
        ApiError::invalid_request(with_words(
            &format!("the backend's ({name}) chat template refused the conversation"),
            &said.message,
        ))
    })
}

/// 403 and never 401: Claude Code retries a 401 for over a minute, and its own login is not meant.
fn refused_key(failure: &BackendFailure<'_>, said: &Said) -> ApiError {
    let (name, status) = (failure.backend, failure.status);
    let lead = if failure.clients_key {
        format!(
            "the server refused the key of this request (status {status}); send one that it accepts as `x-api-key` or `authorization: Bearer`, as Claude Code does by ANTHROPIC_API_KEY or ANTHROPIC_AUTH_TOKEN"
        )
    } else {
        format!(
            "the backend ({name}) refused anyclaude's key (status {status}); set the environment variable ANYCLAUDE_API_KEY to a key that it accepts"
        )
    };
    ApiError::of(ErrorType::Permission, with_words(&lead, &said.message))
}

fn grammar(failure: &BackendFailure<'_>, said: &Said) -> ApiError {
    let lead = format!(
        "the backend ({}) could not turn the JSON schema of a tool into a grammar; leave out the tool or MCP server with the unusual schema (often a `pattern` or a large repetition), or update the backend",
        failure.backend
    );
    ApiError::invalid_request(with_words(&lead, &said.message))
}

/// What the model or the server cannot do at all; seen only if sending it without did not help.
fn missing_ability(failure: &BackendFailure<'_>, said: &Said, ability: RefusedParameter) -> ApiError {
    let name = failure.backend;
    let lead = match ability {
        RefusedParameter::Images => format!("the model at the backend ({name}) takes no images"),
        RefusedParameter::Tools => format!(
            "the model at the backend ({name}) takes no tools, or the server needs a flag for them (vLLM: --enable-auto-tool-choice and --tool-call-parser, llama.cpp: --jinja)"
        ),
        other => format!("the backend ({name}) refused {}", other.as_str()),
    };
    ApiError::invalid_request(with_words(&lead, &said.message))
}

/// Only a missing model may become 404: Claude Code then blames the selected model.
fn is_unknown_model(failure: &BackendFailure<'_>, said: &Said, text: &str) -> bool {
    if said.has_word("model_not_found") || MODEL_SENTENCES.iter().any(|words| text.contains(words)) {
        return true;
    }
    // "model x not found", in any order; short, so that no other sentence about a model matches.
    let missing = ["not found", "does not exist", "not exist", "is not available", "not a valid model"]
        .iter()
        .any(|words| text.contains(words));
    let client_error = matches!(failure.status, 200..=299 | 400 | 404 | 422);
    client_error && missing && starts_with_model(text) && text.len() <= MAX_MODEL_SENTENCE_BYTES
}

/// Whether the sentence is about a model from its first words on.
fn starts_with_model(text: &str) -> bool {
    let text = text.strip_prefix("error: ").unwrap_or(text);
    ["model ", "the model ", "the requested model", "requested model"].iter().any(|start| text.starts_with(start))
}

fn is_quota(said: &Said, text: &str) -> bool {
    said.has_word("insufficient_quota")
        || text.contains("exceeded your current quota")
        || text.contains("insufficient balance")
        || text.contains("insufficient credits")
}

const RATE_LIMIT: &[&str] =
    &["rate limit", "rate_limit", "ratelimit", "too many requests", "requests per min", "tokens per min"];
const RATE_LIMIT_WORDS: &[&str] = &["rate_limit_exceeded", "rate_limit_error", "too_many_requests"];

const KEY: &[&str] = &[
    "invalid api key",
    "incorrect api key",
    "api key not valid",
    "invalid_api_key",
    "authentication fails",
    "missing api key",
    "invalid bearer token",
];

const LOADING: &[&str] = &[
    "loading model",
    "model is loading",
    "model is still loading",
    "model is currently loading",
    "is currently loading",
    "model loading in progress",
    "model is warming",
    "warming up",
    "server is starting",
    "model not ready",
    "model is not ready",
    "not loaded yet",
];

const GRAMMAR: &[&str] = &[
    "failed to parse grammar",
    "failed to initialize samplers",
    "error parsing grammar",
    "invalid grammar",
    "unable to generate parser for this template",
    "json schema conversion failed",
    "failed to convert json schema",
    "failed to compile grammar",
    "grammar compilation",
    "grammar error",
    "features not supported by xgrammar",
    "features unsupported by xgrammar",
    "invalid json schema",
    "schema_to_grammar",
    "unrecognized schema",
    "error resolving ref",
];

const MODEL_SENTENCES: &[&str] = &[
    // mlx-lm: the hub's message for a name that it tried to load
    "repository not found for url",
    "is not a local folder and is not a valid model identifier",
    "is not a valid model id",
    "no models loaded",
    "try pulling it first",
    "invalid model name passed in",
    "unknown model",
    "model not exist",
    "model_not_found",
    "model not found",
    "no such model",
];

const TEMPLATE: &[&str] = &[
    "system message must be at the beginning",
    "conversation roles must alternate",
    "jinja exception",
    "jinja template",
    "error rendering prompt",
    "template error",
    "templateerror",
    "chat template",
    "undefinederror",
    "after the optional system message",
    "only user and assistant roles are supported",
    "system role not supported",
    "cannot have 2 or more assistant messages",
    "unexpected message role",
    "unable to apply chat template",
];

/// Wait for a model that loads. Claude Code makes ten tries, so this is some 150 seconds of
/// patience, about what its own backoff gives, with a retry soon after the model is there.
pub(super) const LOADING_RETRY_SECONDS: u32 = 15;

/// A sentence on a missing model is short: a name and a few words.
const MAX_MODEL_SENTENCE_BYTES: usize = 400;
