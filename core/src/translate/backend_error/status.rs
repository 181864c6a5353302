//! What a status alone tells, when the wording told nothing.

use crate::wire::{ApiError, ErrorType};

use super::body::Said;
use super::figures::plain;
use super::message::{clean, is_present, with_words};
use super::reasons::LOADING_RETRY_SECONDS;
use super::{BackendFailure, retry_after};

/// The error for a status. A body inside a 2xx answer counts with the status that it names.
pub(super) fn by_status(failure: &BackendFailure<'_>, said: &Said) -> ApiError {
    let status = if failure.status < 400 { said.status.unwrap_or(failure.status) } else { failure.status };
    let name = failure.backend;
    if NO_SUCH_PATH.iter().any(|words| plain(&said.message).contains(words)) {
        return wrong_path(failure, said);
    }
    match status {
        // The server's own sentence stays whole: the client looks for wordings in it.
        400 | 406 | 411..=412 | 415 | 422 | 431 if !said.html => {
            ApiError::invalid_request(with_words(&format!("the backend ({name}) refused the request"), &said.message))
        }
        402 => ApiError::of(
            ErrorType::Permission,
            with_words(&format!("the backend ({name}) asks for payment (status 402)"), &said.message),
        ),
        404 | 405 | 410 => wrong_path(failure, said),
        // Fewer bytes are what a compaction brings, and 413 would be taken for a too large image.
        413 => ApiError::invalid_request(with_words(
            &format!("prompt is too long: the backend ({name}) refused the size of the request (status 413)"),
            &said.message,
        )),
        408 | 409 => ApiError::api(status, broken(failure, said)),
        // Busy or loading. Never 529: Claude Code gives up on it after two seconds.
        503 | 529 => ApiError::api(503, broken(failure, said))
            .with_retry_after(Some(retry_after::find(failure, said).unwrap_or(LOADING_RETRY_SECONDS))),
        500 | 504 => ApiError::api(status, broken(failure, said)),
        // 502 and the CDN's 52x; what is not implemented will not be at the next try either.
        501 | 505 => ApiError::api(502, broken(failure, said)).with_should_retry(false),
        520..=527 => ApiError::api(502, broken(failure, said)).with_retry_after(retry_after::find(failure, said)),
        506..=599 => ApiError::api(500, broken(failure, said)),
        _ => ApiError::api(502, broken(failure, said)),
    }
}

/// 404 and its like for another cause than the model. The same request will meet the same answer.
///
/// mlx-lm answers 404 to whatever goes wrong while it renders the conversation; Python's sentences
/// for that are about the request, and 400 is what they mean.
fn wrong_path(failure: &BackendFailure<'_>, said: &Said) -> ApiError {
    let (name, status) = (failure.backend, failure.status);
    let text = plain(&said.message);
    let contains = |words: &&str| text.contains(*words);
    if !said.html && ABOUT_THE_REQUEST.iter().any(contains) {
        return ApiError::invalid_request(with_words(
            &format!("the backend ({name}) could not read the conversation"),
            &said.message,
        ));
    }
    let generic = said.html || text.len() <= MAX_GENERIC_BYTES || NO_SUCH_PATH.iter().any(contains);
    let hint = if generic {
        "; check --backend-url (it usually ends in /v1) and that the server offers OpenAI chat completions"
    } else {
        ""
    };
    let lead = format!("the backend ({name}) answered {status} to the chat request{hint}");
    ApiError::api(502, with_words(&lead, &said.message)).with_should_retry(false)
}

/// A sentence for a failure of the server itself, never its page.
fn broken(failure: &BackendFailure<'_>, said: &Said) -> String {
    let (name, status) = (failure.backend, failure.status);
    match (said.html, is_present(&said.message)) {
        (true, true) => format!(
            "the backend ({name}) answered with status {status} and a web page titled \"{}\"",
            clean(&said.message)
        ),
        (true, false) => {
            format!("the backend ({name}) answered with status {status} and a web page")
        }
        (false, true) => format!("the backend ({name}) failed with status {status}: {}", clean(&said.message)),
        (false, false) => {
            format!("the backend ({name}) failed with status {status} and said nothing")
        }
    }
}

/// How servers name a path that they do not have; LM Studio does so with status 200.
const NO_SUCH_PATH: &[&str] =
    &["unexpected endpoint or method", "404 page not found", "cannot post /", "file not found", "no route matches"];

/// Sentences of template engines and JSON readers about what was sent.
const ABOUT_THE_REQUEST: &[&str] = &[
    "expecting value",
    "expecting property name",
    "expecting , delimiter",
    "unterminated string",
    "from a mapping",
    "has no attribute",
    "is undefined",
    "content type is supported",
    "unsupported operand",
    "object is not",
    "is not json serializable",
    "tool_calls",
    "tool_call_id",
    "arguments",
    "messages",
];

/// "Not Found" and the like: too short to be about anything but the path.
const MAX_GENERIC_BYTES: usize = 24;
