//! Llama 4, ToolACE and Gemma 3: the whole answer is a list of Python's calls.

use crate::toolcall::format::{Begins, Format, Mark, PLAIN, Reads};
use crate::toolcall::payload::PythonSpec;

/// Llama 4, ToolACE and Gemma 3: the whole answer is a list of Python's calls.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "pythonic",
    models: &["llama-3*", "meta-llama-3*", "llama-4*", "toolace*", "gemma-3*"],
    bare: &[
        Mark::new(
            "",
            Begins::Python,
            Reads::WholePython(PythonSpec { close: &["<|python_end|>"], brackets: true, declared: true }),
        ),
        Mark::new(
            "<|python_start|>",
            Begins::Tag(&["["]),
            Reads::Python(PythonSpec { close: &["<|python_end|>"], brackets: true, declared: true }),
        ),
    ],
    ..PLAIN
};
