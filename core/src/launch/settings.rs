//! The user's own settings of Claude Code: what of them overrides a launcher. They are read, never written.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// A setting of the user's that wins over what the launcher sets.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Override {
    /// The file it stands in.
    pub file: PathBuf,
    /// The variable. Its value may be a key, and is not told.
    pub variable: String,
}

/// Where Claude Code reads settings from, weakest first: the user's folder, the project, the administrator.
pub fn files(config_folder: &Path, project: &Path) -> Vec<PathBuf> {
    let managed = if cfg!(target_os = "macos") {
        "/Library/Application Support/ClaudeCode/managed-settings.json"
    } else {
        "/etc/claude-code/managed-settings.json"
    };
    vec![
        config_folder.join("settings.json"),
        project.join(".claude/settings.json"),
        project.join(".claude/settings.local.json"),
        PathBuf::from(managed),
    ]
}

/// The variables that a settings file sets otherwise than the launcher does.
pub fn overrides(file: &Path, settings: &[u8], environment: &[(&str, String)]) -> Vec<Override> {
    let settings: Value = serde_json::from_slice(settings).unwrap_or_default();
    let Some(own) = settings.get("env").and_then(Value::as_object) else { return Vec::new() };
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let differs = |name: &str, wanted: &str| own.get(name).is_some_and(|value| text(value) != wanted);
    let set = environment.iter().filter(|(name, wanted)| differs(name, wanted));
    set.map(|(name, _)| Override { file: file.to_owned(), variable: (*name).to_owned() }).collect()
}

/// Whether a settings file chooses a permission mode.
pub fn chooses_mode(settings: &[u8]) -> bool {
    let settings: Value = serde_json::from_slice(settings).unwrap_or_default();
    settings.pointer("/permissions/defaultMode").is_some_and(Value::is_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_told() {
        let file = Path::new("settings.json");
        let environment = [("ANTHROPIC_BASE_URL", "http://a".to_owned()), ("API_TIMEOUT_MS", "5".to_owned())];
        let settings = br#"{"env":{"ANTHROPIC_BASE_URL":"http://b","API_TIMEOUT_MS":5,"OTHER":"x"}}"#;
        let found = overrides(file, settings, &environment);
        assert_eq!(found, [Override { file: file.to_owned(), variable: "ANTHROPIC_BASE_URL".to_owned() }]);
        assert!(
            overrides(file, b"{}", &environment).is_empty() && overrides(file, b"no json", &environment).is_empty()
        );
    }

    #[test]
    fn a_mode_in_the_settings_is_a_choice() {
        assert!(chooses_mode(br#"{"permissions":{"defaultMode":"plan"}}"#));
        assert!(!chooses_mode(br#"{"permissions":{"allow":[]}}"#));
    }
}
