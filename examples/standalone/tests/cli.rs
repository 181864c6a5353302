//! The command line from outside: what it prints and how it exits, against `tests/cli`.
//!
//! One case is one file with sections between lines that begin with `=== `: `about`, `args` (one a
//! line), `env` and `stdin` where needed, then `exit`, `stdout` and `stderr` as they must come out.
//! A section `file NAME` is a file in the working folder, or below `{home}`. `{busy}` in the arguments is a
//! port that is taken. `ANYCLAUDE_BLESS=1` writes what came out; a new
//! case needs no more than its arguments.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod home;

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use home::Home;

/// A case that has not ended by then serves, or hangs.
const PATIENCE: Duration = Duration::from_secs(20);

const EXPECTED: [&str; 3] = ["exit", "stdout", "stderr"];

#[test]
fn every_case_prints_what_it_must() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let busy = taken.local_addr().unwrap().port().to_string();
    let bless = std::env::var_os("ANYCLAUDE_BLESS").is_some();
    let mut failures = Vec::new();
    let mut codes = BTreeSet::new();
    for path in cases() {
        let text = fs::read_to_string(&path).unwrap();
        let mut sections = sections(&text);
        let out = run(&sections, &busy);
        codes.insert(out[0].clone());
        for (name, actual) in EXPECTED.into_iter().zip(out) {
            let actual = if actual.is_empty() || actual.ends_with('\n') { actual } else { format!("{actual}\n") };
            let wanted = section(&sections, name).unwrap_or_default().to_owned();
            if wanted != actual && !bless {
                failures.push(format!("{}: {name}\n--- wanted\n{wanted}--- came out\n{actual}", path.display()));
            }
            sections.retain(|(section, _)| section != name);
            sections.push((name.to_owned(), actual));
        }
        if bless {
            let text: String = sections.iter().map(|(name, text)| format!("=== {name}\n{text}")).collect();
            fs::write(&path, text).unwrap();
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    // Programs that call this one act on its exit code alone.
    assert!(codes.iter().eq(["0", "1", "2"]), "exit codes: {codes:?}");
}

/// Runs a case: exit code, standard output, standard error, without what differs between machines.
fn run(sections: &[(String, String)], busy: &str) -> [String; 3] {
    let lines = |name| section(sections, name).unwrap_or_default().lines();
    let mut command = Command::new(program());
    command.args(lines("args").map(|argument| argument.replace("{busy}", busy)));
    let home = Home::new();
    for (name, text) in sections {
        if let Some(file) = name.strip_prefix("file ") {
            home.write(file, text);
        }
    }
    home.prepare(&mut command);
    // Help is wrapped to the terminal.
    command.env("COLUMNS", "100");
    command.envs(lines("env").map(|line| line.split_once('=').expect("NAME=value")));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let given = section(sections, "stdin").unwrap_or_default();
    // One that does not read its input closes it, which is no failure.
    let _ = child.stdin.take().unwrap().write_all(given.as_bytes());
    let code = wait(&mut child);
    let (mut out, mut err) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    let place = home.path.display().to_string();
    [code, filter(&out.replace(&place, "{home}"), busy), filter(&err.replace(&place, "{home}"), busy)]
}

/// This build's program, or the one of an installed wheel: they must not differ.
fn program() -> PathBuf {
    std::env::var_os("ANYCLAUDE_PROGRAM").map_or_else(|| env!("CARGO_BIN_EXE_anyclaude").into(), PathBuf::from)
}

fn wait(child: &mut Child) -> String {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code().map_or_else(|| "signal".to_owned(), |code| code.to_string());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    "none: it runs on".to_owned()
}

/// Versions, ports, fresh ids and the system's numbers of errors are not what a case is about.
fn filter(text: &str, busy: &str) -> String {
    let mut text = text.replace(env!("CARGO_PKG_VERSION"), "{version}").replace(&format!(":{busy}"), ":{busy}");
    if let Some(at) = text.find("(os error ") {
        let digits = text.get(at + 10..).and_then(|rest| rest.find(')')).unwrap_or(0);
        text.replace_range(at + 10..at + 10 + digits, "{number}");
    }
    // Ids are fresh, and of one length.
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| rest.find("toolu_")).map(|at| from + at + 6) {
        let id = text[at..].find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(text.len() - at);
        text.replace_range(at..at + id, &format!("{{{id}}}"));
        from = at;
    }
    text
}

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cli");
    let mut paths: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "txt"));
    paths.sort();
    assert!(!paths.is_empty(), "no cases in {}", folder.display());
    paths
}

fn sections(text: &str) -> Vec<(String, String)> {
    let mut sections: Vec<(String, String)> = Vec::new();
    for line in text.split_inclusive('\n') {
        match line.strip_prefix("=== ") {
            Some(name) => sections.push((name.trim().to_owned(), String::new())),
            None => sections.last_mut().expect("a case begins with a section").1.push_str(line),
        }
    }
    for (name, _) in &sections {
        let given = ["about", "args", "env", "stdin"];
        assert!(
            given.contains(&name.as_str()) || name.starts_with("file ") || EXPECTED.contains(&name.as_str()),
            "section {name:?} is not known"
        );
    }
    sections
}

fn section<'s>(sections: &'s [(String, String)], name: &str) -> Option<&'s str> {
    sections.iter().find(|(section, _)| section == name).map(|(_, text)| text.as_str())
}
