use super::{Asks, BackendSpec, FactSource, Look, Quirks, Sign, ThinkingHistory, ToolChoiceForm, facts};

/// Ollama. Its chat completions have no `tool_choice`, and cut a prompt that does not fit without a word.
pub(super) const BACKEND: BackendSpec = BackendSpec {
    name: "ollama",
    about: "Ollama",
    default_url: Some("http://127.0.0.1:11434/v1"),
    health_path: "/",
    native_messages: true,
    signs: &[Sign::new("/", Look::Text("Ollama is running")), Sign::new("/api/version", Look::Keys(&["version"]))],
    facts: &[
        FactSource { path: "/api/show", asks: Asks::Each, read: facts::ollama_show },
        FactSource { path: "/api/ps", asks: Asks::Once, read: facts::ollama_ps },
    ],
    window_hint: "start it with a larger one: `OLLAMA_CONTEXT_LENGTH=65536 ollama serve`",
    quirks: Quirks {
        thinking_history: ThinkingHistory::Field("reasoning"),
        max_stop: usize::MAX,
        tool_choice: ToolChoiceForm::None,
        parallel_tool_calls: false,
        ..Quirks::REFERENCE
    },
    ..BackendSpec::REFERENCE
};
