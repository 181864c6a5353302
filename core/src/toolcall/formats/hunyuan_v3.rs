//! Hunyuan 3 and 4: GLM's pairs behind a name and a separator.

use crate::toolcall::format::{Begins, Format, Mark, PLAIN, Reads};
use crate::toolcall::payload::TagSpec;

const TAGS: TagSpec =
    TagSpec { call: "<tool_call>", name_end: &["<tool_sep>"], close: &["</tool_calls>"], ..super::glm45::TAGS };

/// Hunyuan 3 and 4: GLM's pairs behind a name and a separator.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "hunyuan_v3",
    models: &["hy-v*", "hy3*", "hy4*"],
    marks: &[Mark::new("<tool_calls>", Begins::Tag(&["<tool_call>"]), Reads::Tags(TAGS))],
    ..PLAIN
};
