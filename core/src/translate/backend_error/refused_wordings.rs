//! How servers refuse a parameter or an ability. Data only; texts are in lower case.

use super::refused::RefusedParameter;

/// Parameters that are recognised by their name.
pub(super) const NAMED: &[RefusedParameter] = &[
    RefusedParameter::ReasoningEffort,
    RefusedParameter::ChatTemplateKwargs,
    RefusedParameter::StreamOptions,
    RefusedParameter::ParallelToolCalls,
    RefusedParameter::ToolChoice,
    RefusedParameter::ResponseFormat,
    RefusedParameter::Temperature,
    RefusedParameter::TopP,
    RefusedParameter::TopK,
    RefusedParameter::Stop,
    RefusedParameter::MaxTokens,
    RefusedParameter::MaxCompletionTokens,
];

/// Sentences about a whole ability, which name no parameter, with the server in mind.
pub(super) const CAPABILITIES: &[(&str, RefusedParameter)] = &[
    ("image input is not supported", RefusedParameter::Images), // llama.cpp, status 500
    ("does not support images", RefusedParameter::Images),      // LM Studio
    ("does not support image", RefusedParameter::Images),       // several
    ("is not a multimodal model", RefusedParameter::Images),    // vLLM
    ("at most 0 image", RefusedParameter::Images),              // vLLM
    ("missing data required for image input", RefusedParameter::Images), // Ollama
    ("no endpoints found that support image input", RefusedParameter::Images), // OpenRouter, 404
    ("image_url is only supported by certain models", RefusedParameter::Images), // OpenAI
    ("unknown variant `image_url`", RefusedParameter::Images),  // DeepSeek and other serde servers
    ("only 'text' content type is supported", RefusedParameter::Images), // mlx-lm
    ("does not support tools", RefusedParameter::Tools),        // Ollama
    ("requires --enable-auto-tool-choice", RefusedParameter::Tools), // vLLM
    ("tools param requires --jinja", RefusedParameter::Tools),  // llama.cpp
    ("no endpoints found that support tool use", RefusedParameter::Tools), // OpenRouter, 404
    ("failed to parse grammar", RefusedParameter::ToolSchema),  // llama.cpp, LM Studio, Ollama
    ("failed to initialize samplers", RefusedParameter::ToolSchema), // the same
    ("json schema conversion failed", RefusedParameter::ToolSchema), // llama.cpp
    ("error parsing grammar", RefusedParameter::ToolSchema),    // llama.cpp's parser
    ("number of repetitions exceeds sane defaults", RefusedParameter::ToolSchema), // the same, of large bounds
    ("pattern must start with '^' and end with '$'", RefusedParameter::ToolSchema), // llama.cpp's converter
    ("json-schema-to-grammar", RefusedParameter::ToolSchema),   // llama.cpp
    ("error converting schema", RefusedParameter::ToolSchema),  // servers built on it
    ("unsupported regex", RefusedParameter::ToolSchema),        // the same
    ("failed to process regex", RefusedParameter::ToolSchema),  // LM Studio
    ("features not supported by xgrammar", RefusedParameter::ToolSchema), // vLLM
];

/// Phrases of refusal that must stand close to a parameter's name.
pub(super) const REFUSALS: &[&str] = &[
    "unsupported parameter",
    "unsupported value",
    "unsupported field",
    "unrecognized request argument",
    "unrecognized field",
    "unrecognized key",
    "unknown parameter",
    "unknown field",
    "unknown argument",
    "unexpected keyword argument",
    "extra inputs are not permitted",
    "extra_forbidden",
    "extra fields not permitted",
    "additional properties are not allowed",
    "not supported",
    "not support",
    "is unsupported",
    "not permitted",
    "not allowed",
    "is unavailable",
    "only allowed when",
];

/// Phrases that refuse a value of a parameter.
pub(super) const VALUE_REFUSALS: &[&str] = &["must be", "must either be", "should be"];

/// Machine words in `code` that refuse the parameter named by `param`.
pub(super) const REFUSAL_CODES: &[&str] =
    &["unsupported_parameter", "unsupported_value", "unknown_parameter", "unrecognized_parameter"];
