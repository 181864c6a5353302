//! The tables of the README come from the code. `ANYCLAUDE_BLESS=1` writes them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;

use anyclaude_core::backend::BACKENDS;

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
    let mut backends = String::from("| `--backend` | what it is | where it is looked for |\n| --- | --- | --- |\n");
    for spec in BACKENDS {
        let place = spec.default_url.map_or("nowhere".to_owned(), |url| format!("`{url}`"));
        backends.push_str(&format!("| `{}` | {} | {place} |\n", spec.name, spec.about));
    }
    check("backends", &backends);

    let source = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let ends: String =
        source.lines().filter_map(|line| line.strip_prefix("//! |")).map(|row| format!("|{row}\n")).collect();
    assert!(ends.lines().count() > 5, "the table of ends was not found");
    check("ends", &ends);
}
