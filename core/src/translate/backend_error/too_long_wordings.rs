//! How servers say that a prompt, or prompt and answer together, do not fit. Data only.
//!
//! Patterns as in `figures`, on plain text (lower case, no quotes). The first that matches wins, so
//! within a family the one with more figures stands first. Collected from the servers' sources and
//! public bug reports; a new wording is one line here and one file in `tests/golden/errors`.

/// Wordings that give figures.
pub(super) const WITH_FIGURES: &[&str] = &[
    // Anthropic itself, and gateways that imitate it.
    "prompt is too long: {p} tokens > {w} maximum",
    "exceed context limit: {p} + {m} > {w}",
    // vLLM: present form, "at least" because it stops tokenizing once the limit is passed.
    "maximum context length is {w} tokens. however, you requested {m} output tokens and your prompt contains at least {l} input tokens",
    "maximum context length is {w} tokens. however, you requested {m} output tokens and your prompt contains {p} input tokens",
    // vLLM: earlier forms, and servers that imitate OpenAI's older ones (DeepSeek, Together, vllm-mlx).
    "is too large: {m}. this models maximum context length is {w} tokens and your request has {p} input tokens",
    "maximum context length is {w} tokens and your request has {p} input tokens",
    "maximum context length is {w} tokens. however, your request has {p} input tokens",
    "maximum prompt length is {w} tokens. however, your request has {p} prompt tokens",
    "maximum context length is {w} tokens{*} you requested {t} tokens ({p} in the messages, {n} in the functions, and {m} in the completion",
    "maximum context length is {w} tokens{*} you requested {t} tokens ({p} in {*}, {m} in the completion",
    "maximum context length is {w} tokens{*} you requested {t} tokens ({p} in {*} {m} for the completion",
    "maximum context length is {w} tokens{*} you requested {p} tokens in the messages",
    "maximum context length is {w} tokens{*} messages resulted in {p} tokens",
    // OpenRouter.
    "maximum context length is {w} tokens{*} requested about {t} tokens ({p} of text input{*}, {m} in the output",
    "maximum context length is {w} tokens{*} requested about {t} tokens",
    "exceeds the maximum allowed input length of {w} tokens",
    // vLLM's engine.
    "prompt (length {p}) is longer than the maximum model length of {w}",
    "prompt (total length {p}) is too long to fit into the model (context length {w})",
    "prompt ({p} tokens) is too long and exceeds limit of {w}",
    // SGLang.
    "input ({p} tokens) is longer than the models context length ({w} tokens)",
    "maximum context length of {w} tokens. you requested a total of {t} tokens: {p} tokens from the input messages and {m} tokens for the completion",
    "requested token count exceeds the models maximum context length of {w} tokens",
    "input length ({p} tokens) exceeds the maximum allowed length ({w} tokens)",
    "input length ({p}) exceeds models maximum context length ({w})",
    // llama.cpp and its forks.
    "request ({p} tokens) exceeds the available context size ({w} tokens)",
    "request ({p} tokens) exceeds context size ({w} tokens)",
    "input ({p} tokens) is larger than the max context size ({w} tokens)",
    "prompt tokens ({p}) exceeds context size ({w})",
    "prompt has {p} tokens, but the configured context size is {w} tokens",
    // LM Studio.
    "trying to keep the first {p} tokens when context{*} context length of only {w} tokens",
    "(n_keep: {p}>= n_ctx: {w})",
    "(n_keep: {p} >= n_ctx: {w})",
    "reached context length of {w} tokens",
    // Ollama; oMLX; TabbyAPI; text-generation-inference.
    "prompt too long; exceeded max context length by {o} tokens",
    "prompt too long: {p} tokens exceeds max context window of {w} tokens",
    "length {p} is greater than max_seq_len {w}",
    "inputs tokens + max_new_tokens must be <= {w}. given: {p} inputs tokens and {m} max_new_tokens",
    "inputs tokens + max_new_tokens must be <= {w}. given: {p} inputs tokens",
    "inputs must have less than {w} tokens. given: {p}",
    // Mistral, Google, GitHub Copilot, xAI, Moonshot, Cerebras, DashScope.
    "prompt contains {p} tokens{*} too large for model with {w} maximum context length",
    "input token count ({p}) exceeds the maximum number of tokens allowed ({w})",
    "input token count of {p} exceeds the maximum{*} {w}",
    "prompt token count of {p} exceeds the limit of {w}",
    "maximum prompt length is {w} but the request contains {p} tokens",
    "exceeded model token limit: {w} (requested: {p})",
    "exceeded model token limit: {w}",
    "reduce the length of the messages or completion. current length is {p} while limit is {w}",
    "range of input length should be [1, {w}]",
    // A tokens-per-minute limit below the size of one request: waiting never helps, less prompt does.
    "request too large for {*} tokens per min{*} limit {w}, requested {p}",
    // Whatever else quotes OpenAI's first half.
    "maximum context length is {w} tokens{*} requested {t} tokens",
    "maximum context length is {w}",
    "maximum context length of {w}",
];

/// Wordings without figures, and machine words that some servers repeat in their message.
pub(super) const WITHOUT_FIGURES: &[&str] = &[
    "prompt is too long",
    "prompt too long",
    "exceeds the available context size",
    "context size has been exceeded",
    "input prompt is too big compared to kv size",
    "tokens to keep from the initial prompt is greater than the context length",
    "input length exceeds the context length",
    "input exceeds context length",
    "exceeds maximum context length",
    "exceeds the maximum context length",
    "exceeds the context window",
    "exceeds the models context window",
    "context window exceeds limit",
    "context length exceeded",
    "context window exceeded",
    "contextwindowexceedederror",
    "context_length_exceeded",
    "model_context_window_exceeded",
    "exceed_context_size_error",
    "input is too long for requested model",
    "reduce the length of the messages",
    "reduce the length of the input",
];

/// Words in `code` or `type`.
pub(super) const WORDS: &[&str] = &[
    "exceed_context_size_error",
    "context_length_exceeded",
    "context_exceeded",
    "model_context_window_exceeded",
    "context_window_exceeded",
    "string_above_max_length",
];

/// How servers say that an answer may not be that long, whatever the prompt. `{c}` is the cap.
pub(super) const OUTPUT_CAPS: &[&str] = &[
    "max_tokens is too large: {m}. this model supports at most {c} completion tokens",
    "max_completion_tokens is too large: {m}. this model supports at most {c} completion tokens",
    "supports at most {c} completion tokens",
    "valid range of max_tokens is [1, {c}]",
    "range of max_tokens should be [1, {c}]",
    "max_tokens must be less than or equal to {c}",
    "max_completion_tokens must be less than or equal to {c}",
    "max_tokens: {m} > {c}, which is the maximum allowed number of output tokens",
    "max_new_tokens must be <= {c}. given: {m}",
    // vllm-mlx
    "max_tokens exceeds server limit ({c})",
    // OpenRouter with little credit left.
    "requested up to {m} tokens, but can only afford {c}",
];
