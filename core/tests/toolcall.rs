//! Text tool calls: the cases of `tests/golden/toolcall`, however they are cut.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::path::PathBuf;

use anyclaude_core::ErrorKind;
use anyclaude_core::toolcall::{Choice, Collector, Parsed, Piece, ToolParser, by_name, formats, parse, read_tools};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A case: a line of a file that has the name of its format.
struct Case {
    about: String,
    format: Option<String>,
    model: Option<String>,
    tools: Vec<Value>,
    opens: bool,
    text: String,
    expect: Value,
}

impl Case {
    fn choice(&self) -> Choice<'_> {
        Choice::named(self.format.as_deref(), self.model.as_deref()).unwrap()
    }

    fn parser(&self) -> ToolParser {
        ToolParser::new(self.choice(), &self.tools, self.opens)
    }

    fn cut(&self, pieces: &[&str]) -> Parsed {
        let mut parser = self.parser();
        let mut collector = Collector::default();
        let mut sink = |piece: Piece<'_>| collector.take(piece);
        for piece in pieces {
            parser.push(piece, &mut sink);
        }
        parser.finish(&mut sink);
        collector.finish()
    }
}

fn tools() -> Vec<Value> {
    let text = json!({"type": "string"});
    let properties = json!({"port": text, "to": text, "cars": {"type": "integer"}, "night": {"type": "boolean"},
        "price": {"type": "number"}, "tags": {"type": "array", "items": text}, "options": {"type": "object"}});
    let tool = |name: &str| json!({"name": name, "input_schema": {"type": "object", "properties": properties}});
    vec![tool("find_ferry"), tool("list_ports"), tool("mcp__sea__tide")]
}

fn cases() -> Vec<Case> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/toolcall");
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut cases = Vec::new();
    let mut without: Vec<&str> = formats().map(|format| format.name).collect();
    for file in files {
        let stem = file.file_stem().unwrap().to_str().unwrap().to_owned();
        without.retain(|name| *name != stem);
        for line in fs::read_to_string(&file).unwrap().lines().filter(|line| !line.is_empty()) {
            let case: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{stem}: {error}: {line}"));
            let word = |key: &str| case.get(key).and_then(Value::as_str).map(str::to_owned);
            let model = word("model");
            let own = (by_name(&stem).is_some() && model.is_none()).then(|| stem.clone());
            cases.push(Case {
                about: format!("{stem}: {}", word("about").unwrap()),
                format: word("format").or(own),
                model,
                tools: case.get("tools").and_then(Value::as_array).cloned().unwrap_or_else(tools),
                opens: case["prompt_opens_thinking"] == true,
                text: word("text").unwrap(),
                expect: case["expect"].clone(),
            });
        }
    }
    assert!(without.is_empty() && cases.len() >= 900, "{} cases, none of {without:?}", cases.len());
    cases
}

/// White space counts for nothing where there is thinking or a call.
fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

/// What is wrong with an answer.
fn fault(case: &Case, parsed: &Parsed) -> Option<String> {
    let calls: Vec<Value> = parsed.calls.iter().map(|(name, input)| json!({"name": name, "input": input})).collect();
    let is_plain = case.expect["calls"] == json!([]) && case.expect["thinking"].is_null();
    let text = case.expect["text"].as_str().unwrap();
    let text_fits = if is_plain { parsed.text == text } else { folded(&parsed.text) == folded(text) };
    let thinking = parsed.thinking.as_deref().map(folded);
    let thinking_fits = thinking == case.expect["thinking"].as_str().map(folded);
    (!text_fits || !thinking_fits || !same(&json!(calls), &case.expect["calls"])).then(|| {
        format!(
            "{}\n  wanted {}\n  got    {}",
            case.about,
            case.expect,
            json!({"text": parsed.text, "thinking": parsed.thinking, "calls": calls})
        )
    })
}

