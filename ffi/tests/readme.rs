//! The README's example in C is compiled and run.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::fs;
use std::path::Path;

use support::{Linkage, Watch, compile, repository, run, watched};

#[test]
fn the_example_works() {
    let readme = fs::read_to_string(repository("README.md")).unwrap();
    let (_, rest) = readme.split_once("```c\n").expect("an example in C");
    let (example, _) = rest.split_once("```").unwrap();
    let source = Path::new(env!("CARGO_TARGET_TMPDIR")).join("readme.c");
    fs::write(&source, example).unwrap();
    let program = compile(source.to_str().unwrap(), Linkage::Shared, Watch::Nothing);
    let said = run(&mut watched(&program, Watch::Nothing));
    assert!(said.starts_with("export ANTHROPIC_BASE_URL=http://127.0.0.1:"), "{said}");
}
