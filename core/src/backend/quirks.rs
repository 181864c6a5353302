//! How a server differs from OpenAI's reference, as named values that the translator reads.

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
    /// Which forms of `tool_choice` are known.
    pub tool_choice: ToolChoiceForm,
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

/// Which forms of `tool_choice` a server knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ToolChoiceForm {
    /// None: the key is left out.
    None,
    /// The words `auto`, `none` and `required`, but no object that names a tool.
    Words,
    /// All of OpenAI's reference.
    Reference,
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
        tool_choice: ToolChoiceForm::Reference,
        parallel_tool_calls: true,
        response_format: true,
        empty_content: EmptyContent::Null,
        loaded_model: None,
    };

    /// What is done differently than for a server that follows the reference, in words: one entry a
    /// difference, none for the reference itself. For the log and for tables.
    pub fn differences(&self) -> Vec<String> {
        let reference = &Self::REFERENCE;
        let mut all = Vec::new();
        let mut add = |differs: bool, words: String| {
            if differs {
                all.push(words);
            }
        };
        let key = match self.max_tokens {
            MaxTokensKey::MaxTokens => "max_tokens",
            MaxTokensKey::MaxCompletionTokens => "max_completion_tokens",
        };
        add(self.max_tokens != reference.max_tokens, format!("the limit is sent as `{key}`"));
        let reasoning = match self.reasoning {
            ReasoningParameter::None => "thinking and effort are not asked for",
            ReasoningParameter::Effort => "effort is sent as `reasoning_effort`",
            ReasoningParameter::TemplateKwargs => "thinking and effort are sent as `chat_template_kwargs`",
        };
        add(self.reasoning != reference.reasoning, reasoning.to_owned());
        if let ThinkingHistory::Field(field) = self.thinking_history {
            add(true, format!("earlier thinking goes back as `{field}`"));
        }
        for (ours, theirs, what) in [
            (self.images, reference.images, "images"),
            (self.top_k, reference.top_k, "`top_k`"),
            (self.temperature, reference.temperature, "`temperature`"),
            (self.top_p, reference.top_p, "`top_p`"),
            (self.stream_usage, reference.stream_usage, "`stream_options`"),
            (self.parallel_tool_calls, reference.parallel_tool_calls, "`parallel_tool_calls`"),
            (self.response_format, reference.response_format, "`response_format`"),
        ] {
            add(ours != theirs, format!("{what} {} sent", if ours { "may be" } else { "not" }));
        }
        let stops = if self.max_stop == usize::MAX { "any number".to_owned() } else { self.max_stop.to_string() };
        add(self.max_stop != reference.max_stop, format!("{stops} of stop texts"));
        let choice = match self.tool_choice {
            ToolChoiceForm::None => "`tool_choice` not sent",
            ToolChoiceForm::Words => "`tool_choice` as a word only",
            ToolChoiceForm::Reference => "`tool_choice` sent",
        };
        add(self.tool_choice != reference.tool_choice, choice.to_owned());
        add(self.empty_content != reference.empty_content, "calls without text have `\"\"` as content".to_owned());
        if let Some(word) = self.loaded_model {
            add(true, format!("`{word}` stands for the loaded model"));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_differences_are_told() {
        assert!(Quirks::REFERENCE.differences().is_empty());
        let quirks = Quirks { images: false, max_stop: usize::MAX, ..Quirks::REFERENCE };
        assert_eq!(quirks.differences(), ["images not sent", "any number of stop texts"]);
    }
}
