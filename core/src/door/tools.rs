//! The reader of tool calls with JSON at both ends.

use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;

use super::read::strict;
use crate::error::Result;
use crate::ids::Seed;
use crate::toolcall::{Choice, Piece, ToolParser, formats, parse, read_tools};

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct Keys {
    format: Option<String>,
    model: Option<String>,
    tools: Option<Box<RawValue>>,
    prompt_opens_thinking: bool,
    seed: Option<u128>,
}

impl Keys {
    fn tools(&self) -> Result<Vec<serde_json::Value>> {
        read_tools(self.tools.as_ref().map_or("[]", |tools| tools.get()).as_bytes())
    }

    fn choice(&self) -> Result<Choice<'_>> {
        Choice::named(self.format.as_deref(), self.model.as_deref())
    }
}

/// Reads an answer that has all come. `config` is that of [`JsonToolParser::from_config_json`]; the answer is that of
/// [`Parsed::to_json`](crate::toolcall::Parsed::to_json). Bytes that are no UTF-8 become replacement characters.
///
/// # Errors
/// As [`JsonToolParser::from_config_json`].
pub fn parse_tools_json(config: &[u8], text: &[u8], fresh: Seed) -> Result<String> {
    let keys: Keys = strict("config", config)?;
    let seed = keys.seed.map_or(fresh, Seed);
    let text = String::from_utf8_lossy(text);
    Ok(parse(keys.choice()?, &keys.tools()?, keys.prompt_opens_thinking, &text).to_json(seed))
}

/// The names of all formats as a JSON array.
pub fn tool_formats_json() -> String {
    json!(formats().map(|format| format.name).collect::<Vec<_>>()).to_string()
}

/// A [`ToolParser`] that writes what it finds as lines of JSON.
///
/// ```
/// use anyclaude_core::{JsonToolParser, Seed};
///
/// let config = br#"{"format":"hermes","tools":[{"name":"look"}]}"#;
/// let mut parser = JsonToolParser::from_config_json(config, Seed(1))?;
/// let mut lines = Vec::new();
/// parser.push(b"Yes.\n<tool_call>\n{\"name\":\"look\",\"arguments\":{}}\n</tool_call>", &mut lines);
/// parser.finish(&mut lines);
/// assert!(lines.starts_with(b"{\"type\":\"text\",\"text\":\"Yes.\\n\"}\n"));
/// assert!(lines.ends_with(b"{\"type\":\"tool_end\"}\n"));
/// # Ok::<(), anyclaude_core::Error>(())
/// ```
#[derive(Debug)]
pub struct JsonToolParser {
    /// None once the answer has ended.
    parser: Option<ToolParser>,
    seed: Seed,
    calls: u64,
    /// The beginning of a character whose other bytes have not come.
    begun: Vec<u8>,
}

impl JsonToolParser {
    /// A parser for one answer, by a JSON object with the optional keys `format` (the only one to look for) or `model`
    /// (its formats are looked for first, and all that have markers behind them), `tools` (those of the request, as the
    /// Messages API has them; without any there are no calls), `prompt_opens_thinking` (a boolean) and `seed` (an integer
    /// that makes the ids of the calls). `fresh` is the seed where none is given.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) that names the key or the formats there are,
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) for tools that are none.
    pub fn from_config_json(config: &[u8], fresh: Seed) -> Result<Self> {
        let keys: Keys = strict("config", config)?;
        let parser = ToolParser::new(keys.choice()?, &keys.tools()?, keys.prompt_opens_thinking);
        Ok(JsonToolParser { parser: Some(parser), seed: keys.seed.map_or(fresh, Seed), calls: 0, begun: Vec::new() })
    }

    /// Takes more of the answer, cut anywhere, also inside of a character; appends one line for each event that is known
    /// by now: an object with `type` and, for `text` and `thinking`, a field of that name, for `tool_start` `id` and
    /// `name`, for `tool_args` `json`; `tool_end` has none. `false` after the end: nothing was taken.
    pub fn push(&mut self, text: &[u8], out: &mut Vec<u8>) -> bool {
        let JsonToolParser { parser: Some(parser), seed, calls, begun } = self else { return false };
        begun.extend_from_slice(text);
        let whole = begun.len() - unfinished(begun);
        let rest = begun.split_off(whole);
        let text = String::from_utf8_lossy(begun);
        parser.push(&text, &mut |piece: Piece<'_>| line(piece, *seed, calls, out));
        *begun = rest;
        true
    }

    /// The answer has ended: appends what was held back. A second call appends nothing.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        let Some(mut parser) = self.parser.take() else { return };
        let JsonToolParser { seed, calls, begun, .. } = self;
        let mut sink = |piece: Piece<'_>| line(piece, *seed, calls, out);
        if !begun.is_empty() {
            parser.push(&String::from_utf8_lossy(begun), &mut sink);
        }
        parser.finish(&mut sink);
    }
}

