//! Nemotron Nano 2 and Llama-Nemotron: a list in `<TOOLCALL>`.

use crate::toolcall::format::{Begins, Format, Mark, PLAIN, Reads};
use crate::toolcall::payload::JsonSpec;

/// Nemotron Nano 2 and Llama-Nemotron: a list in `<TOOLCALL>`.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "nemotron_json",
    models: &["*nemotron-nano*", "llama-*nemotron*"],
    marks: &[Mark::new(
        "<TOOLCALL>",
        Begins::Json("[{"),
        Reads::Json(JsonSpec { close: &["</TOOLCALL>"], repeats: true, ..JsonSpec::NONE }),
    )],
    ..PLAIN
};
