//! Which model name a backend is sent.

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

/// What the backend is asked for: a name of its own as it stands; for a Claude name the configured
/// model, or the word that means the loaded one, or the first that the server has.
pub(crate) fn for_backend<'a>(
    asked: &'a str,
    configured: Option<&'a str>,
    loaded: Option<&'a str>,
    server_has: &'a [String],
) -> &'a str {
    let asked = without_window_mark(asked);
    let own = server_has.iter().any(|id| id == asked);
    if !asked.is_empty() && (own || !is_claude_name(asked)) {
        return asked;
    }
    configured.or(loaded).or(server_has.first().map(String::as_str)).unwrap_or("default")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claude_names_never_reach_a_backend() {
        let list = ["first".to_owned(), "claude-tune".to_owned()];
        for asked in ["claude-opus-5-5", "claude-sonnet-4-5[1m]", "us.anthropic.claude-x", "Haiku", ""] {
            assert_eq!(for_backend(asked, Some("qwen3"), Some("loaded"), &list), "qwen3");
            assert_eq!(for_backend(asked, None, Some("loaded"), &list), "loaded");
            assert_eq!(for_backend(asked, None, None, &list), "first");
            assert_eq!(for_backend(asked, None, None, &[]), "default");
        }
        assert_eq!(for_backend("qwen3-coder[1m]", Some("other"), None, &[]), "qwen3-coder");
        assert_eq!(for_backend("claude-tune", Some("other"), None, &list), "claude-tune");
    }
}
