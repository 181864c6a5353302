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

/// The variables that a settings file sets otherwise than the launcher does, or that the launcher takes away.
pub fn overrides(file: &Path, settings: &[u8], environment: &[(&str, String)], removed: &[&str]) -> Vec<Override> {
    let settings: Value = serde_json::from_slice(settings).unwrap_or_default();
    let Some(own) = settings.get("env").and_then(Value::as_object) else { return Vec::new() };
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let differs = |name: &str, wanted: &str| {
        let Some(value) = own.get(name).map(text) else { return false };
        let reaches = |value: &str| value.split(',').any(|host| matches!(host.trim(), "127.0.0.1" | "*"));
        value != wanted && !(name.eq_ignore_ascii_case("no_proxy") && reaches(&value))
    };
    let set = environment.iter().filter(|(name, wanted)| differs(name, wanted)).map(|(name, _)| *name);
    let is_on = |name: &str| own.get(name).is_some_and(|value| !matches!(text(value).as_str(), "" | "0" | "false"));
    let back = removed.iter().copied().filter(|name| is_on(name));
    set.chain(back).map(|name| Override { file: file.to_owned(), variable: name.to_owned() }).collect()
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
        let settings =
            br#"{"env":{"ANTHROPIC_BASE_URL":"http://b","API_TIMEOUT_MS":5,"OTHER":"x","CLOUD":"1","NO":"0"}}"#;
        let found = overrides(file, settings, &environment, &["CLOUD", "NO", "ABSENT"]);
        let names: Vec<&str> = found.iter().map(|found| found.variable.as_str()).collect();
        assert_eq!(names, ["ANTHROPIC_BASE_URL", "CLOUD"]);
        let direct = [("NO_PROXY", "a,127.0.0.1".to_owned())];
        assert!(overrides(file, br#"{"env":{"NO_PROXY":"127.0.0.1,x"}}"#, &direct, &[]).is_empty());
        assert_eq!(overrides(file, br#"{"env":{"NO_PROXY":"x"}}"#, &direct, &[]).len(), 1);
        for nothing in [&b"{}"[..], b"no json"] {
            assert!(overrides(file, nothing, &environment, &["CLOUD"]).is_empty());
        }
    }

    #[test]
    fn a_mode_in_the_settings_is_a_choice() {
        assert!(chooses_mode(br#"{"permissions":{"defaultMode":"plan"}}"#));
        assert!(!chooses_mode(br#"{"permissions":{"allow":[]}}"#));
    }
}
