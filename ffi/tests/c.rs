//! C programs against the library as users link it, and the golden corpus through one of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../../core/tests/support/mod.rs"]
mod golden;
mod support;

use std::fs::File;
use std::path::Path;
use std::process::Command;

use support::{Linkage, compile, repository, run};

#[test]
fn every_export_works_in_c_with_the_shared_library() {
    run(&mut Command::new(compile("api.c", Linkage::Shared)));
}

#[test]
fn every_export_works_in_c_with_the_static_library() {
    run(&mut Command::new(compile("api.c", Linkage::Static)));
}

#[test]
fn the_header_is_cpp_too() {
    let source = Path::new(env!("CARGO_TARGET_TMPDIR")).join("header.cpp");
    std::fs::write(&source, "#include \"anyclaude.h\"\nint main() { return anyclaude_abi_version() == 0; }\n").unwrap();
    let mut cpp = Command::new("c++");
    cpp.args(["-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only", "-I"]);
    run(cpp.arg(repository("include")).arg(source));
}

#[test]
fn requests_of_the_golden_corpus() {
    let program = compile("translate.c", Linkage::Shared);
    let mut compared = 0;
    // The models that a server has are not part of a C caller's settings.
    for case in golden::cases("translate").into_iter().filter(|case| case.word("models").is_none()) {
        let name = case.name();
        let input = Path::new(env!("CARGO_TARGET_TMPDIR")).join("request.json");
        std::fs::write(&input, case.section("request").unwrap()).unwrap();
        let [backend, dialect] =
            [("backend", "openai"), ("dialect", "chat")].map(|(name, or)| case.word(name).unwrap_or(or));
        let config = format!("{{\"backend\":\"{backend}\",\"backend_api\":\"{dialect}\"}}");
        let output = Command::new(&program).arg(config).stdin(File::open(&input).unwrap()).output().unwrap();
        let got = String::from_utf8(output.stdout).unwrap();
        match case.word("error") {
            None => {
                assert_eq!(output.status.code(), Some(0), "{name}: {got}");
                assert_eq!(got, case.word("body").unwrap(), "{name}");
            }
            Some(error) => {
                assert_eq!(output.status.code(), Some(3), "{name}: {got}");
                assert_eq!(got, error.replace(",\"request_id\":\"req_0\"", ""), "{name}");
            }
        }
        compared += 1;
    }
    assert!(compared > 50, "only {compared} cases");
}
