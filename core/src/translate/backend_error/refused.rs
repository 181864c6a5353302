//! Recognises a refusal of one of our optional parameters, so that the pipeline can send the
//! request once more without it.
//!
//! Careful by design: a parameter that is dropped for nothing changes the answer without a word. So
//! the parameter must be named as a whole word, close to a phrase of refusal, in the server's own
//! sentence; what a server echoes of the request does not count.

use super::body::{Field, Said};
use super::refused_wordings::{CAPABILITIES, NAMED, REFUSAL_CODES, REFUSALS, VALUE_REFUSALS};

/// An optional part of a chat request that a server may refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RefusedParameter {
    /// Drop `reasoning_effort`.
    ReasoningEffort,
    /// Drop `chat_template_kwargs`.
    ChatTemplateKwargs,
    /// Drop `stream_options`; the stream then carries no usage.
    StreamOptions,
    /// Drop `parallel_tool_calls`.
    ParallelToolCalls,
    /// Drop `tool_choice`, or fall back to the word `auto`.
    ToolChoice,
    /// Drop `response_format`.
    ResponseFormat,
    /// Drop `temperature`.
    Temperature,
    /// Drop `top_p`.
    TopP,
    /// Drop `top_k`.
    TopK,
    /// Drop `stop`.
    Stop,
    /// Send `max_completion_tokens` instead of `max_tokens`.
    MaxTokens,
    /// Send `max_tokens` instead of `max_completion_tokens`.
    MaxCompletionTokens,
    /// The model takes no images: send a note in their place.
    Images,
    /// The model or server takes no `tools`: offer them as text.
    Tools,
    /// The schema of a tool broke the server's grammar engine: send simpler schemas.
    ToolSchema,
}

impl RefusedParameter {
    /// The parameter's name in a chat request; for images the type of the content part, for a
    /// schema its place.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReasoningEffort => "reasoning_effort",
            Self::ChatTemplateKwargs => "chat_template_kwargs",
            Self::StreamOptions => "stream_options",
            Self::ParallelToolCalls => "parallel_tool_calls",
            Self::ToolChoice => "tool_choice",
            Self::ResponseFormat => "response_format",
            Self::Temperature => "temperature",
            Self::TopP => "top_p",
            Self::TopK => "top_k",
            Self::Stop => "stop",
            Self::MaxTokens => "max_tokens",
            Self::MaxCompletionTokens => "max_completion_tokens",
            Self::Images => "image_url",
            Self::Tools => "tools",
            Self::ToolSchema => "tools.function.parameters",
        }
    }
}

/// The parameter that a failed answer refuses, or `None`: then nothing may be dropped.
///
/// `status` is the HTTP status. 400 and 422 are looked at; for images, tools and grammars also the
/// statuses that single servers use for these (404, 415, 500, and errors inside a 200).
///
/// ```
/// use anyclaude_core::{RefusedParameter, refused_parameter};
///
/// let body = br#"{"error":{"message":"Unrecognized request argument supplied: reasoning_effort"}}"#;
/// assert_eq!(refused_parameter(400, body), Some(RefusedParameter::ReasoningEffort));
/// ```
#[must_use]
pub fn refused_parameter(status: u16, body: &[u8]) -> Option<RefusedParameter> {
    if !matches!(status, 200 | 400 | 404 | 415 | 422 | 500) {
        return None;
    }
    let said = Said::read(body);
    if let Some(refused) = capability(&said) {
        return Some(refused);
    }
    let text = sentence(&said);
    if !matches!(status, 400 | 422) || said.html {
        return None;
    }
    if !said.fields.is_empty() {
        return said.fields.iter().find_map(by_field);
    }
    said.param.as_deref().and_then(|param| by_param(param, &said, &text)).or_else(|| by_text(&text))
}

/// An ability that model or server lacks as a whole.
pub(super) fn capability(said: &Said) -> Option<RefusedParameter> {
    let text = sentence(said);
    CAPABILITIES.iter().find(|(words, _)| text.contains(words)).map(|(_, refused)| *refused)
}

