use super::{Asks, BackendSpec, FactSource, Look, Quirks, Sign, ThinkingHistory, ToolChoiceForm, facts};

/// LM Studio's server. It loads models by name, and takes `tool_choice` as a word only.
pub(super) const BACKEND: BackendSpec = BackendSpec {
    name: "lmstudio",
    aliases: &["lm-studio"],
    about: "LM Studio's local server",
    default_url: Some("http://127.0.0.1:1234/v1"),
    health_path: "/v1/models",
    native_messages: true,
    signs: &[Sign::new("/api/v0/models", Look::Entries("state"))],
    facts: &[FactSource { path: "/api/v0/models", asks: Asks::Once, read: facts::lmstudio_models }],
    window_hint: "load the model with a larger context length: `lms load MODEL --context-length 65536`",
    quirks: Quirks {
        thinking_history: ThinkingHistory::Field("reasoning_content"),
        top_k: true,
        max_stop: usize::MAX,
        tool_choice: ToolChoiceForm::Words,
        ..Quirks::REFERENCE
    },
    ..BackendSpec::REFERENCE
};
