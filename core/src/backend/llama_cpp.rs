use super::{Asks, BackendSpec, FactSource, Look, Quirks, ReasoningParameter, Sign, ThinkingHistory, facts};

/// llama.cpp's `llama-server`. It serves one model whatever name is asked for.
pub(super) const BACKEND: BackendSpec = BackendSpec {
    name: "llama.cpp",
    aliases: &["llamacpp", "llama-cpp"],
    about: "llama-server of llama.cpp",
    default_url: Some("http://127.0.0.1:8080/v1"),
    native_messages: true,
    signs: &[Sign::new("/props", Look::Keys(&["default_generation_settings", "total_slots"]))],
    facts: &[FactSource { path: "/props", asks: Asks::Once, read: facts::llama_cpp_props }],
    window_hint: "start it with a larger one: `llama-server -c 65536` (each slot of `-np` gets its share)",
    quirks: Quirks {
        reasoning: ReasoningParameter::TemplateKwargs,
        thinking_history: ThinkingHistory::Field("reasoning_content"),
        top_k: true,
        max_stop: usize::MAX,
        ..Quirks::REFERENCE
    },
    ..BackendSpec::REFERENCE
};
