//! `seeds TARGET FOLDER`: writes the golden corpus as inputs of a target.

use std::fs;
use std::path::{Path, PathBuf};

use anyclaude_core::SIGNATURE;
use anyclaude_fuzz::CONTROL;
use serde_json::Value;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (Some(target), Some(folder)) = (arguments.next(), arguments.next()) else {
        panic!("usage: seeds TARGET FOLDER");
    };
    let seeds = match target.as_str() {
        "sse_splitter" | "chat_chunks" => controlled(sections("stream", "stream")),
        "request_json" => sections("translate", "request"),
        "own_thinking" => signed(sections("translate", "request")),
        "response_json" => sections("response", "answer"),
        "tool_text" => controlled(answers()),
        "error_body" => controlled(errors()),
        other => panic!("no target {other:?}"),
    };
    assert!(!seeds.is_empty(), "no seeds for {target}");
    for (name, seed) in seeds {
        fs::write(Path::new(&folder).join(name), seed).expect("the folder is there");
    }
}

type Seeds = Vec<(String, Vec<u8>)>;

/// One section of each case of a golden folder.
fn sections(folder: &str, wanted: &str) -> Seeds {
    let texts = files(folder).into_iter().map(|path| (stem(&path), fs::read_to_string(path).expect("a text")));
    let section = |text: String| {
        let begin = format!("=== {wanted}\n");
        let (_, rest) = text.split_once(&begin)?;
        let section = rest.split("\n=== ").next().unwrap_or(rest);
        // Bytes that an editor would not keep are written as one JSON string.
        let decoded = section.starts_with('"').then(|| serde_json::from_str::<String>(section.trim()));
        Some(decoded.and_then(Result::ok).unwrap_or_else(|| section.to_owned()).into_bytes())
    };
    texts.filter_map(|(name, text)| Some((name, section(text)?))).collect()
}

/// The same with our signature where there was none.
fn signed(seeds: Seeds) -> Seeds {
    let sign = |seed: Vec<u8>| {
        let signature = format!("\"signature\":\"{SIGNATURE}\"");
        String::from_utf8_lossy(&seed).replace("\"signature\":\"\"", &signature).into_bytes()
    };
    seeds.into_iter().map(|(name, seed)| (name, sign(seed))).collect()
}

/// What models wrote: the cases of all formats, one a line.
fn answers() -> Seeds {
    let lines = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a text");
        let cases: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let seed = move |(at, case): (usize, Value)| (format!("{}-{at}", stem(&path)), text_of(&case));
        cases.into_iter().enumerate().map(seed).collect::<Seeds>()
    };
    files("toolcall").into_iter().flat_map(lines).collect()
}

fn text_of(case: &Value) -> Vec<u8> {
    case["text"].as_str().expect("a text").as_bytes().to_vec()
}

fn errors() -> Seeds {
    let body = |path: &Path| {
        let case: Value = serde_json::from_slice(&fs::read(path).expect("a file")).expect("JSON");
        match &case["body"] {
            Value::String(text) => text.clone().into_bytes(),
            value => serde_json::to_vec(value).expect("JSON"),
        }
    };
    files("errors").iter().map(|path| (stem(path), body(path))).collect()
}

/// The same with a control part that asks for nothing special.
fn controlled(seeds: Seeds) -> Seeds {
    let control = |seed: Vec<u8>| [&[1; CONTROL], seed.as_slice()].concat();
    seeds.into_iter().map(|(name, seed)| (name, control(seed))).collect()
}

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(folder);
    fs::read_dir(folder).expect("the golden corpus").map(|entry| entry.expect("an entry").path()).collect()
}

fn stem(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}
