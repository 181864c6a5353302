//! The library that was just built, and C programs against it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, dead_code, missing_docs)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};

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
        let folder = target.join(folder);
        named_by_its_interface(&folder);
        folder
    })
}

/// Programs look for the library by the version of its binary interface; `make install` gives it that name.
fn named_by_its_interface(folder: &Path) {
    let header = std::fs::read_to_string(repository("include/anyclaude.h")).unwrap();
    let version = header.lines().find_map(|line| line.strip_prefix("#define ANYCLAUDE_ABI_VERSION ")).unwrap();
    let (file, name) = if cfg!(target_os = "macos") {
        ("libanyclaude.dylib", format!("libanyclaude.{version}.dylib"))
    } else {
        ("libanyclaude.so", format!("libanyclaude.so.{version}"))
    };
    // Another test process may be here, too.
    let link = folder.join(name);
    let made = std::os::unix::fs::symlink(file, &link);
    assert!(made.is_ok() || std::fs::read_link(&link).is_ok_and(|to| to == Path::new(file)), "{made:?}");
}

pub(crate) fn shared_library() -> PathBuf {
    libraries().join(format!("{}anyclaude{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX))
}

/// Looks over a program's shoulder.
#[derive(Clone, Copy)]
pub(crate) enum Watch {
    Nothing,
    /// Address, leak and undefined-behaviour sanitizers. The C code is instrumented; of the library they see what it
    /// allocates and frees, and what C reads and writes of that.
    Sanitizers,
    /// Every read and write of both, and leaks.
    Valgrind,
}

/// Compiles a file of `tests/c`, with warnings as errors; tells where the program is.
pub(crate) fn compile(source: &str, linkage: Linkage, watch: Watch) -> PathBuf {
    let kind = match linkage {
        Linkage::Shared => "shared",
        Linkage::Static => "static",
    };
    let flags: &[&str] = match watch {
        Watch::Sanitizers => &["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"],
        Watch::Nothing | Watch::Valgrind => &[],
    };
    let stem = Path::new(source).file_name().unwrap().to_string_lossy();
    let name = format!("{stem}-{kind}{}", if flags.is_empty() { "" } else { "-sanitized" });
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&name);
    // Another test may compile the same program now.
    static COMPILING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = COMPILING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut cc = if source.ends_with(".cpp") { command("c++", "-std=c++17") } else { command("cc", "-std=c11") };
    // Threads, sockets and signals are POSIX.
    cc.args(["-D_POSIX_C_SOURCE=200809L", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-g", "-pthread", "-I"]);
    cc.arg(repository("include")).args(flags).arg(repository("tests/c").join(source)).arg("-o").arg(&program);
    match linkage {
        Linkage::Shared => {
            let folder = libraries();
            cc.arg("-L").arg(folder).arg("-lanyclaude").arg(format!("-Wl,-rpath,{}", folder.display()));
        }
        Linkage::Static => {
            cc.arg(libraries().join("libanyclaude.a")).args(native_libraries());
        }
    }
    run(&mut cc);
    program
}

fn command(program: &str, argument: &str) -> Command {
    let mut command = Command::new(program);
    command.arg(argument);
    command
}

/// What a program that links the static library has to link besides: see `rustc --print native-static-libs`.
pub(crate) fn native_libraries() -> &'static [&'static str] {
    if cfg!(target_os = "macos") {
        &["-framework", "CoreFoundation", "-framework", "Security", "-liconv", "-lm"]
    } else {
        &["-lgcc_s", "-lutil", "-lrt", "-lpthread", "-lm", "-ldl", "-lc"]
    }
}

/// How a compiled program is run.
pub(crate) fn watched(program: &Path, watch: Watch) -> Command {
    match watch {
        Watch::Nothing => Command::new(program),
        Watch::Sanitizers => {
            let mut command = Command::new(program);
            // Apple's clang has no leak sanitizer: asked for leaks, the program would end before its first line.
            let leaks = u8::from(cfg!(target_os = "linux"));
            command.env("ASAN_OPTIONS", format!("detect_leaks={leaks}:abort_on_error=0"));
            command.env("UBSAN_OPTIONS", "print_stacktrace=1");
            command
        }
        Watch::Valgrind => {
            let mut command = Command::new("valgrind");
            command.args([
                "--quiet",
                "--leak-check=full",
                "--errors-for-leak-kinds=definite,indirect",
                "--show-leak-kinds=definite,indirect",
            ]);
            command.args(["--error-exitcode=99", "--fair-sched=yes", "--num-callers=30"]).arg(program);
            command
        }
    }
}

/// Runs a command that must succeed; what it says is shown if it does not.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{told}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}
