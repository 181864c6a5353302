//! The body for a local server's own Messages API.
//!
//! The client's request could be passed on as it came, but such servers take less than Anthropic does:
//! the dialogue is cleaned up as for chat completions, and of the keys only those are written that
//! local servers are known to read.

mod messages;
mod tools;

use self::messages::MessageList;
use super::body::{Prompt, Written};
use super::estimate::prompt_tokens;
use super::notes::{NoteKind, Notes};
use super::parameters::Parameters;
use crate::backend::{MaxTokensKey, Quirks, ReasoningParameter, ThinkingHistory, ToolChoiceForm};
use crate::prefix::Marks;
use crate::wire::anthropic::MessagesRequest;
use crate::wire::json::Object;

/// The limit where the client gives none: this API demands one.
const DEFAULT_MAX_TOKENS: u64 = 4_096;

/// What servers of a kind take in this dialect until they refuse it: all that belongs to the API. How
/// their chat completions differ from OpenAI's reference is of no matter here.
pub(super) fn quirks(chat: Quirks) -> Quirks {
    Quirks {
        max_tokens: MaxTokensKey::MaxTokens,
        reasoning: ReasoningParameter::Effort,
        temperature: true,
        top_p: true,
        top_k: true,
        max_stop: usize::MAX,
        tool_choice: ToolChoiceForm::Reference,
        parallel_tool_calls: true,
        ..chat
    }
}

/// Gives a request the limit that it must have.
pub(super) fn complete(request: &mut MessagesRequest<'_>) {
    request.max_tokens.get_or_insert(DEFAULT_MAX_TOKENS);
}

/// Writes everything behind the model's name.
pub(super) fn push(prompt: &Prompt<'_, '_>, body: &mut Object<'_>, notes: &mut Notes) -> Written {
    let Prompt { request, quirks, .. } = *prompt;
    // A server that refuses the limit's name means another API; this one has no second.
    let quirks = &Quirks { max_tokens: MaxTokensKey::MaxTokens, ..*quirks };
    let mut marks = Marks::default();
    if !prompt.system.is_empty() {
        let system = body.key("system");
        let start = system.len();
        super::parts::push_joined(system, prompt.system);
        marks.system = Some(start..system.len());
    }
    let keeps_thinking = quirks.thinking_history != ThinkingHistory::Drop;
    let written = MessageList::new(body.key("messages"), keeps_thinking).push(prompt.conversation);
    let images = written.images;
    marks.messages = written.messages;
    marks.has_images = images.images > 0;
    if !prompt.offered.is_empty() {
        marks.tools = tools::push(prompt.offered, body.key("tools"));
        if let Some(choice) = &request.tool_choice {
            tools::push_choice(prompt.offered, choice, quirks, body, notes);
        }
    }
    let raw_estimate = prompt_tokens(body.written(), images.images, images.bytes);
    let parameters = Parameters { request, quirks, cap: (prompt.cap)(raw_estimate) };
    let max_tokens = parameters.max_tokens(body, notes);
    parameters.sampling(body, notes);
    parameters.stop("stop_sequences", body, notes);
    push_thinking(request, quirks, max_tokens, body, notes);
    if request.output_config.is_some() {
        notes.add(NoteKind::Dropped, "output_config", "the backend has nothing like it");
    }
    parameters.note_dropped(notes);
    body.json("stream", if prompt.stream { "true" } else { "false" });
    Written { max_tokens, raw_estimate, marks }
}

/// Thinking is switched off, or on with a budget, which must stay below the limit of the answer. What
/// Anthropic's models do on their own account, local ones know nothing of.
fn push_thinking(
    request: &MessagesRequest<'_>,
    quirks: &Quirks,
    max_tokens: Option<u64>,
    body: &mut Object<'_>,
    notes: &mut Notes,
) {
    let Some(thinking) = &request.thinking else { return };
    if quirks.reasoning == ReasoningParameter::None {
        return notes.add(NoteKind::Dropped, "thinking", "the backend has no parameter for it");
    }
    if thinking.kind.is("disabled") {
        body.json("thinking", r#"{"type":"disabled"}"#);
        return;
    }
    let Some(asked) = thinking.budget_tokens else {
        return notes.add(NoteKind::Dropped, "thinking", "the backend knows it with a budget only");
    };
    let budget = asked.min(max_tokens.unwrap_or(u64::MAX).saturating_sub(1));
    if budget == 0 {
        return notes.add(NoteKind::Dropped, "thinking", "its budget leaves nothing to think with");
    }
    if budget != asked {
        notes.add(NoteKind::Clamped, "thinking.budget_tokens", format!("{asked} became {budget}"));
    }
    let mut object = Object::begin(body.key("thinking"));
    object.plain("type", "enabled").number("budget_tokens", budget);
    object.end();
}

#[cfg(test)]
mod tests {
    use crate::{ErrorKind, RefusedParameter, RequestMeta, Translator};

    const REQUEST: &[u8] = br#"{"model":"m","max_tokens":9,"top_k":5,"tool_choice":{"type":"any"},"tools":[{"name":"a"}],
        "stop_sequences":["x"],"thinking":{"type":"enabled","budget_tokens":5},"messages":[{"role":"user","content":"Hi"}]}"#;

    #[test]
    fn what_a_server_refuses_is_left_out_from_then_on() {
        let translator = Translator::from_config_json(br#"{"backend_api":"messages"}"#).unwrap();
        let body =
            || String::from_utf8(translator.request_json(REQUEST, &RequestMeta::default()).unwrap().body).unwrap();
        for (key, refused) in [
            ("top_k", RefusedParameter::TopK),
            ("stop_sequences", RefusedParameter::Stop),
            ("tool_choice", RefusedParameter::ToolChoice),
            ("thinking", RefusedParameter::ReasoningEffort),
        ] {
            let key = format!("\"{key}\":");
            assert!(body().contains(&key), "{key}");
            assert!(translator.learn(refused));
            assert!(!body().contains(&key), "{key}");
        }
        translator.learn(RefusedParameter::MaxTokens);
        assert!(body().contains("\"max_tokens\":9"));
    }

    #[test]
    fn an_api_that_is_not_known_is_an_error() {
        let error = Translator::from_config_json(br#"{"backend_api":"responses"}"#).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.message().contains("backend_api") && error.message().contains("messages"), "{error}");
    }
}