/// How many bytes at the end may be the beginning of a character.
fn unfinished(bytes: &[u8]) -> usize {
    let at_end = bytes.utf8_chunks().last().map_or(&[][..], |chunk| chunk.invalid());
    // Whatever comes next, these bytes alone are what is wrong with it only if nothing could follow them.
    let may_go_on = std::str::from_utf8(at_end).is_err_and(|error| error.error_len().is_none());
    if may_go_on { at_end.len() } else { 0 }
}

/// An event as a line says it.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line<'a> {
    Text { text: &'a str },
    Thinking { thinking: &'a str },
    ToolStart { id: String, name: &'a str },
    ToolArgs { json: &'a str },
    ToolEnd,
}

fn line(piece: Piece<'_>, seed: Seed, calls: &mut u64, out: &mut Vec<u8>) {
    let event = match piece {
        Piece::Text(text) => Line::Text { text },
        Piece::Thinking(thinking) => Line::Thinking { thinking },
        Piece::CallStart(name) => {
            *calls += 1;
            Line::ToolStart { id: seed.tool_use_id(*calls - 1), name }
        }
        Piece::Arguments(json) => Line::ToolArgs { json },
        Piece::CallEnd => Line::ToolEnd,
    };
    // Texts into memory: nothing of it can fail.
    if serde_json::to_writer(&mut *out, &event).is_ok() {
        out.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(pieces: &[&[u8]]) -> String {
        let mut parser = JsonToolParser::from_config_json(b"{}", Seed(1)).unwrap();
        let mut out = Vec::new();
        for piece in pieces {
            assert!(parser.push(piece, &mut out));
        }
        parser.finish(&mut out);
        assert!(!parser.push(b"more", &mut out));
        let lines = String::from_utf8(out).unwrap();
        let text = |line| serde_json::from_str::<serde_json::Value>(line).unwrap()["text"].as_str().unwrap().to_owned();
        lines.lines().map(text).collect()
    }

    #[test]
    fn characters_may_be_cut() {
        let text = "é, 漢, 🙂.";
        for at in 0..=text.len() {
            let (head, tail) = text.as_bytes().split_at(at);
            assert_eq!(said(&[head, tail]), text, "at {at}");
        }
        let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        assert_eq!(said(&bytes), text);
        assert_eq!(said(&[b"a\xff\xfeb", b"\xf0\x9f"]), "a\u{fffd}\u{fffd}b\u{fffd}");
        assert_eq!(said(&[b"\xe2", b"(x"]), "\u{fffd}(x");
    }

    #[test]
    fn mistakes_are_named() {
        let told = |json: &str| {
            JsonToolParser::from_config_json(json.as_bytes(), Seed(1)).map(drop).unwrap_err().message().to_owned()
        };
        assert!(told(r#"{"formt":"hermes"}"#).starts_with("config: formt: unknown field"));
        assert!(told(r#"{"format":"nowhere"}"#).contains("hermes"));
        assert!(told(r#"{"tools":{}}"#).starts_with("tools: "));
        assert!(told(r#"{"tools":[{"function":{}}]}"#).starts_with("tools[0]: "));
    }
}
