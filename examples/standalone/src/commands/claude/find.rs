//! Where Claude Code is.

use std::path::{Path, PathBuf};

use anyclaude_core::Config;

/// The program: where the settings say, on the path, or where its installers put it.
pub(crate) fn find(config: &Config) -> Option<PathBuf> {
    if let Some(path) = &config.claude_path {
        return is_program(path).then(|| path.clone());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let home = std::env::home_dir();
    let usual = home.iter().flat_map(|home| [home.join(".local/bin"), home.join(".claude/local")]);
    let names = if cfg!(windows) { &["claude.exe", "claude.cmd"][..] } else { &["claude"] };
    let folders = std::env::split_paths(&path).chain(usual);
    folders.flat_map(|folder| names.iter().map(move |name| folder.join(name))).find(|path| is_program(path))
}

/// Claude Code's own folder of settings.
pub(crate) fn config_folder() -> Option<PathBuf> {
    let named = std::env::var_os("CLAUDE_CONFIG_DIR").filter(|path| !path.is_empty()).map(PathBuf::from);
    named.or_else(|| std::env::home_dir().map(|home| home.join(".claude")))
}

fn is_program(path: &Path) -> bool {
    let Ok(meta) = std::fs::metadata(path) else { return false };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        meta.is_file() && meta.permissions().mode() & 0o111 != 0
    }
    #[cfg(not(unix))]
    meta.is_file()
}