#[test]
fn all_cases_at_every_cut() {
    let mut faults = Vec::new();
    for case in cases() {
        let whole = case.cut(&[&case.text]);
        faults.extend(fault(&case, &whole));
        let ends: Vec<usize> = case.text.char_indices().map(|(at, _)| at).skip(1).collect();
        let single: Vec<&str> = case.text.split("").collect();
        if case.cut(&single) != whole {
            faults.push(format!("{}: other by single characters: {:?}", case.about, case.cut(&single)));
        }
        for at in ends {
            if case.cut(&[&case.text[..at], &case.text[at..]]) != whole {
                faults.push(format!(
                    "{}: other when cut at {at}: {:?}",
                    case.about,
                    case.cut(&[&case.text[..at], &case.text[at..]])
                ));
                break;
            }
            // An answer that ends here.
            let cut = case.cut(&[&case.text[..at]]);
            if cut != case.cut(&case.text[..at].split("").collect::<Vec<_>>()) {
                faults.push(format!("{}: other when it ends at {at}", case.about));
                break;
            }
        }
    }
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn every_format_has_cases() {
    let cases = cases();
    for format in formats() {
        let count = cases.iter().filter(|case| case.format.as_deref() == Some(format.name)).count();
        println!("{}: {count}", format.name);
        assert!(count >= 10, "{}: {count}", format.name);
    }
}

#[test]
fn a_choice_that_cannot_be() {
    let error = Choice::named(Some("hermse"), None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    for format in formats() {
        assert!(error.message().contains(format.name), "{error}");
        assert_eq!(by_name(format.name).unwrap().name, format.name);
    }
    assert_eq!(Choice::named(Some("hermes"), Some("qwen3")).unwrap_err().kind(), ErrorKind::Config);
}

#[test]
fn tools_of_chat_completions() {
    let tools = read_tools(br#"[{"type":"function","function":{"name":"b","parameters":{"type":"object"}}}]"#).unwrap();
    assert_eq!(tools, [serde_json::json!({"name": "b", "input_schema": {"type": "object"}})]);
}

#[test]
fn tools_that_are_none() {
    assert_eq!(read_tools(br#"[{"name": "find_ferry"}]"#).unwrap().len(), 1);
    for (tools, place) in [
        ("{}", "tools: "),
        ("[{}", "tools: "),
        (r#"[{"name": "a"}, {"toolSpec": {"name": "b"}}]"#, "tools[1]: "),
        ("[7]", "tools[0]: "),
    ] {
        let error = read_tools(tools.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.message().starts_with(place), "{error}");
    }
}

#[test]
fn arguments_stream() {
    let content = "line of text\\n".repeat(1600);
    let text =
        format!("<tool_call>\n{{\"name\": \"find_ferry\", \"arguments\": {{\"port\": \"{content}\"}}}}\n</tool_call>");
    let mut parser = ToolParser::new(Choice::Any, &tools(), false);
    let mut given = 0;
    let mut sink = |piece: Piece<'_>| given += usize::from(matches!(piece, Piece::Arguments(_)));
    for chunk in text.as_bytes()[..text.len() / 2].chunks(64) {
        parser.push(std::str::from_utf8(chunk).unwrap(), &mut sink);
    }
    assert!(given > 100, "{given} pieces");
}

#[test]
fn names_of_models_choose() {
    for (model, format) in [
        ("Qwen/Qwen2.5-7B-Instruct", "hermes"),
        ("qwen3-coder-30b", "qwen3_coder"),
        ("Qwen3.5-9B", "qwen3_coder"),
        ("NVIDIA-Nemotron-3-Nano-30B", "qwen3_coder"),
        ("nvidia-nemotron-nano-9b-v2", "nemotron_json"),
        ("glm-4.7-flash", "glm47"),
        ("zai-org/GLM-4.5-Air", "glm45"),
        ("deepseek-v3.2", "dsml"),
        ("DeepSeek-V3.1", "deepseek_v31"),
        ("deepseek-r1-0528", "deepseek_v3"),
        ("openai/gpt-oss-20b", "harmony"),
        ("Devstral-Small-2507", "mistral"),
        ("granite-20b-functioncalling", "granite_fc"),
        ("granite-4.0-h", "hermes"),
        ("granite-3.2-8b", "granite"),
        ("MiniMax-M2.1", "minimax_m2"),
        ("kimi-k2-thinking", "kimi_k2"),
        ("kimi-k3", "kimi_k3"),
        ("functionary-small-v3.2", "functionary_v32"),
        ("functionary-7b", "functionary_v31"),
        ("seed-oss-36b", "seed_oss"),
        ("step-3.5-flash", "qwen3_coder"),
        ("step3", "step3"),
        ("gemma-4-e4b", "gemma4"),
        ("gemma-3-27b", "pythonic"),
        ("c4ai-command-r-08-2024", "command_r"),
        ("llama-3.3-nemotron-super-49b", "nemotron_json"),
        ("gigachat3.5-x", "gigachat35"),
        ("hunyuan-a13b", "hunyuan_a13b"),
        ("Hermes-3-Llama-3.1-8B", "hermes"),
    ] {
        let found: Vec<&str> = anyclaude_core::toolcall::for_model(model).iter().map(|format| format.name).collect();
        assert!(found.contains(&format), "{model}: {found:?}");
    }
    assert!(anyclaude_core::toolcall::for_model("gpt-4o").is_empty());
}

/// That it takes linear time is for the bench `text_calls` to show.
#[test]
fn hostile_text_is_read_to_its_end() {
    let big = 256 << 10;
    for unit in [
        "<",
        "<tool_call>",
        "<tool_call>{\"a\":[",
        "[TOOL_CALLS]",
        "<t",
        "{\"a\":",
        "[",
        "<|channel|>",
        "<tool_call> ",
        "<function=a>\n<parameter=b>",
        "<tool_calls><tool_call>",
        "<|tool_call_begin|>a<|tool_call_argument_begin|>",
        "<|channel|>analysis",
        "[TOOL_CALLS]a[ARGS]",
        "<tool_call>a\n<arg_key>",
        "<think></think>[",
        "\n</",
        "<invoke name=\"",
        "]<]minimax[>[",
    ] {
        let text = unit.repeat(big / unit.len());
        let parsed = parse(Choice::Any, &tools(), false, &text);
        assert!(parsed.text.len() <= text.len(), "{unit}");
    }
}

/// Text with markers in it.
fn texts() -> impl Strategy<Value = String> {
    const PARTS: &[&str] = &[
        "<tool_call>",
        "</tool_call>",
        "{\"name\": \"find_ferry\", \"arguments\": {\"port\": \"a\"}}",
        "<think>",
        "</think>",
        "<function=find_ferry>",
        "<parameter=port>",
        "</parameter>",
        "</function>",
        "[TOOL_CALLS]",
        "find_ferry",
        "[ARGS]",
        "{",
        "}",
        "[",
        "]",
        "\"",
        "'",
        "\\",
        ":",
        ",",
        " ",
        "\n",
        "```json",
        "```",
        "<|channel|>",
        "analysis",
        "<|message|>",
        "<|end|>",
        "<|start|>assistant",
        "<arg_key>",
        "</arg_key>",
        "<arg_value>",
        "</arg_value>",
        "é",
        "<|tool_call>",
        "call:find_ferry{",
        "<|\"|>",
        "(",
        ")",
        "=",
        "port",
        "<invoke name=\"",
        "<minimax:tool_call>",
        "\\u00",
        "\\ud83d",
        "1",
        "true",
        "<|tool_calls_section_begin|>",
        "<|tool_call_begin|>",
        "<|tool_call_argument_begin|>",
        "<tool_calls>",
        "<｜DSML｜tool_calls>",
        "<｜tool▁call▁begin｜>",
        "]<]minimax[>[",
    ];
    prop::collection::vec(
        prop_oneof![prop::sample::select(PARTS).prop_map(str::to_owned), "[a-z<>|\\[\\] ]{1,4}"],
        0..24,
    )
    .prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cuts_change_nothing(text in texts(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6), opens: bool, which: prop::sample::Index) {
        let mut choices = vec![Choice::Any, Choice::Model("llama-3.1"), Choice::Model("gpt-oss")];
        choices.extend(formats().map(Choice::Format));
        let choice = choices[which.index(choices.len())];
        let whole = parse(choice, &tools(), opens, &text);
        let mut parser = ToolParser::new(choice, &tools(), opens);
        let mut collector = Collector::default();
        let mut sink = |piece: Piece<'_>| collector.take(piece);
        let chars: Vec<char> = text.chars().collect();
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(chars.len() + 1)).chain([chars.len()]).collect();
        ends.sort_unstable();
        let mut at = 0;
        for end in ends {
            parser.push(&chars[at..end].iter().collect::<String>(), &mut sink);
            at = end;
        }
        parser.finish(&mut sink);
        prop_assert_eq!(collector.finish(), whole);
    }

    #[test]
    fn text_without_markers_is_itself(text in "[a-zA-Z0-9 \n.,;:!?(){}éß\"'`#*_-]{0,200}") {
        let parsed = parse(Choice::Any, &tools(), false, &text);
        prop_assert_eq!(parsed.text, text);
    }
}

/// What stands deep inside is made to fit as what stands on top is, in every kind of payload, however it is cut.
#[test]
fn values_inside_are_made_to_fit() {
    let edit = json!({"type": "object", "properties": {"line": {"type": "integer"}, "text": {"type": "string"}}});
    let properties = json!({"path": {"type": "string"}, "edits": {"type": "array", "items": {"$ref": "#/$defs/edit"}}});
    let tools = vec![json!({"name": "edit", "input_schema":
        {"type": "object", "properties": properties, "$defs": {"edit": edit}}})];
    let wanted = json!({"path": "7", "edits": [{"line": 8, "text": "9"}, {"line": 1}]});
    for text in [
        r#"<tool_call>{"name": "edit", "arguments": {"path": 7, "edits": [{"line": "8", "text": 9}, {"line": 1}]}}</tool_call>"#,
        r#"<tool_call>{"name": "edit", "arguments": {"path": "7", "edits": "[{\"line\": \"8\", \"text\": \"9\"}, {'line': 1}]"}}</tool_call>"#,
        "<tool_call>\n<function=edit>\n<parameter=path>\n7\n</parameter>\n<parameter=edits>\n[{'line': '8', 'text': 9}, {\"line\": \"1\"}]\n\
         </parameter>\n</function>\n</tool_call>",
    ] {
        for (at, _) in text.char_indices() {
            let mut parser = ToolParser::new(Choice::Any, &tools, false);
            let mut collector = Collector::default();
            let mut sink = |piece: Piece<'_>| collector.take(piece);
            parser.push(&text[..at], &mut sink);
            parser.push(&text[at..], &mut sink);
            parser.finish(&mut sink);
            assert_eq!(collector.finish().calls, [("edit".to_owned(), wanted.clone())], "{text} at {at}");
        }
    }
}
