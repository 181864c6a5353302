//! What the shared library exports: our names and no others, each in the header and in the C test.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use support::{repository, run, shared_library};

#[test]
fn only_our_names_are_exported() {
    let foreign: Vec<String> = exported().into_iter().filter(|name| !name.starts_with("anyclaude_")).collect();
    assert!(foreign.is_empty(), "also exported: {foreign:?}");
}

#[test]
fn exports_are_what_the_header_declares() {
    let header = fs::read_to_string(repository("include/anyclaude.h")).unwrap();
    let code: String = header.lines().filter(|line| !line.starts_with("//")).collect();
    let calls = code.split('(').map(|before| before.rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_').next());
    let declared: BTreeSet<String> =
        calls.flatten().filter(|name| name.starts_with("anyclaude_")).map(str::to_owned).collect();
    assert_eq!(exported(), declared);
}

#[test]
fn every_export_is_called_in_the_c_tests() {
    let (right, wrong) = (c_tests(|name| name != "null.c"), c_tests(|name| name == "null.c"));
    // These take no pointer.
    let without = ["anyclaude_version", "anyclaude_abi_version", "anyclaude_buffer_new"];
    for name in exported() {
        let call = format!("{name}(");
        assert!(right.contains(&call), "{name} is not called in tests/c");
        assert!(wrong.contains(&call) || without.contains(&name.as_str()), "{name} gets no NULL in tests/c/null.c");
    }
}

/// The text of the C tests of these names.
fn c_tests(wanted: impl Fn(&str) -> bool) -> String {
    let entries = fs::read_dir(repository("tests/c")).unwrap().map(|entry| entry.unwrap().path());
    entries
        .filter(|path| wanted(path.file_name().unwrap().to_str().unwrap()))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect()
}

#[test]
fn unsafe_blocks_are_in_one_file() {
    for entry in fs::read_dir(repository("ffi/src")).unwrap() {
        let path = entry.unwrap().path();
        let source = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = source.lines().map(str::trim_start).collect();
        for (number, line) in lines.iter().enumerate().filter(|(_, line)| !line.starts_with("//")) {
            if ["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern"].iter().any(|word| line.contains(word)) {
                assert!(path.ends_with("handle.rs"), "{}:{}", path.display(), number + 1);
                let reason = lines.iter().take(number).rev().take_while(|line| line.starts_with("//"));
                assert!(reason.into_iter().any(|line| line.starts_with("// SAFETY:")), "no reason: {line}");
            }
        }
    }
}

/// Names with a definition in the dynamic symbol table.
fn exported() -> BTreeSet<String> {
    let mut nm = Command::new("nm");
    nm.args(if cfg!(target_os = "macos") { ["-g", "-U"] } else { ["-D", "--defined-only"] });
    let table = run(nm.arg(shared_library()));
    let names = table.lines().filter_map(|line| line.split_whitespace().last());
    // macOS puts an underscore before C names.
    let names = names.map(|name| if cfg!(target_os = "macos") { name.trim_start_matches('_') } else { name });
    names.map(str::to_owned).collect()
}
