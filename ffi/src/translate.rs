//! The translator.

use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::time::{SystemTime, UNIX_EPOCH};

use anyclaude_core::{RequestFacts, Seed, Timestamp, prefix_reports_json};

use crate::buffer::{Buffer, append, append_text};
use crate::error::Error;
use crate::guard::{free, guard};
use crate::handle::{Bytes, Shared, hand_over, required};
use crate::status::Status;
use crate::stream::Stream;
use crate::translated::Translated;

/// Translates requests for one backend, and whole answers back. Remembers what conversations need, so that the
/// backend's cache fits their next turn. Any number of threads may use one at the same time.
pub struct Translator(Shared<anyclaude_core::Translator>);

/// Makes a translator.
///
/// `config_json` is an object with the optional keys `backend` (the kind of server, `"openai"` if left out),
/// `model` (the backend's model for requests that ask for a Claude model), `max_output_tokens`, `context_window`
/// (in tokens), `backend_api` (`"chat"` if left out, or `"messages"` for the backend's own Messages API), `tools`
/// (how the model gets its tools: `"auto"`, `"on"`, `"text"` or `"off"`), `tool_format` (the format of calls looked
/// for in its text: `"auto"`, `"off"` or a format's name), `prompt_opens_thinking`, `backend_stream` and `images`
/// (whether images are sent; these three are booleans, and decided by what is known if left out), and
/// `pin_lines` (an array of what lines begin with that stay as a conversation saw them first). Free `*out` with
/// `anyclaude_translator_free`.
///
/// Fails with `ANYCLAUDE_CONFIG` if a key is unknown or its value makes no sense.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_translator_new(
    config_json: Bytes,
    out: Option<&mut MaybeUninit<Option<Box<Translator>>>>,
    error: Option<&mut MaybeUninit<Option<Box<Error>>>>,
) -> Status {
    guard(error, || {
        let out = required(out, "out")?;
        let translator = anyclaude_core::Translator::from_config_json(config_json.get("config_json")?)?;
        hand_over(out, Translator(Shared::new(translator)));
        Ok(())
    })
}

/// Frees a translator, once no thread uses it any more. NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_translator_free(translator: Option<Box<Translator>>) {
    free(translator);
}

/// Translates the body of a `POST /v1/messages` into that of a `POST /v1/chat/completions`, or of the backend's
/// own `POST /v1/messages`.
///
/// `meta_json` tells what is not in the body. It may have no bytes, or be an object with the optional keys
/// `headers` (an object with those of the client: Claude Code names the conversation in them, and what the
/// request is for), `session` and `agent` (names of the conversation, instead of the headers'), `models` (what the
/// server says it has, the loaded one first: names, or objects with `name` and `window` in tokens) and `seed` (an
/// integer that makes the ids of the answer; random unless given). Free `*out` with `anyclaude_translated_free`.
///
/// Fails with `ANYCLAUDE_INVALID_REQUEST` if the body cannot be understood, with a message that names the place,
/// and with `ANYCLAUDE_CONFIG` if `meta_json` makes no sense.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_translate_request(
    translator: Option<&Translator>,
    request_json: Bytes,
    meta_json: Bytes,
    out: Option<&mut MaybeUninit<Option<Box<Translated>>>>,
    error: Option<&mut MaybeUninit<Option<Box<Error>>>>,
) -> Status {
    guard(error, || {
        let translator = required(translator, "translator")?;
        let out = required(out, "out")?;
        let request = request_json.get("request_json")?;
        let facts = RequestFacts::from_json(meta_json.get("meta_json")?)?;
        let translated =
            translator.0.call(|core| Ok(core.request_json(request, &facts.meta(now(), Seed::random()))?))?;
        hand_over(out, Translated::of(translated));
        Ok(())
    })
}

