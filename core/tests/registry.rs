//! Backends are data: each file is registered, and no code asks for a backend's name.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyclaude_core::backend::{BACKENDS, by_name};

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

#[test]
fn every_file_is_registered_under_a_name_of_its_own() {
    let files = fs::read_dir(source().join("backend")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: HashSet<String> =
        files.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect();
    for shared in ["mod", "facts", "quirks", "signs", "template"] {
        assert!(files.remove(shared), "{shared}");
    }
    let names: HashSet<&str> = BACKENDS.iter().map(|spec| spec.name).collect();
    assert_eq!(names.len(), BACKENDS.len(), "a name is there twice");
    let modules: HashSet<String> = names.iter().map(|name| name.replace(['-', '.'], "_")).collect();
    assert_eq!(files, modules);
}

#[test]
fn an_unknown_name_lists_the_known_ones() {
    let error = by_name("gpt").unwrap_err();
    for spec in BACKENDS {
        assert!(error.message().contains(spec.name), "{error}");
        for name in spec.aliases.iter().chain([&spec.name]) {
            assert_eq!(by_name(name).unwrap().name, spec.name);
        }
    }
}

#[test]
fn differences_are_quirks_and_not_names() {
    let mut seen = 0;
    for path in rust_files(&source()) {
        if path.parent().unwrap().ends_with("backend") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        // Tests may name them; the code may not.
        let code = text.split("#[cfg(test)]").next().unwrap();
        for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for spec in BACKENDS {
                let compared = [format!("== \"{}\"", spec.name), format!("\"{}\" =>", spec.name)];
                assert!(!compared.iter().any(|form| line.contains(form.as_str())), "{}: {line}", path.display());
            }
        }
        seen += 1;
    }
    assert!(seen > 20, "only {seen} files were read");
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
    files
}