/// The server's sentence in lower case, without what it echoes of the request.
fn sentence(said: &Said) -> String {
    let text: String =
        said.message.chars().take(MAX_SENTENCE_CHARS).collect::<String>().to_lowercase().replace('\\', "");
    let end = ["'input':", "\"input\":", "input_value="].iter().filter_map(|echo| text.find(echo)).min();
    text.get(..end.unwrap_or(text.len())).unwrap_or_default().to_owned()
}

/// FastAPI validation: the entry must be about the parameter itself.
fn by_field(field: &Field) -> Option<RefusedParameter> {
    let refused = by_name(&field.name)?;
    let unknown = field.kind == "extra_forbidden" || field.kind == "value_error.extra";
    // Values of ours that a server does not know. A client's own number out of range, or a max_tokens of
    // the wrong size, says nothing about the name.
    let by_value = matches!(
        refused,
        RefusedParameter::ReasoningEffort
            | RefusedParameter::ChatTemplateKwargs
            | RefusedParameter::StreamOptions
            | RefusedParameter::ParallelToolCalls
            | RefusedParameter::ToolChoice
            | RefusedParameter::ResponseFormat
    );
    (unknown && field.top || by_value && !unknown).then_some(refused)
}

/// OpenAI: `param` names it; the code or the sentence must still be a refusal.
fn by_param(param: &str, said: &Said, text: &str) -> Option<RefusedParameter> {
    let refused = by_name(param.split(['.', '[']).next()?)?;
    let coded = REFUSAL_CODES.iter().any(|code| said.has_word(code));
    (coded || REFUSALS.iter().any(|phrase| text.contains(phrase))).then_some(refused)
}

/// The first of our names in the sentence that has a refusal close to it.
fn by_text(text: &str) -> Option<RefusedParameter> {
    NAMED
        .iter()
        .filter_map(|refused| Some((position(text, *refused)?, *refused)))
        .min_by_key(|(at, _)| *at)
        .map(|(_, refused)| refused)
}

fn position(text: &str, refused: RefusedParameter) -> Option<usize> {
    let name = refused.as_str();
    text.match_indices(name).take(MAX_OCCURRENCES).find_map(|(at, _)| {
        let end = at + name.len();
        let before = text.get(..at)?;
        let after = text.get(end..)?;
        let whole = !before.ends_with(is_name_char) && !after.starts_with(is_name_char);
        let quoted = before.ends_with(is_quote) && after.starts_with(is_quote);
        // "stop" and "temperature" are words of prose too.
        let is_word = matches!(refused, RefusedParameter::Stop | RefusedParameter::Temperature);
        (whole && (quoted || !is_word || is_labelled(before)) && is_refused(refused, before, after)).then_some(at)
    })
}

/// A name that follows a colon or the word "parameter", as in "unknown parameter: stop".
fn is_labelled(before: &str) -> bool {
    let before = before.trim_end();
    [":", "parameter", "argument", "field", "property", "unsupported", "invalid"]
        .iter()
        .any(|label| before.ends_with(label))
}

fn is_refused(refused: RefusedParameter, before: &str, after: &str) -> bool {
    let lead = tail(before, NEAR_CHARS);
    let follow: String = after.chars().take(NEAR_CHARS).collect();
    // The next clause may be about another name: "... is not supported. Use 'x' instead".
    let same_clause = |text: &str| text.split(". ").next().unwrap_or_default().to_owned();
    let follow = same_clause(&follow);
    let lead = lead.rsplit(". ").next().unwrap_or_default();
    if REFUSALS.iter().any(|phrase| lead.contains(phrase) || follow.contains(phrase)) {
        return true;
    }
    // These two are refused by value as well: one server knows only words, another only objects.
    let by_value = matches!(refused, RefusedParameter::ToolChoice | RefusedParameter::ResponseFormat);
    by_value
        && (VALUE_REFUSALS.iter().any(|phrase| follow.contains(phrase))
            || lead.trim_end().trim_end_matches(is_quote).ends_with("invalid"))
}

fn tail(text: &str, chars: usize) -> &str {
    let start = text.char_indices().rev().take(chars).last().map_or(text.len(), |(at, _)| at);
    text.get(start..).unwrap_or_default()
}

