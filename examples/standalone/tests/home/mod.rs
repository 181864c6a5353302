//! A home of its own for each run, with a working folder in it: what the developer has set is none of a test's.
#![allow(dead_code, unreachable_pub)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

pub struct Home {
    pub path: PathBuf,
}

impl Home {
    pub fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("anyclaude-home-{}-{number}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(path.join("project")).unwrap();
        // The system may reach its folder for temporary files by a link.
        Home { path: path.canonicalize().unwrap() }
    }

    pub fn project(&self) -> PathBuf {
        self.path.join("project")
    }

    /// Writes a file in the working folder, or below the home where its name begins with `{home}/`.
    pub fn write(&self, name: &str, text: &str) {
        let path = match name.strip_prefix("{home}/") {
            Some(name) => self.path.join(name),
            None => self.project().join(name),
        };
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Lets a command run here, without any of the caller's settings.
    pub fn prepare(&self, command: &mut Command) {
        let foreign = ["ANYCLAUDE_", "ANTHROPIC_", "CLAUDE", "XDG_", "PROXY_ONLY"];
        for (name, _) in std::env::vars_os() {
            if foreign.iter().any(|start| name.to_string_lossy().starts_with(start)) {
                command.env_remove(name);
            }
        }
        command.env("HOME", &self.path).current_dir(self.project()).env("PATH", "/nowhere");
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}
