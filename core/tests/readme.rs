//! The tables of the README come from the code. `ANYCLAUDE_BLESS=1` writes them.

#![cfg(feature = "proxy")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;

use anyclaude_core::Config;
use anyclaude_core::backend::{BACKENDS, Role};
use anyclaude_core::toolcall::formats as formats_of_calls;

fn check(mark: &str, table: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let (head, rest) = readme.split_once(&format!("<!-- {mark} -->\n")).expect("the mark of the table");
    let (_, tail) = rest.split_once("<!-- end -->").expect("the end of the table");
    let wanted = format!("{head}<!-- {mark} -->\n{table}<!-- end -->{tail}");
    if wanted != readme {
        assert!(
            std::env::var_os("ANYCLAUDE_BLESS").is_some(),
            "README.md: the table {mark:?} is stale; it should be\n{table}"
        );
        fs::write(path, wanted).unwrap();
    }
}

#[test]
fn tables_are_those_of_the_code() {
    let mut backends = String::from(
        "| `--backend` | what it is | where it is looked for | Messages API of its own |\n| --- | --- | --- | --- |\n",
    );
    for spec in BACKENDS {
        let place = spec.default_url.map_or("nowhere".to_owned(), |url| format!("`{url}`"));
        // Only what shows by its answers what it is can be found by looking.
        let place = if spec.signs.is_empty() { format!("{place}, when named") } else { place };
        let place = if spec.default_url.is_none() { "nowhere".to_owned() } else { place };
        let also: String = spec.aliases.iter().map(|alias| format!(", `{alias}`")).collect();
        let native = if spec.native_messages { "yes" } else { "no" };
        backends.push_str(&format!("| `{}`{also} | {} | {place} | {native} |\n", spec.name, spec.about));
    }
    check("backends", &backends);

    let mut differences = String::from("| server | differs from OpenAI's reference |\n| --- | --- |\n");
    for spec in BACKENDS.iter().filter(|spec| spec.role == Role::Translate) {
        let words = spec.quirks.differences();
        let words = if words.is_empty() { "in nothing".to_owned() } else { words.join("; ") };
        differences.push_str(&format!("| `{}` | {words} |\n", spec.name));
    }
    check("differences", &differences);

    let mut formats = String::from("| format | models, by name |\n| --- | --- |\n");
    for format in formats_of_calls() {
        let models: Vec<String> = format.models.iter().map(|pattern| format!("`{pattern}`")).collect();
        let models = if models.is_empty() { "found by its marker".to_owned() } else { models.join(" ") };
        formats.push_str(&format!("| `{}` | {models} |\n", format.name));
    }
    check("formats", &formats);

    let mut settings = String::from("| key | variable | default | what it is |\n| --- | --- | --- | --- |\n");
    for setting in Config::settings() {
        let default = match &setting.default {
            serde_json::Value::Null => String::new(),
            serde_json::Value::String(text) => format!("`{text}`"),
            other => format!("`{other}`"),
        };
        settings.push_str(&format!(
            "| `{}` | `{}` | {default} | {} |\n",
            setting.key,
            setting.variable(),
            setting.about
        ));
    }
    check("settings", &settings);

    let source = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let ends: String =
        source.lines().filter_map(|line| line.strip_prefix("//! |")).map(|row| format!("|{row}\n")).collect();
    assert!(ends.lines().count() > 5, "the table of ends was not found");
    check("ends", &ends);
}
