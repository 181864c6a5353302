//! gpt-oss: messages in channels.

use crate::toolcall::format::{Begins, Format, Mark, PLAIN, Reads};
use crate::toolcall::payload::HeaderSpec;

const HEADER: HeaderSpec = HeaderSpec {
    body: &["<|message|>"],
    next: &[],
    thinking: &["analysis"],
    user: &["user", "all"],
    after: &["<|call|>", "<|end|>", "<|return|>"],
};

/// gpt-oss: messages in channels.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "harmony",
    models: &["gpt-oss*"],
    marks: &[
        Mark::new("<|channel|>", Begins::Tag(&["analysis", "final", "commentary"]), Reads::Header(HEADER)),
        Mark::new("<|start|>", Begins::Tag(&["assistant", "functions."]), Reads::Header(HEADER)),
        Mark::new("<|end|>", Begins::Message, Reads::Nothing),
        Mark::new("<|call|>", Begins::Message, Reads::Nothing),
        Mark::new("<|return|>", Begins::Message, Reads::Nothing),
    ],
    bare: &[Mark::new("", Begins::Tag(&["to=functions."]), Reads::Header(HEADER))],
    ..PLAIN
};
