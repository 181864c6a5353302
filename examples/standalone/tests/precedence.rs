//! Flags win over variables, these over the project's file, it over the user's, and all over the defaults.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod home;

use std::process::Command;

use home::Home;
use serde_json::{Value, json};

/// Where a setting stands in a case, strongest first.
#[derive(Clone, Copy, Default)]
struct Case<'c> {
    flag: Option<&'c str>,
    variable: Option<(&'c str, &'c str)>,
    project: Option<&'c str>,
    user: Option<&'c str>,
}

/// The value and the source of a setting, by what the program says.
fn shown(case: Case<'_>, command: &str, key: &str) -> (Value, String) {
    let home = Home::new();
    if let Some(text) = case.project {
        let name = if text.starts_with('{') { ".anyclauderc.json" } else { ".anyclauderc.toml" };
        home.write(name, text);
    }
    if let Some(text) = case.user {
        home.write("{home}/.config/anyclaude/config.json", text);
    }
    let mut program = Command::new(env!("CARGO_BIN_EXE_anyclaude"));
    program.args(["config", command, "--json"]).args(case.flag);
    home.prepare(&mut program);
    program.envs(case.variable);
    let output = program.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let entries: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let entry = entries.into_iter().find(|entry| entry["key"] == key).expect("the key");
    let source = entry["source"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    (entry["value"].clone(), source)
}

#[test]
fn the_strongest_layer_wins() {
    let all = Case {
        flag: Some("--model=of-flag"),
        variable: Some(("ANYCLAUDE_MODEL", "of-variable")),
        project: Some(r#"{"model": "of-project"}"#),
        user: Some(r#"{"model": "of-user"}"#),
    };
    for (case, value, source) in [
        (all, json!("of-flag"), "--model"),
        (Case { flag: None, ..all }, json!("of-variable"), "ANYCLAUDE_MODEL"),
        (Case { flag: None, variable: None, ..all }, json!("of-project"), ".anyclauderc.json"),
        (Case { user: all.user, ..Case::default() }, json!("of-user"), "config.json"),
        (Case::default(), Value::Null, "default"),
        // An empty variable is none.
        (
            Case { variable: Some(("ANYCLAUDE_MODEL", "")), user: all.user, ..Case::default() },
            json!("of-user"),
            "config.json",
        ),
    ] {
        assert_eq!(shown(case, "show", "model"), (value, source.to_owned()));
    }
}

#[test]
fn every_kind_of_value_comes_from_every_layer() {
    for (key, flag, variable, project, value) in [
        ("backend", "--backend=ollama", ("ANYCLAUDE_MODE", "ollama"), "backend = \"ollama\"", json!("ollama")),
        ("debug", "--debug=2", ("ANYCLAUDE_DEBUG", "2"), "debug = 2", json!(2)),
        ("proxy_only", "--proxy-only", ("PROXY_ONLY", "1"), "proxy_only = true", json!(true)),
        (
            "stall_timeout",
            "--stall-timeout=off",
            ("ANYCLAUDE_STALL_TIMEOUT", "off"),
            "stall_timeout = \"off\"",
            json!("off"),
        ),
        ("tools", "--tools=off", ("ANYCLAUDE_TOOLS", "off"), "tools = \"off\"", json!("off")),
    ] {
        let by_flag = shown(Case { flag: Some(flag), ..Case::default() }, "show", key);
        let by_variable = shown(Case { variable: Some(variable), ..Case::default() }, "show", key);
        let by_file = shown(Case { project: Some(project), ..Case::default() }, "show", key);
        assert_eq!(by_flag, (value.clone(), flag.split('=').next().unwrap().to_owned()));
        assert_eq!(by_variable, (value.clone(), variable.0.to_owned()));
        assert_eq!(by_file, (value, ".anyclauderc.toml".to_owned()));
    }
}

/// Who may talk to the proxy is not for a project's file to say.
#[test]
fn lists_come_from_the_users_layers() {
    let (key, value) = ("allowed_hosts", json!(["a.test", "b.test"]));
    for case in [
        Case { flag: Some("--allowed-hosts=a.test,b.test"), ..Case::default() },
        Case { variable: Some(("ANYCLAUDE_ALLOWED_HOSTS", "a.test, b.test")), ..Case::default() },
        Case { user: Some(r#"{"allowed_hosts": ["a.test", "b.test"]}"#), ..Case::default() },
    ] {
        assert_eq!(shown(case, "show", key).0, value);
    }
}

#[test]
fn secrets_are_never_shown() {
    let case = Case {
        variable: Some(("ANYCLAUDE_API_KEY", "s3cret-key")),
        user: Some(r#"{"inbound_token": "s3cret-token"}"#),
        ..Case::default()
    };
    assert_eq!(shown(case, "show", "api_key"), (json!("[secret]"), "ANYCLAUDE_API_KEY".to_owned()));
    assert_eq!(shown(case, "show", "inbound_token").0, json!("[secret]"));
}
