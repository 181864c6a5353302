use super::{BackendSpec, Quirks, ReasoningParameter, ThinkingHistory};

/// llama.cpp's `llama-server`. It serves one model whatever name is asked for.
pub(super) const BACKEND: BackendSpec = BackendSpec {
    name: "llama.cpp",
    about: "llama-server of llama.cpp",
    default_url: Some("http://127.0.0.1:8080/v1"),
    quirks: Quirks {
        reasoning: ReasoningParameter::TemplateKwargs,
        thinking_history: ThinkingHistory::Field("reasoning_content"),
        top_k: true,
        max_stop: usize::MAX,
        ..Quirks::REFERENCE
    },
};
