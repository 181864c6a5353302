//! MiroThinker: a server, a tool and an object in tags.

use crate::toolcall::format::{Begins, Format, Mark, PLAIN, Reads};
use crate::toolcall::json::Dialect;
use crate::toolcall::payload::NameSpec;
use crate::toolcall::schema::Tools;

/// MiroThinker: a server, a tool and an object in tags.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "miro_mcp",
    models: &["mirothinker*"],
    marks: &[Mark::new(
        "<use_mcp_tool>",
        Begins::Tag(&["<server_name>"]),
        Reads::Name(NameSpec {
            open: &[],
            name,
            after: &["</arguments>"],
            close: &["</use_mcp_tool>"],
            dialect: Dialect::PLAIN,
            declared: false,
        }),
    )],
    ..PLAIN
};

/// The tool's own name where it is declared, the name of a server's tool where that is.
fn name(head: &str, tools: &Tools) -> Option<String> {
    let between = |open: &str, close: &str| Some(head.split_once(open)?.1.split_once(close)?.0.trim());
    let tool = between("<tool_name>", "</tool_name>")?;
    let full = format!("mcp__{}__{tool}", between("<server_name>", "</server_name>")?);
    Some(if !tools.declares(tool) && tools.declares(&full) { full } else { tool.to_owned() })
}
