//! What each backend is: data, no IO.
//!
//! A new backend is one file with a `BACKEND` constant and one word in the list below. What differs
//! between servers is a named quirk that the translator reads; how a server is told from others is a
//! list of [signs](Sign), and what it tells of its models a list of [sources](FactSource). No other
//! code asks for a backend's name.

mod facts;
mod quirks;
mod signs;
mod template;

macro_rules! backends {
    ($($module:ident),+ $(,)?) => {
        $(mod $module;)+
        /// Every backend this library knows, in the order in which a found one is preferred.
        pub const BACKENDS: &[BackendSpec] = &[$($module::BACKEND),+];
    };
}

backends! { lmstudio, vllm_mlx, mlx_lm, ollama, llama_cpp, vllm, openai, anthropic, demo }

pub(crate) use facts::find;
pub use facts::{Asks, FactSource, Facts, Model, model_config, model_template, template_opens_thinking};
pub use quirks::{EmptyContent, MaxTokensKey, Quirks, ReasoningParameter, ThinkingHistory, ToolChoiceForm};
pub use signs::{Look, Sighting, Sign};

use crate::error::{Error, ErrorKind, Result};

/// What a kind of server is and how it differs from others.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct BackendSpec {
    /// The word users choose it by.
    pub name: &'static str,
    /// Other words for it.
    pub aliases: &'static [&'static str],
    /// One line for help texts and tables.
    pub about: &'static str,
    /// What is done with requests.
    pub role: Role,
    /// Where it listens unless told otherwise, `/v1` included; `None` for a backend without a server.
    pub default_url: Option<&'static str>,
    /// What answers as long as it is well, below the server's root.
    pub health_path: &'static str,
    /// Its list of models, below the base URL (`/v1` included).
    pub models_path: &'static str,
    /// Whether it has a Messages API of its own, which can be used instead of chat completions.
    pub native_messages: bool,
    /// How it is told from other servers: all must hold. Empty for what cannot be found by looking.
    pub signs: &'static [Sign],
    /// Where it tells of windows, tools and images.
    pub facts: &'static [FactSource],
    /// How users give it a larger window.
    pub window_hint: &'static str,
    /// How it differs from OpenAI's reference.
    pub quirks: Quirks,
}

/// What is done with requests for a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Role {
    /// They are translated and sent.
    Translate,
    /// They are sent as they came: the server is Anthropic's, or speaks exactly its API.
    PassThrough,
    /// They are answered by the library itself.
    Canned,
}

impl BackendSpec {
    /// A server that follows OpenAI's reference and tells nothing of itself: what others differ from.
    const REFERENCE: BackendSpec = BackendSpec {
        name: "",
        aliases: &[],
        about: "",
        role: Role::Translate,
        default_url: None,
        health_path: "/health",
        models_path: "/models",
        native_messages: false,
        signs: &[],
        facts: &[],
        window_hint: "see the server's own option for the context length",
        quirks: Quirks::REFERENCE,
    };
}

/// The backend of a name or alias.
///
/// # Errors
/// An unknown name; the message lists the known ones.
pub fn by_name(name: &str) -> Result<&'static BackendSpec> {
    BACKENDS.iter().find(|spec| spec.name == name || spec.aliases.contains(&name)).ok_or_else(|| {
        let known: Vec<&str> = BACKENDS.iter().map(|spec| spec.name).collect();
        let message = format!("backend: {name:?} is not known; choose one of {}", known.join(", "));
        Error::new(ErrorKind::Config, message)
    })
}
