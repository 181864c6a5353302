//! Which model name a backend is sent.

use std::collections::BTreeSet;

use crate::backend::Model;

/// Whether a name is one of Anthropic's, which no local server has.
///
/// Claude Code asks for `claude-opus-5-5`, older names, and cloud forms like
/// `us.anthropic.claude-...`. A local model that is called so all the same is found in the server's own
/// list before this is asked.
pub fn is_claude_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.contains("claude")
        || name.contains("anthropic")
        || matches!(name.as_str(), "opus" | "sonnet" | "haiku" | "fable")
}

/// The name without Claude Code's mark for a long window, `[1m]`.
pub(crate) fn without_window_mark(name: &str) -> &str {
    name.strip_suffix("[1m]").unwrap_or(name)
}

/// What launchers call the server's model where its own name would be taken for one of Anthropic's.
pub const LOCAL_MODEL: &str = "local";

/// The model that the backend is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chosen<'a> {
    pub(crate) name: &'a str,
    /// The server has it, or the user has named it. Otherwise its list of models may tell more.
    pub(crate) known: bool,
}

/// Whether a name stands for the server's model, whichever that is.
fn stands_for_any(asked: &str, stand_ins: &BTreeSet<String>) -> bool {
    asked.is_empty() || asked == LOCAL_MODEL || is_claude_name(asked) || stand_ins.contains(asked)
}

/// A name of the server's own as it has it, whole or by its last part; for a Claude name the configured
/// model, or the word that means the loaded one, or the first that the server has.
pub(crate) fn for_backend<'a>(
    asked: &'a str,
    configured: Option<&'a str>,
    loaded: Option<&'a str>,
    server_has: &'a [Model],
    stand_ins: &BTreeSet<String>,
) -> Chosen<'a> {
    let asked = without_window_mark(asked);
    let own = server_has.iter().find(|model| model.id == asked);
    if let Some(model) = own.or_else(|| server_has.iter().find(|model| model.short_name() == asked)) {
        return Chosen { name: &model.id, known: true };
    }
    if configured == Some(asked) || loaded == Some(asked) {
        return Chosen { name: asked, known: true };
    }
    if !stands_for_any(asked, stand_ins) {
        return Chosen { name: asked, known: false };
    }
    let name = configured.or(loaded).or(server_has.first().map(|model| model.id.as_str()));
    Chosen { name: name.unwrap_or("default"), known: name.is_some() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claude_names_never_reach_a_backend() {
        let list = ["first", "claude-tune", "/models/org/qwen3"].map(Model::named);
        let earlier = BTreeSet::from(["of-before".to_owned(), "first".to_owned()]);
        let for_backend = |asked, configured, loaded, list| for_backend(asked, configured, loaded, list, &earlier).name;
        for asked in
            ["claude-opus-5-5", "claude-sonnet-4-5[1m]", "us.anthropic.claude-x", "Haiku", "local", "of-before", ""]
        {
            assert_eq!(for_backend(asked, Some("mine"), Some("loaded"), &list), "mine");
            assert_eq!(for_backend(asked, None, Some("loaded"), &list), "loaded");
            assert_eq!(for_backend(asked, None, None, &list), "first");
            assert_eq!(for_backend(asked, None, None, &[]), "default");
        }
        assert_eq!(for_backend("qwen3-coder[1m]", Some("other"), None, &[]), "qwen3-coder");
        assert_eq!(for_backend("first", Some("other"), None, &list), "first", "the server has it, too");
        assert_eq!(for_backend("claude-tune", Some("other"), None, &list), "claude-tune");
        assert_eq!(for_backend("qwen3", Some("other"), None, &list), "/models/org/qwen3");
    }
}