fn by_name(name: &str) -> Option<RefusedParameter> {
    NAMED.iter().copied().find(|refused| refused.as_str() == name)
}

fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn is_quote(c: char) -> bool {
    matches!(c, '\'' | '"' | '`')
}

/// How far a refusal may stand from the name, in characters: one clause.
const NEAR_CHARS: usize = 80;

/// A server's own sentence is shorter; what follows is an echo.
const MAX_SENTENCE_CHARS: usize = 1500;

/// Occurrences of a name that are looked at.
const MAX_OCCURRENCES: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn of(message: &str) -> Option<RefusedParameter> {
        let body = serde_json::json!({"error": {"message": message, "type": "invalid_request_error"}});
        refused_parameter(400, body.to_string().as_bytes())
    }

    #[test]
    fn sentences_of_several_servers() {
        use RefusedParameter as P;
        for (message, want) in [
            ("Unknown parameter: 'top_k'.", P::TopK),
            ("json: unknown field \"parallel_tool_calls\"", P::ParallelToolCalls),
            ("chat() got an unexpected keyword argument 'reasoning_effort'", P::ReasoningEffort),
            ("Additional properties are not allowed ('chat_template_kwargs' was unexpected)", P::ChatTemplateKwargs),
            ("deepseek-reasoner does not support this tool_choice", P::ToolChoice),
            ("tool_choice must either be a named tool, \"auto\", or \"none\"", P::ToolChoice),
            ("This response_format type is unavailable now", P::ResponseFormat),
            ("The 'stream_options' parameter is only allowed when 'stream' is enabled.", P::StreamOptions),
            ("Unsupported parameter: 'temperature' is not supported with this model", P::Temperature),
            ("Model does not support images. Please use a model that does.", P::Images),
            ("Failed to initialize samplers: failed to parse grammar", P::ToolSchema),
            ("parse: error parsing grammar: unknown escape at \\d", P::ToolSchema),
            ("JSON schema conversion failed:\nPattern must start with '^' and end with '$'", P::ToolSchema),
            (
                "Unable to generate parser for this template. Automatic parser generation failed: JSON schema conversion failed:\nUnrecognized schema: {}",
                P::ToolSchema,
            ),
            (
                "Engine protocol predict request returned 400: {\"error\":{\"message\":\"Failed to initialize samplers: failed to parse grammar\"}}",
                P::ToolSchema,
            ),
            (
                "Function tools with reasoning_effort are not supported for x in /v1/chat/completions.",
                P::ReasoningEffort,
            ),
        ] {
            assert_eq!(of(message), Some(want), "{message}");
        }
    }

    #[test]
    fn nothing_is_dropped_without_a_refusal() {
        for message in [
            "'max_tokens' or 'max_completion_tokens' is too large: 64000. This model's maximum context length is 32768",
            "max_tokens must be at least 1, got 0.",
            "temperature must be non-negative, got -1.",
            "The server had to stop, streaming is not supported during an update",
            "the temperature of the GPU is not allowed to rise",
            "unsupported parameter: my_top_k_thing",
            "stop",
            "messages[2]: role 'tool' is not supported",
            "",
        ] {
            assert_eq!(of(message), None, "{message}");
        }
        assert_eq!(refused_parameter(500, br#"{"error":"Unknown parameter: 'stop'"}"#), None);
        assert_eq!(refused_parameter(400, b"<html><title>temperature: not supported</title></html>"), None);
    }

    #[test]
    fn what_a_server_echoes_does_not_count() {
        let echo = "[{'type': 'missing', 'loc': ('body', 'model'), 'msg': 'Field required', 'input': {'messages': [\"Unknown parameter: 'stop'\"]}}]";
        assert_eq!(of(echo), None);
        let listed = br#"{"detail":[{"type":"missing","loc":["body","model"],"msg":"Field required","input":"'stop' is not supported"}]}"#;
        assert_eq!(refused_parameter(422, listed), None);
        let size = br#"{"detail":[{"type":"greater_than_equal","loc":["body","max_tokens"],"msg":"Input should be greater than or equal to 1"}]}"#;
        assert_eq!(refused_parameter(422, size), None);
    }
}
