use super::{BackendSpec, Quirks, ThinkingHistory};

/// The built-in responder for trying the proxy where no server is.
pub(super) const BACKEND: BackendSpec = BackendSpec {
    name: "demo",
    about: "no model at all: fixed answers that say so, to try the proxy",
    default_url: None,
    quirks: Quirks {
        thinking_history: ThinkingHistory::Drop,
        loaded_model: Some("anyclaude-demo"),
        ..Quirks::REFERENCE
    },
};
