//! The library that was just built, and C programs against it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, dead_code, missing_docs)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// How a program finds the library.
#[derive(Clone, Copy)]
pub(crate) enum Linkage {
    Shared,
    Static,
}

/// A file or folder of the repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// Builds both libraries, once a process, and tells where they are. Cargo does it for no test by
/// itself, as Rust code cannot link them.
pub(crate) fn libraries() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        let (profile, folder) = if cfg!(debug_assertions) { ("dev", "debug") } else { ("release", "release") };
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--package", "anyclaude-ffi", "--profile", profile, "--target-dir"]).arg(target);
        run(cargo.current_dir(env!("CARGO_MANIFEST_DIR")));
        target.join(folder)
    })
}

pub(crate) fn shared_library() -> PathBuf {
    libraries().join(format!("{}anyclaude{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX))
}

/// Compiles a file of `tests/c`, with warnings as errors; tells where the program is.
pub(crate) fn compile(source: &str, linkage: Linkage) -> PathBuf {
    let kind = match linkage {
        Linkage::Shared => "shared",
        Linkage::Static => "static",
    };
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{source}-{kind}"));
    let mut cc = Command::new("cc");
    cc.args(["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-g", "-I"]).arg(repository("include"));
    cc.arg(repository("tests/c").join(source)).arg("-o").arg(&program);
    match linkage {
        Linkage::Shared => {
            let folder = libraries();
            cc.arg("-L").arg(folder).arg("-lanyclaude").arg(format!("-Wl,-rpath,{}", folder.display()));
        }
        Linkage::Static => {
            cc.arg(libraries().join("libanyclaude.a")).args(["-lpthread", "-lm"]);
            // What `rustc --print native-static-libs` names beside these is part of the C library.
            cc.args(if cfg!(target_os = "macos") { &["-liconv"][..] } else { &["-ldl"] });
        }
    }
    run(&mut cc);
    program
}

/// Runs a command that must succeed; what it says is shown if it does not.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{told}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}
