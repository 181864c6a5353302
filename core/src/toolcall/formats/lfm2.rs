//! LFM2: Python's calls between markers.

use crate::toolcall::format::{Begins, Format, Mark, PLAIN, Reads};
use crate::toolcall::payload::{JsonSpec, PythonSpec};

/// LFM2: Python's calls between markers.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "lfm2",
    models: &["lfm2*"],
    marks: &[
        Mark::new(
            "<|tool_call_start|>",
            Begins::Json("[{"),
            Reads::Json(JsonSpec { close: &["<|tool_call_end|>"], ..JsonSpec::NONE }),
        ),
        Mark::new(
            "<|tool_call_start|>",
            Begins::Tag(&["["]),
            Reads::Python(PythonSpec { close: &["<|tool_call_end|>"], brackets: true, declared: false }),
        ),
    ],
    bare: &[Mark::new(
        "",
        Begins::Python,
        Reads::WholePython(PythonSpec { close: &["<|tool_call_end|>"], brackets: true, declared: true }),
    )],
    ..PLAIN
};
