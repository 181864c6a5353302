//! Golden files: one case a file, sections between lines that begin with `=== `.
//!
//! `about` says what the case shows. `backend` (default `openai`), `dialect` (`chat`, or `messages` for
//! a server's own Messages API) and `models` set the scene. With a `request`, its translation must be `body` and `notes`, or fail with `error`. With a `stream` from
//! the backend and its `end` (`closed`, `reset` or `stall`), the client must get `events`. With an
//! `answer`, the client must get `message`, or `error`. `stream` may be one JSON string, for bytes that
//! an editor would not keep. `ANYCLAUDE_BLESS=1` writes what came out.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    dead_code,
    missing_docs,
    unreachable_pub
)]

use std::fs;
use std::path::{Path, PathBuf};

pub struct Case {
    pub path: PathBuf,
    sections: Vec<(String, String)>,
}

/// Every case of a folder; fails when there is none.
pub fn cases(folder: &str) -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden").join(folder);
    let mut paths: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "txt"));
    paths.sort();
    assert!(!paths.is_empty(), "no cases in {}", folder.display());
    paths.into_iter().map(Case::read).collect()
}

impl Case {
    fn read(path: PathBuf) -> Self {
        let text = fs::read_to_string(&path).unwrap();
        let mut sections: Vec<(String, String)> = Vec::new();
        for line in text.split_inclusive('\n') {
            match line.strip_prefix("=== ") {
                Some(name) => sections.push((name.trim().to_owned(), String::new())),
                None => sections.last_mut().expect("a case begins with a section").1.push_str(line),
            }
        }
        let known = [
            "about", "backend", "dialect", "models", "request", "body", "notes", "error", "stream", "end", "events",
            "answer", "message",
        ];
        for (name, _) in &sections {
            assert!(known.contains(&name.as_str()), "{}: section {name:?} is not known", path.display());
        }
        Case { path, sections }
    }

    pub fn section(&self, name: &str) -> Option<&str> {
        self.sections.iter().find(|(section, _)| section == name).map(|(_, text)| text.as_str())
    }

    /// The text of a section without the line end at its end.
    pub fn word(&self, name: &str) -> Option<&str> {
        self.section(name).map(str::trim)
    }

    pub fn name(&self) -> String {
        self.path.file_stem().unwrap().to_string_lossy().into_owned()
    }

    /// Compares a section with what came out; with `ANYCLAUDE_BLESS` set, writes it.
    pub fn expect(&mut self, name: &str, actual: &str) {
        let actual =
            if actual.is_empty() || actual.ends_with('\n') { actual.to_owned() } else { format!("{actual}\n") };
        if self.section(name) == Some(actual.as_str()) {
            return;
        }
        if std::env::var_os("ANYCLAUDE_BLESS").is_none() {
            let wanted = self.section(name).unwrap_or("(the section is missing)\n");
            panic!("{}: {name}\n--- wanted\n{wanted}--- came out\n{actual}", self.path.display());
        }
        match self.sections.iter_mut().find(|(section, _)| section == name) {
            Some((_, text)) => *text = actual,
            None => self.sections.push((name.to_owned(), actual)),
        }
        let text: String = self.sections.iter().map(|(name, text)| format!("=== {name}\n{text}")).collect();
        fs::write(&self.path, text).unwrap();
    }

    /// The bytes of the backend's stream.
    pub fn stream(&self) -> Option<Vec<u8>> {
        let text = self.section("stream")?;
        match text.strip_prefix('"') {
            Some(_) => Some(serde_json::from_str::<String>(text.trim()).expect("a JSON string").into_bytes()),
            None => Some(text.as_bytes().to_vec()),
        }
    }
}
