//! Settings files: the project's, then the user's.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::failure::Failure;

/// The names of a project's file, in the working folder or one above it.
const PROJECT: [&str; 2] = [".anyclauderc.json", ".anyclauderc.toml"];

/// The names in the user's config folder.
const USER: [&str; 2] = ["config.json", "config.toml"];

/// A settings file is small; anything else is none.
const MAX_BYTES: u64 = 1 << 20;

/// A settings file that was read.
pub(super) struct File {
    pub(super) path: PathBuf,
    pub(super) values: Map<String, Value>,
    /// It belongs to the folder, not to the user.
    pub(super) of_project: bool,
}

/// The files there are, weakest first.
pub(super) fn find() -> Result<Vec<File>, Failure> {
    let user = user_folder().and_then(|folder| first(&folder, &USER)).map(|path| (path, false));
    let working = std::env::current_dir().ok();
    let folders = working.as_deref().into_iter().flat_map(Path::ancestors);
    let project = folders.filter_map(|folder| first(folder, &PROJECT)).next().map(|path| {
        // In the home folder itself it is the user's own.
        let of_project = path.parent() != std::env::home_dir().as_deref();
        (path, of_project)
    });
    let mut files = Vec::new();
    for (path, of_project) in [user, project].into_iter().flatten() {
        files.push(File { values: read(&path)?, path, of_project });
    }
    Ok(files)
}

/// Whether a file belongs to a folder and not to the user.
pub(super) fn is_projects(path: &Path) -> bool {
    let is_named = path.file_name().is_some_and(|name| PROJECT.iter().any(|known| name == *known));
    is_named && path.parent() != std::env::home_dir().as_deref()
}

fn first(folder: &Path, names: &[&str]) -> Option<PathBuf> {
    names.iter().map(|name| folder.join(name)).find(|path| path.is_file())
}

fn user_folder() -> Option<PathBuf> {
    let config = std::env::var_os("XDG_CONFIG_HOME").filter(|path| !path.is_empty()).map(PathBuf::from);
    let config = config.or_else(|| std::env::home_dir().map(|home| home.join(".config")))?;
    Some(config.join("anyclaude"))
}

fn read(path: &Path) -> Result<Map<String, Value>, Failure> {
    let fail = |what: &dyn std::fmt::Display| Failure::settings(format!("{}: {what}", path.display()));
    let size = std::fs::metadata(path).map_err(|error| fail(&error))?.len();
    if size > MAX_BYTES {
        return Err(fail(&format_args!("{size} bytes are no settings; at most {MAX_BYTES} are read")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| fail(&error))?;
    if path.extension().is_some_and(|end| end == "toml") {
        return toml::from_str(&text).map_err(|error| fail(&error.message()));
    }
    match serde_json::from_str(&text) {
        Ok(Value::Object(mut map)) => {
            // Editors find the schema by it.
            map.remove("$schema");
            Ok(map)
        }
        Ok(_) => Err(fail(&"it must hold a JSON object")),
        Err(error) => Err(fail(&error)),
    }
}
