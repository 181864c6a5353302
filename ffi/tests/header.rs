//! `include/anyclaude.h` is what cbindgen makes of the sources. `ANYCLAUDE_BLESS=1` writes it.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn the_header_is_up_to_date() {
    let header = generate();
    if std::env::var_os("ANYCLAUDE_BLESS").is_some() {
        fs::write(path(), &header).unwrap();
    }
    let written = fs::read_to_string(path()).unwrap_or_default();
    assert!(written == header, "include/anyclaude.h is stale; ANYCLAUDE_BLESS=1 cargo test -p anyclaude-ffi writes it");
}

#[test]
fn the_version_macro_is_the_version() {
    let wanted = format!("#define ANYCLAUDE_VERSION \"{}\"\n", env!("CARGO_PKG_VERSION"));
    assert!(generate().contains(&wanted));
}

/// Whoever reads the header reads nothing else: what begins a line has a comment above it.
#[test]
fn every_item_is_documented() {
    let header = generate();
    let lines: Vec<&str> = header.lines().collect();
    let begins = ["#define ANYCLAUDE_", "typedef ", "anyclaude_", "const char *anyclaude_", "void anyclaude_", "uint"];
    let mut items = 0;
    for (above, line) in lines.iter().zip(lines.iter().skip(1)) {
        let guard = line.ends_with("ANYCLAUDE_H");
        if !guard && begins.iter().any(|begin| line.starts_with(begin)) {
            items += 1;
            assert!(above.starts_with("//"), "no comment above: {line}");
        }
    }
    assert!(items > 20, "only {items} items found: does the test still know what they look like?");
}

fn generate() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut config = cbindgen::Config::from_file(folder.join("cbindgen.toml")).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    config.header = Some(HEAD.trim_end().to_owned());
    config.after_includes = Some(format!("\n// The version of this header.\n#define ANYCLAUDE_VERSION \"{version}\""));
    let mut out = Vec::new();
    cbindgen::generate_with_config(folder, config).unwrap().write(&mut out);
    String::from_utf8(out).unwrap()
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../include/anyclaude.h")
}

const HEAD: &str = "\
// anyclaude: Claude Code, and every other client of the Anthropic Messages API, on any local model
// server. This file is generated from the sources of the library.
//
// Objects
//
// - anyclaude_translator turns requests into anyclaude_translated, and whole answers into messages;
//   anyclaude_stream turns one answer as it streams; anyclaude_tool_parser reads the tool calls in a text.
// - anyclaude_proxy is all of it behind a port.
// - anyclaude_buffer takes what functions write, anyclaude_error says why they failed.
//
// Conventions
//
// - Objects are opaque. What a function puts into `*out` or `*error` belongs to the caller, who gives
//   it to its `_free` function exactly once. `_free` takes NULL. Freeing twice and using what was freed
//   are undefined, as everywhere in C: set the pointer to NULL afterwards.
// - `const` arguments are shared: any number of threads may use them at the same time. The others
//   (streams, tool parsers, buffers) are used by one thread at a time, any one; a call that finds another
//   in the object does nothing and gives ANYCLAUDE_BUSY. Nothing may be freed while a thread uses it.
// - Functions that can fail return a status. `*out` is written only on success, `*error` only on
//   failure; neither has to be initialised. `error` may be NULL. A buffer gets all of a result or nothing.
// - Every other pointer may be NULL too and then gives ANYCLAUDE_NULL_ARGUMENT, never a crash.
// - JSON goes in and comes out as UTF-8 bytes with a length. Bytes given to a function must not be
//   those of the buffer that it appends to.
// - A defect of the library is caught: ANYCLAUDE_PANIC, and the object that was called takes no more
//   calls but `_free`. Its message also goes to standard error, as Rust does by itself.
// - The library keeps nothing by thread, installs no signal handler, hook or logger, changes no disposition of
//   a signal, raises no SIGPIPE and never ends the process.
";
