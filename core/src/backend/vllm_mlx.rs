use super::{BackendSpec, Look, Quirks, ReasoningParameter, Sign, ThinkingHistory};

/// vllm-mlx: vLLM's interface over MLX.
pub(super) const BACKEND: BackendSpec = BackendSpec {
    name: "vllm-mlx",
    about: "vllm-mlx on Apple silicon or Linux",
    default_url: Some("http://127.0.0.1:8000/v1"),
    native_messages: true,
    signs: &[Sign::new("/v1/models", Look::OwnedBy("vllm-mlx"))],
    window_hint: "the window is the model's own; choose a model with a longer one",
    quirks: Quirks {
        reasoning: ReasoningParameter::TemplateKwargs,
        thinking_history: ThinkingHistory::Field("reasoning_content"),
        top_k: true,
        max_stop: usize::MAX,
        ..Quirks::REFERENCE
    },
    ..BackendSpec::REFERENCE
};
