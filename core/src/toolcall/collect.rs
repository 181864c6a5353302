//! Whole answers, put together from pieces.

use serde_json::{Value, json};

use super::given::Choice;
use super::out::Piece;
use super::parser::ToolParser;
use crate::Seed;

/// What an answer was, as a whole.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Parsed {
    /// The text.
    pub text: String,
    /// The thinking, if there was any.
    pub thinking: Option<String>,
    /// The calls: names and inputs.
    pub calls: Vec<(String, Value)>,
}

impl Parsed {
    /// As a JSON object: `text`, `thinking` (or null) and `calls` with `id`, `name` and `input`. The ids come from
    /// `seed`; clients drop calls whose id they have seen, so no two answers should have one in common.
    pub fn to_json(&self, seed: Seed) -> String {
        let call = |(ordinal, (name, input)): (u64, &(String, Value))| json!({"id": seed.tool_use_id(ordinal), "name": name, "input": input});
        let calls: Vec<Value> = (0..).zip(&self.calls).map(call).collect();
        json!({"text": self.text, "thinking": self.thinking, "calls": calls}).to_string()
    }
}

/// Puts pieces together.
#[derive(Debug, Default)]
pub struct Collector {
    parsed: Parsed,
    arguments: String,
}

impl Collector {
    /// Takes a piece.
    pub fn take(&mut self, piece: Piece<'_>) {
        match piece {
            Piece::Text(text) => self.parsed.text.push_str(text),
            Piece::Thinking(text) => self.parsed.thinking.get_or_insert_default().push_str(text),
            Piece::CallStart(name) => self.parsed.calls.push((name.to_owned(), Value::Null)),
            Piece::Arguments(json) => self.arguments.push_str(json),
            Piece::CallEnd => {
                // Arguments are an object, whatever was made of them.
                let read = serde_json::from_str(&self.arguments).ok().filter(Value::is_object);
                if let Some((_, input)) = self.parsed.calls.last_mut() {
                    *input = read.unwrap_or_else(|| Value::Object(serde_json::Map::new()));
                }
                self.arguments.clear();
            }
        }
    }

    /// All of it.
    pub fn finish(self) -> Parsed {
        self.parsed
    }
}

/// Reads an answer that has all come.
pub fn parse(choice: Choice<'_>, tools: &[Value], prompt_opens_thinking: bool, text: &str) -> Parsed {
    let mut parser = ToolParser::new(choice, tools, prompt_opens_thinking);
    let mut collector = Collector::default();
    let mut sink = |piece: Piece<'_>| collector.take(piece);
    parser.push(text, &mut sink);
    parser.finish(&mut sink);
    collector.finish()
}
