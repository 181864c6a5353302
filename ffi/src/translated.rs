//! A translated request: what the server is sent, and what the way back needs.

use std::mem::MaybeUninit;
use std::ptr::NonNull;

use anyclaude_core::RequestContext;

use crate::buffer::{Buffer, append_text};
use crate::error::Error;
use crate::guard::{free, guard};
use crate::handle::{Bytes, hand_over, required};
use crate::status::Status;

/// A request for the backend, and what the way back must know of it. It does not change any more; any number of
/// threads, streams and answers may use one at the same time.
pub struct Translated {
    body: Vec<u8>,
    notes: String,
    context_json: String,
    context: RequestContext,
}

/// Stands for a request that something else has translated, so that its answer can be converted. Its body is empty.
///
/// `context_json` is an object with `model`, the name that the client asked for, and the optional keys `backend`
/// (`"openai"` if left out), `backend_api` (`"chat"` or `"messages"`: the API in which the server answers),
/// `estimated_input_tokens`, `max_tokens` (the limit that the server was sent) and `seed` (an integer that makes
/// the ids of the answer; another for each). Free `*out` with `anyclaude_translated_free`.
///
/// Fails with `ANYCLAUDE_CONFIG` if a key is missing, unknown or makes no sense.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_translated_new(
    context_json: Bytes,
    out: Option<&mut MaybeUninit<Option<Box<Translated>>>>,
    error: Option<&mut MaybeUninit<Option<Box<Error>>>>,
) -> Status {
    guard(error, || {
        let out = required(out, "out")?;
        let context = RequestContext::from_json(context_json.get("context_json")?)?;
        let context_json = context.to_json();
        hand_over(out, Translated { body: Vec::new(), notes: "[]".to_owned(), context_json, context });
        Ok(())
    })
}

/// The JSON body for the server. Lives as long as the object; no bytes for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_translated_body(translated: Option<&Translated>) -> Bytes {
    translated.map_or(Bytes::none(), |translated| Bytes::lend(&translated.body))
}

/// What was dropped, renamed or clamped: a JSON array of sentences. Lives as long as the object; no bytes for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_translated_notes(translated: Option<&Translated>) -> Bytes {
    translated.map_or(Bytes::none(), |translated| Bytes::lend(translated.notes.as_bytes()))
}

/// What the request is, as a JSON object: `model`, `backend_model` (what the server is sent), `backend`,
/// `backend_api`, `stream` (whether the client wants an event stream), `backend_stream` (whether the server is asked
/// for one), `max_tokens`, `estimated_input_tokens` and `window` (both in tokens). Lives as long as the object; no
/// bytes for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_translated_context(translated: Option<&Translated>) -> Bytes {
    translated.map_or(Bytes::none(), |translated| Bytes::lend(translated.context_json.as_bytes()))
}

/// Translates the server's refusal of this request into the answer for the client. Appends a JSON object to `out`:
/// `status`, `headers` (an object) and `body` (an object).
///
/// `status` is the server's, `head_json` an object with its headers `content_type` and `retry_after` as far as it
/// sent them, or no bytes; `body` is whatever it sent.
///
/// Fails with `ANYCLAUDE_CONFIG` if `head_json` makes no sense; any body will do.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_translate_error(
    translated: Option<&Translated>,
    status: u16,
    head_json: Bytes,
    body: Bytes,
    out: Option<NonNull<Buffer>>,
    error: Option<&mut MaybeUninit<Option<Box<Error>>>>,
) -> Status {
    guard(error, || {
        let context = required(translated, "translated")?.context();
        let head = head_json.get("head_json")?;
        let body = body.get("body")?;
        append_text(out, || Ok(context.failure(status, head, body)?.to_answer_json()))
    })
}

/// Frees a translated request. Streams that were made from it go on. NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_translated_free(translated: Option<Box<Translated>>) {
    free(translated);
}

impl Translated {
    pub(crate) fn of(translated: anyclaude_core::Translated) -> Self {
        Translated {
            notes: translated.notes_json(),
            context_json: translated.context.to_json(),
            body: translated.body,
            context: translated.context,
        }
    }

    pub(crate) fn context(&self) -> &RequestContext {
        &self.context
    }
}
