//! Why an answer ended, in the words of every server.

use crate::event::{Event, EventSink, Stop};
use crate::wire::{ApiError, JsonText};

/// Tells the sink why the answer ended. False when the reason means that it was broken off, which is
/// told as a failure; `field` is the server's name for the reason.
pub(super) fn tell(
    field: &str,
    reason: &JsonText<'_>,
    sequence: Option<JsonText<'_>>,
    sink: &mut dyn EventSink,
) -> bool {
    let reason = reason.decode();
    match stop(&reason, sequence.map(|sequence| sequence.decode().into_owned())) {
        Some(stop) => {
            sink.event(Event::Stop(stop));
            true
        }
        None => {
            let message = format!("the backend gave up the answer ({field} {reason:?})");
            sink.event(Event::Failure(ApiError::api(502, message)));
            false
        }
    }
}

/// `None` when the answer is broken off.
fn stop(reason: &str, sequence: Option<String>) -> Option<Stop> {
    Some(match reason.to_ascii_lowercase().as_str() {
        "length" | "max_tokens" | "max_length" | "model_length" | "token_limit" | "model_context_window_exceeded" => {
            Stop::Length
        }
        "content_filter" | "safety" | "refusal" | "recitation" | "blocked" => Stop::Refusal,
        "error" | "abort" | "aborted" | "cancelled" | "canceled" | "insufficient_system_resource" => return None,
        "stop" | "stop_sequence" => sequence.map_or(Stop::End, Stop::Sequence),
        _ => Stop::End,
    })
}
