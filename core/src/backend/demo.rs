use super::{BackendSpec, Quirks, Role};

/// The built-in responder for trying the proxy where no server is.
pub(super) const BACKEND: BackendSpec = BackendSpec {
    name: "demo",
    about: "no model at all: fixed answers that say so, to try the proxy",
    role: Role::Canned,
    quirks: Quirks { loaded_model: Some("anyclaude-demo"), ..Quirks::REFERENCE },
    ..BackendSpec::REFERENCE
};
