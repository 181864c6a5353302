//! The translator.

use std::mem::MaybeUninit;

use anyclaude_core::RequestMeta;

use crate::buffer::Buffer;
use crate::error::Error;
use crate::guard::{free, guard};
use crate::handle::{Bytes, Guarded, hand_over, required};
use crate::status::Status;

/// Translates requests for one backend. Any number of threads may use one at the same time.
pub struct Translator(Guarded<anyclaude_core::Translator>);

/// Makes a translator.
///
/// `config_json` is an object with the optional keys `backend` (`"openai"` if left out), `model` (the
/// backend's model for requests that ask for a Claude model), `max_output_tokens` and `backend_api` (`"chat"`
/// if left out, or `"messages"` for the backend's own Messages API). Free `*out` with
/// `anyclaude_translator_free`.
///
/// Fails with `ANYCLAUDE_CONFIG` if a key is unknown or its value makes no sense; then `*out` is left
/// as it is, and `*error` is set unless `error` is NULL.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_translator_new(
    config_json: Bytes,
    out: Option<&mut MaybeUninit<Option<Box<Translator>>>>,
    error: Option<&mut MaybeUninit<Option<Box<Error>>>>,
) -> Status {
    guard(error, || {
        let out = required(out, "out")?;
        let translator = anyclaude_core::Translator::from_config_json(config_json.get("config_json")?)?;
        hand_over(out, Translator(Guarded::new(translator)));
        Ok(())
    })
}

/// Frees a translator, once no thread uses it any more. NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_translator_free(translator: Option<Box<Translator>>) {
    free(translator);
}

/// Translates the body of a `POST /v1/messages` into that of a `POST /v1/chat/completions`.
///
/// Free `*out` with `anyclaude_buffer_free`.
///
/// Fails with `ANYCLAUDE_INVALID_REQUEST` if the body cannot be understood, with a message that names
/// the place; then `*out` is left as it is, and `*error` is set unless `error` is NULL.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_translate_request(
    translator: Option<&Translator>,
    request_json: Bytes,
    out: Option<&mut MaybeUninit<Option<Box<Buffer>>>>,
    error: Option<&mut MaybeUninit<Option<Box<Error>>>>,
) -> Status {
    guard(error, || {
        let translator = required(translator, "translator")?;
        let out = required(out, "out")?;
        let json = request_json.get("request_json")?;
        let body = translator.0.call(|core| Ok(core.request_json(json, &RequestMeta::default())?.body))?;
        hand_over(out, Buffer(body));
        Ok(())
    })
}
