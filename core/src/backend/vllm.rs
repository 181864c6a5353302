use super::{BackendSpec, Look, Quirks, ReasoningParameter, Sign, ThinkingHistory};

/// vLLM's OpenAI server.
pub(super) const BACKEND: BackendSpec = BackendSpec {
    name: "vllm",
    about: "vLLM's OpenAI server",
    default_url: Some("http://127.0.0.1:8000/v1"),
    native_messages: true,
    signs: &[Sign::new("/v1/models", Look::OwnedBy("vllm")), Sign::new("/version", Look::Keys(&["version"]))],
    window_hint: "start it with a larger one: `vllm serve MODEL --max-model-len 65536`",
    quirks: Quirks {
        reasoning: ReasoningParameter::TemplateKwargs,
        thinking_history: ThinkingHistory::Field("reasoning"),
        top_k: true,
        max_stop: usize::MAX,
        ..Quirks::REFERENCE
    },
    ..BackendSpec::REFERENCE
};
