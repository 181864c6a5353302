//! OLMo 3: Python's calls, one a line.

use crate::toolcall::format::{Begins, Format, Mark, PLAIN, Reads};
use crate::toolcall::payload::PythonSpec;

/// OLMo 3: Python's calls, one a line.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "olmo3",
    models: &["olmo-3*"],
    marks: &[Mark::new(
        "<function_calls>",
        Begins::Name(&["("]),
        Reads::Python(PythonSpec { close: &["</function_calls>"], brackets: false, declared: false }),
    )],
    ..PLAIN
};
