//! C programs against the library as users link it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::fs;

use support::{Linkage, Watch, compile, repository, run, watched};

/// Every program of `tests/c` that takes no input.
fn programs() -> Vec<String> {
    let entries = fs::read_dir(repository("tests/c")).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name.ends_with(".c") && name != "golden.c");
    names.sort();
    assert!(names.len() >= 6, "{names:?}");
    names
}

fn all(linkage: Linkage, watch: Watch) {
    for name in programs() {
        run(&mut watched(&compile(&name, linkage, watch), watch));
    }
}

#[test]
fn with_the_shared_library() {
    all(Linkage::Shared, Watch::Nothing);
}

#[test]
fn with_the_static_library() {
    all(Linkage::Static, Watch::Nothing);
}

#[test]
fn under_the_sanitizers() {
    all(Linkage::Shared, Watch::Sanitizers);
}

#[test]
#[cfg(target_os = "linux")]
fn under_valgrind() {
    all(Linkage::Shared, Watch::Valgrind);
}

#[test]
fn in_cpp() {
    for linkage in [Linkage::Shared, Linkage::Static] {
        let said = run(&mut watched(&compile("cpp.cpp", linkage, Watch::Nothing), Watch::Nothing));
        assert!(said.contains("the JSON is cut short"), "{said}");
    }
}
