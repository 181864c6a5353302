use super::{BackendSpec, Role};

/// Anthropic itself, or what speaks exactly its API: nothing is translated.
pub(super) const BACKEND: BackendSpec = BackendSpec {
    name: "anthropic",
    aliases: &["claude"],
    about: "Anthropic's API: requests and answers pass unchanged",
    role: Role::PassThrough,
    default_url: Some("https://api.anthropic.com/v1"),
    health_path: "/v1/models",
    native_messages: true,
    ..BackendSpec::REFERENCE
};