/// Translates a whole answer of the backend into a message for the client, which is appended to `out`, and
/// remembers it.
///
/// Fails with `ANYCLAUDE_BACKEND` if it is no answer, or with what the server's own error means.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_translate_response(
    translator: Option<&Translator>,
    translated: Option<&Translated>,
    response_json: Bytes,
    out: Option<NonNull<Buffer>>,
    error: Option<&mut MaybeUninit<Option<Box<Error>>>>,
) -> Status {
    guard(error, || {
        let translator = required(translator, "translator")?;
        let context = required(translated, "translated")?.context();
        let response = response_json.get("response_json")?;
        append(out, |bytes| {
            let message = translator.0.call(|core| {
                let (message, turn) = core.response_json(context, response)?;
                core.record(context, &turn, now());
                Ok(message)
            })?;
            bytes.extend_from_slice(&message);
            Ok(())
        })
    })
}

/// Remembers the answer that a stream has brought, once it is finished, so that the server's cache fits when the
/// client sends the answer back. Appends a JSON report to `out`: what the prompt shared with the one before
/// it, and why not more; `null` for a stream that broke or was recorded before.
///
/// `prefill_ms` is how long the server read before it said anything, in milliseconds; 0 if nobody has measured it.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_translator_record(
    translator: Option<&Translator>,
    stream: Option<NonNull<Stream>>,
    prefill_ms: u64,
    out: Option<NonNull<Buffer>>,
    error: Option<&mut MaybeUninit<Option<Box<Error>>>>,
) -> Status {
    guard(error, || {
        let translator = required(translator, "translator")?;
        let (context, mut turn) = Stream::turn(stream)?;
        turn.prefill_ms = (prefill_ms > 0).then_some(prefill_ms);
        append_text(out, || {
            let report = translator.0.call(|core| Ok(core.record(&context, &turn, now())))?;
            Ok(report.map_or("null".to_owned(), |report| report.to_json()))
        })
    })
}

/// Appends the last prefix reports of the sessions whose id begins with `session` (no bytes: of all) to `out`: a
/// JSON array, the oldest first.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_translator_prefix_reports(
    translator: Option<&Translator>,
    session: Bytes,
    out: Option<NonNull<Buffer>>,
    error: Option<&mut MaybeUninit<Option<Box<Error>>>>,
) -> Status {
    guard(error, || {
        let translator = required(translator, "translator")?;
        let session = session.text("session")?;
        append_text(out, || translator.0.call(|core| Ok(prefix_reports_json(&core.prefix_reports(session)))))
    })
}

/// Estimates the prompt tokens of a request, for `POST /v1/messages/count_tokens`. Starts no inference and
/// remembers nothing.
///
/// The arguments and failures are those of `anyclaude_translate_request`.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_count_tokens(
    translator: Option<&Translator>,
    request_json: Bytes,
    meta_json: Bytes,
    out: Option<&mut MaybeUninit<u64>>,
    error: Option<&mut MaybeUninit<Option<Box<Error>>>>,
) -> Status {
    guard(error, || {
        let translator = required(translator, "translator")?;
        let out = required(out, "out")?;
        let request = request_json.get("request_json")?;
        let facts = RequestFacts::from_json(meta_json.get("meta_json")?)?;
        out.write(translator.0.call(|core| Ok(core.count_tokens_json(request, &facts.meta(now(), Seed::default()))?))?);
        Ok(())
    })
}

/// The core reads no clock; a door does.
fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{ANYCLAUDE_OK, ANYCLAUDE_POISONED};

    /// By the exports that C calls; only the defect itself has to come from inside.
    #[test]
    fn a_panic_poisons_this_translator_and_no_other() {
        let new = || Translator(Shared::new(anyclaude_core::Translator::from_config_json(b"{}").unwrap()));
        let (faulty, sound) = (new(), new());
        assert!(faulty.0.call::<()>(|_| panic!("a defect")).is_err());
        let request = br#"{"model":"x","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}"#;
        let count = |translator| {
            let place = &mut MaybeUninit::uninit();
            anyclaude_count_tokens(Some(translator), Bytes::lend(request), Bytes::none(), Some(place), None)
        };
        assert_eq!((count(&faulty), count(&sound)), (ANYCLAUDE_POISONED, ANYCLAUDE_OK));
        anyclaude_translator_free(Some(Box::new(faulty)));
    }
}
