//! The core without its features stays free of runtimes and sockets.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::process::Command;

/// What must not be in the tree: runtimes, HTTP stacks, sockets, signals.
const FORBIDDEN: &[&str] = &[
    "tokio",
    "hyper",
    "hyper-util",
    "mio",
    "socket2",
    "async-std",
    "smol",
    "futures-util",
    "rustls",
    "signal-hook",
    "getrandom",
];

#[test]
fn no_runtime_without_features() {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--offline",
            "-p",
            "anyclaude-core",
            "--no-default-features",
            "-e",
            "normal",
            "--prefix",
            "none",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    let names: Vec<&str> = tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(names.contains(&"serde_json"), "the tree was not read:\n{tree}");
    for forbidden in FORBIDDEN {
        assert!(!names.contains(forbidden), "{forbidden} is in the pure core:\n{tree}");
    }
}
