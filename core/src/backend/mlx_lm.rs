use super::{BackendSpec, EmptyContent, Look, Quirks, ReasoningParameter, Sign, ThinkingHistory};

/// Apple's `mlx_lm.server`. It ignores what it does not know, takes text parts only, and loads a model
/// of any name it is asked for, unless the name is `default_model`.
pub(super) const BACKEND: BackendSpec = BackendSpec {
    name: "mlx-lm",
    about: "mlx_lm.server on Apple silicon or Linux",
    default_url: Some("http://127.0.0.1:8080/v1"),
    signs: &[
        // Python's own HTTP server; many things are, so its list and its words must fit as well. The
        // list has no body where no model was ever downloaded.
        Sign::new("/health", Look::Server("BaseHTTP/")),
        Sign::new("/health", Look::Field("status", "ok")),
        Sign::new("/v1/models", Look::ListOrNothing),
    ],
    window_hint: "the window is the model's own; choose a model with a longer one",
    quirks: Quirks {
        reasoning: ReasoningParameter::TemplateKwargs,
        thinking_history: ThinkingHistory::Field("reasoning_content"),
        images: false,
        top_k: true,
        max_stop: usize::MAX,
        empty_content: EmptyContent::EmptyString,
        loaded_model: Some("default_model"),
        ..Quirks::REFERENCE
    },
    ..BackendSpec::REFERENCE
};
