use super::BackendSpec;

/// Any server that follows OpenAI's reference, and nothing beyond it.
pub(super) const BACKEND: BackendSpec = BackendSpec {
    name: "openai",
    about: "any OpenAI chat-completions server, with a key if it wants one",
    default_url: Some("http://127.0.0.1:8000/v1"),
    health_path: "/v1/models",
    ..BackendSpec::REFERENCE
};
