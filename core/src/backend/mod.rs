//! What each backend is: data, no IO.
//!
//! A new backend is one file with a `BACKEND` constant and one word in the list below. What differs
//! between servers is a named quirk that the translator reads; no other code asks for a backend's name.

macro_rules! backends {
    ($($module:ident),+ $(,)?) => {
        $(mod $module;)+
        /// Every backend this library knows.
        pub const BACKENDS: &[BackendSpec] = &[$($module::BACKEND),+];
    };
}

backends! { openai, mlx_lm, llama_cpp, demo }

use crate::error::{Error, ErrorKind, Result};

/// What a kind of server is and how it differs from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackendSpec {
    /// The word users choose it by.
    pub name: &'static str,
    /// One line for help texts and tables.
    pub about: &'static str,
    /// Where it listens unless told otherwise, `/v1` included; `None` for a backend without a server.
    pub default_url: Option<&'static str>,
    /// How it differs from OpenAI's reference.
    pub quirks: Quirks,
}

/// How a server differs from others. Read by the translator; overridable by configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quirks {
    /// The key that limits the tokens of an answer.
    pub max_tokens: MaxTokensKey,
    /// How thinking and effort are asked for.
    pub reasoning: ReasoningParameter,
    /// Where thinking of earlier answers goes.
    pub thinking_history: ThinkingHistory,
    /// Whether images are taken as `image_url` parts.
    pub images: bool,
    /// Whether `top_k` is known.
    pub top_k: bool,
    /// Whether `temperature` is taken.
    pub temperature: bool,
    /// Whether `top_p` is taken.
    pub top_p: bool,
    /// The most stop texts it takes.
    pub max_stop: usize,
    /// Whether `stream_options.include_usage` is known.
    pub stream_usage: bool,
    /// Whether `tool_choice` is known.
    pub tool_choice: bool,
    /// Whether `parallel_tool_calls` is known.
    pub parallel_tool_calls: bool,
    /// Whether `response_format` with a JSON schema is known.
    pub response_format: bool,
    /// What an assistant message with calls and no text has as its content.
    pub empty_content: EmptyContent,
    /// A model name that always means the one that is loaded.
    pub loaded_model: Option<&'static str>,
}

/// The key that limits the tokens of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MaxTokensKey {
    /// `max_tokens`.
    MaxTokens,
    /// `max_completion_tokens`.
    MaxCompletionTokens,
}

/// How thinking and effort are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReasoningParameter {
    /// Not at all.
    None,
    /// `reasoning_effort`, as in OpenAI's reference.
    Effort,
    /// `chat_template_kwargs`: variables of the model's chat template.
    TemplateKwargs,
}

/// Where thinking of earlier answers goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ThinkingHistory {
    /// Nowhere: the server knows no field for it.
    Drop,
    /// Into this field of the assistant message.
    Field(&'static str),
}

/// Content of an assistant message that only makes calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EmptyContent {
    /// `null`, as OpenAI writes it.
    Null,
    /// `""`, for templates that add strings without looking.
    EmptyString,
}

impl Quirks {
    /// OpenAI's chat completions reference, with nothing that only some servers know.
    pub const REFERENCE: Quirks = Quirks {
        max_tokens: MaxTokensKey::MaxTokens,
        reasoning: ReasoningParameter::Effort,
        thinking_history: ThinkingHistory::Drop,
        images: true,
        top_k: false,
        temperature: true,
        top_p: true,
        max_stop: 4,
        stream_usage: true,
        tool_choice: true,
        parallel_tool_calls: true,
        response_format: true,
        empty_content: EmptyContent::Null,
        loaded_model: None,
    };
}

/// The backend of a name.
///
/// # Errors
/// An unknown name; the message lists the known ones.
pub fn by_name(name: &str) -> Result<&'static BackendSpec> {
    BACKENDS.iter().find(|spec| spec.name == name).ok_or_else(|| {
        let known: Vec<&str> = BACKENDS.iter().map(|spec| spec.name).collect();
        let message = format!("backend: {name:?} is not known; choose one of {}", known.join(", "));
        Error::new(ErrorKind::Config, message)
    })
}
