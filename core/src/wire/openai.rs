//! OpenAI chat completions, as servers send them: stream chunks and whole answers.
//!
//! Source: OpenAI's chat completions reference, and the dialects of local servers. Small fields are
//! kept raw and read leniently, so that a number sent as a string breaks nothing.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::json::JsonText;

/// One stream chunk, or one whole answer: they differ in `delta` and `message` only.
#[derive(Debug, Deserialize)]
pub struct ChatChunk<'a> {
    /// The alternatives; only the first is read.
    #[serde(borrow, default)]
    pub choices: Option<Vec<Choice<'a>>>,
    /// Token counts: in the last chunk, in each chunk, or never.
    #[serde(borrow, default)]
    pub usage: Option<&'a RawValue>,
    /// A failure told inside of a stream that began well.
    #[serde(borrow, default)]
    pub error: Option<&'a RawValue>,
}

/// One alternative.
#[derive(Debug, Deserialize)]
pub struct Choice<'a> {
    /// Which alternative this is.
    #[serde(borrow, default)]
    pub index: Option<&'a RawValue>,
    /// What came since the last chunk.
    #[serde(borrow, default)]
    pub delta: Option<Delta<'a>>,
    /// The whole message.
    #[serde(borrow, default)]
    pub message: Option<Delta<'a>>,
    /// Why the answer ended.
    #[serde(borrow, default)]
    pub finish_reason: Option<&'a RawValue>,
    /// The stop text that was met, as vLLM names it.
    #[serde(borrow, default)]
    pub stop_reason: Option<&'a RawValue>,
    /// The stop text that was met, as SGLang names it.
    #[serde(borrow, default)]
    pub matched_stop: Option<&'a RawValue>,
}

/// A message, or a piece of one.
#[derive(Debug, Deserialize)]
pub struct Delta<'a> {
    /// A string, null, or a list of parts.
    #[serde(borrow, default)]
    pub content: Option<&'a RawValue>,
    /// Thinking, as most servers name it.
    #[serde(borrow, default)]
    pub reasoning_content: Option<&'a RawValue>,
    /// Thinking, as vLLM, Ollama and OpenRouter name it.
    #[serde(borrow, default)]
    pub reasoning: Option<&'a RawValue>,
    /// The model's refusal, in place of content.
    #[serde(borrow, default)]
    pub refusal: Option<&'a RawValue>,
    /// Calls or pieces of calls.
    #[serde(borrow, default)]
    pub tool_calls: Option<Vec<ToolCallDelta<'a>>>,
    /// The form of calls before there were several.
    #[serde(borrow, default)]
    pub function_call: Option<FunctionDelta<'a>>,
}

/// A call, or a piece of one.
#[derive(Debug, Deserialize)]
pub struct ToolCallDelta<'a> {
    /// Which call of the answer this is.
    #[serde(borrow, default)]
    pub index: Option<&'a RawValue>,
    /// The call's id.
    #[serde(borrow, default)]
    pub id: Option<&'a RawValue>,
    /// Name and arguments.
    #[serde(borrow, default)]
    pub function: Option<FunctionDelta<'a>>,
}

/// Name and arguments of a call.
#[derive(Debug, Deserialize)]
pub struct FunctionDelta<'a> {
    /// The tool.
    #[serde(borrow, default)]
    pub name: Option<&'a RawValue>,
    /// Arguments: text of a JSON object; an object itself from some servers.
    #[serde(borrow, default)]
    pub arguments: Option<&'a RawValue>,
}

/// Token counts of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the prompt, cached ones included.
    pub prompt_tokens: Option<u64>,
    /// Tokens generated.
    pub completion_tokens: Option<u64>,
    /// Prompt tokens that the server's cache held.
    pub cached_tokens: Option<u64>,
    /// Prompt tokens that were read anew and are in the server's cache since: not OpenAI's, but what gateways tell as
    /// `cache_write_tokens` (OpenRouter) or `cache_creation_tokens` (LiteLLM).
    pub cache_write_tokens: Option<u64>,
}

impl Usage {
    /// Reads a `usage` object leniently: what is missing or no number stays `None`.
    pub fn from_raw(raw: &RawValue) -> Self {
        #[derive(Deserialize)]
        struct Fields<'a> {
            #[serde(borrow, default)]
            prompt_tokens: Option<&'a RawValue>,
            #[serde(borrow, default)]
            completion_tokens: Option<&'a RawValue>,
            #[serde(borrow, default)]
            prompt_tokens_details: Option<&'a RawValue>,
            #[serde(borrow, default)]
            prompt_cache_hit_tokens: Option<&'a RawValue>,
        }
        #[derive(Deserialize)]
        struct Details<'a> {
            #[serde(borrow, default)]
            cached_tokens: Option<&'a RawValue>,
            #[serde(borrow, default)]
            cache_write_tokens: Option<&'a RawValue>,
            #[serde(borrow, default)]
            cache_creation_tokens: Option<&'a RawValue>,
        }
        let Ok(fields) = serde_json::from_str::<Fields<'_>>(raw.get()) else {
            return Usage::default();
        };
        let details = fields.prompt_tokens_details.and_then(|raw| serde_json::from_str::<Details<'_>>(raw.get()).ok());
        let written = details.as_ref().and_then(|d| d.cache_write_tokens.or(d.cache_creation_tokens));
        Usage {
            prompt_tokens: fields.prompt_tokens.and_then(number),
            completion_tokens: fields.completion_tokens.and_then(number),
            cached_tokens: details.and_then(|d| d.cached_tokens).or(fields.prompt_cache_hit_tokens).and_then(number),
            cache_write_tokens: written.and_then(number),
        }
    }
}

/// A whole number, also when it is written as a string or with a fraction of zero.
pub fn number(raw: &RawValue) -> Option<u64> {
    let text = raw.get().trim_matches('"');
    text.parse().ok().or_else(|| {
        let value: f64 = text.parse().ok()?;
        // Counts above 2^53 do not occur; a float that large is noise.
        (0.0..9e15).contains(&value).then_some(value as u64)
    })
}

/// The text of a raw value that is a non-empty string.
pub fn text(raw: Option<&RawValue>) -> Option<JsonText<'_>> {
    raw.and_then(JsonText::from_raw).filter(|text| !text.is_empty())
}
