//! Muse and Glimmer: namespaced invocations, and messages with headers.

use crate::toolcall::format::{Begins, Format, Mark, PLAIN, Reads};
use crate::toolcall::payload::{HeaderSpec, TagSpec};

const TAGS: TagSpec = TagSpec {
    wrap: &[],
    call: "<atem:invoke name=",
    name_end: &[">"],
    key: "<atem:parameter name=\"",
    key_end: ">",
    value: "",
    value_end: &["</atem:parameter>"],
    value_cut: &[],
    call_end: &["</atem:invoke>"],
    after: &[],
    close: &["</atem:function_calls>"],
    trims: true,
};

const HEADER: HeaderSpec = HeaderSpec {
    body: &["<|message|>"],
    next: &[],
    thinking: &["self"],
    user: &["user", "commentary"],
    after: &["<|eom|>", "<|eot|>"],
};

/// Muse and Glimmer: namespaced invocations, and messages with headers.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "atem",
    models: &["muse*", "*glimmer*"],
    marks: &[
        Mark::new("<atem:function_calls>", Begins::Tag(&["<atem:invoke name="]), Reads::Tags(TAGS)),
        Mark::new("<|eom|>", Begins::Message, Reads::Nothing),
        Mark::new("<|eot|>", Begins::Message, Reads::Nothing),
    ],
    bare: &[
        Mark::new("", Begins::Tag(&["to="]), Reads::Header(HEADER)),
        Mark::new("<|start|>assistant", Begins::Tag(&["to="]), Reads::Header(HEADER)),
    ],
    ..PLAIN
};
