//! GLM-4.7 and 5: GLM-4.5's calls without line ends.

use super::glm45;
use crate::toolcall::format::{Begins, Format, Mark, PLAIN, Reads};

/// GLM-4.7 and 5: GLM-4.5's calls without line ends.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "glm47",
    models: &["glm-4.7*", "glm-5*"],
    marks: &[Mark::new("<tool_call>", Begins::Line(&["<arg_key>", "</tool_call>"]), Reads::Tags(glm45::TAGS))],
    ..PLAIN
};
