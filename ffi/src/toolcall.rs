//! The reader of tool calls that models write as text.

use std::mem::MaybeUninit;
use std::ptr::NonNull;

use anyclaude_core::{JsonToolParser, Seed, parse_tools_json, tool_formats_json};

use crate::buffer::{Buffer, append, append_text};
use crate::error::Error;
use crate::guard::{free, guard};
use crate::handle::{Bytes, Exclusive, hand_over, lent, required};
use crate::status::Status;

/// Reads what a model writes, as it comes: text, thinking and tool calls. Put together the events are the same
/// however the answer was cut; what only looks like a call is text. One thread at a time.
pub struct ToolParser(Exclusive<JsonToolParser>);

/// Makes the parser of one answer.
///
/// `config_json` is an object with the optional keys `format` (the only format to look for) or `model` (that of the
/// answer: its formats are looked for first, and all that have markers behind them), `tools` (an array with those of
/// the request, as the Messages API has them; without any there are no calls), `prompt_opens_thinking` (whether the
/// prompt ended in the marker that opens thinking) and `seed` (an integer that makes the ids of the calls; random
/// unless given). Free `*out` with `anyclaude_tool_parser_free`.
///
/// Fails with `ANYCLAUDE_CONFIG` if a key or format is not known, and with `ANYCLAUDE_INVALID_REQUEST` for tools that
/// are none.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_tool_parser_new(
    config_json: Bytes,
    out: Option<&mut MaybeUninit<Option<Box<ToolParser>>>>,
    error: Option<&mut MaybeUninit<Option<Box<Error>>>>,
) -> Status {
    guard(error, || {
        let out = required(out, "out")?;
        let parser = JsonToolParser::from_config_json(config_json.get("config_json")?, Seed::random())?;
        hand_over(out, ToolParser(Exclusive::new(parser)));
        Ok(())
    })
}

/// Takes more of the answer, cut anywhere, also inside of a character. Appends one line for each event that is known
/// by now to `out`, perhaps none: a JSON object and a newline. Its `type` is `text` or `thinking` (with a field of that name),
/// `tool_start` (`id`, `name`), `tool_args` (`json`, the next piece of the arguments) or `tool_end`.
///
/// Fails with `ANYCLAUDE_FINISHED` after `anyclaude_tool_parser_finish`.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_tool_parser_push(
    parser: Option<NonNull<ToolParser>>,
    text: Bytes,
    out: Option<NonNull<Buffer>>,
    error: Option<&mut MaybeUninit<Option<Box<Error>>>>,
) -> Status {
    guard(error, || {
        let parser = lent(parser, "parser")?;
        let text = text.get("text")?;
        let taken = append(out, |out| parser.0.call(|core| Ok(core.push(text, out))))?;
        if taken { Ok(()) } else { Err(Error::finished("every answer has a parser of its own")) }
    })
}

/// The answer has ended: appends what was held back, as lines. A second call appends nothing.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_tool_parser_finish(
    parser: Option<NonNull<ToolParser>>,
    out: Option<NonNull<Buffer>>,
    error: Option<&mut MaybeUninit<Option<Box<Error>>>>,
) -> Status {
    guard(error, || {
        let parser = lent(parser, "parser")?;
        append(out, |out| {
            parser.0.call(|core| {
                core.finish(out);
                Ok(())
            })
        })
    })
}

/// Frees a parser. NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_tool_parser_free(parser: Option<Box<ToolParser>>) {
    free(parser);
}

/// Reads an answer that has all come. Appends a JSON object to `out`: `text`, `thinking` (or null) and `calls`, an
/// array of objects with `id`, `name` and `input`.
///
/// `config_json` and the failures are those of `anyclaude_tool_parser_new`.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_parse_tools(
    config_json: Bytes,
    text: Bytes,
    out: Option<NonNull<Buffer>>,
    error: Option<&mut MaybeUninit<Option<Box<Error>>>>,
) -> Status {
    guard(error, || {
        let (config, text) = (config_json.get("config_json")?, text.get("text")?);
        append_text(out, || Ok(parse_tools_json(config, text, Seed::random())?))
    })
}

/// Appends the names of all formats to `out`: a JSON array.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_tool_formats(
    out: Option<NonNull<Buffer>>,
    error: Option<&mut MaybeUninit<Option<Box<Error>>>>,
) -> Status {
    guard(error, || append_text(out, || Ok(tool_formats_json())))
}
