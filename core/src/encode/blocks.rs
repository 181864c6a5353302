//! Which content block is open, and at which index.

use crate::ids::Seed;
use crate::translate::RequestContext;
use crate::wire::JsonText;

/// Every thinking block of ours ends with this signature, so that it can be told from Anthropic's own
/// when a conversation moves to the real API. It is the base64 of `anyclaude-v1`.
pub const SIGNATURE: &str = "YW55Y2xhdWRlLXYx";

/// The most blank text held back, in bytes. A model that loops on line feeds is shown doing so.
const MAX_BLANK: usize = 4 << 10;

/// What an open block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Thinking,
    Tool,
}

/// Writes blocks in one of the client's formats.
pub(crate) trait BlockWriter {
    fn start(&mut self, index: usize, kind: Kind, tool: Option<(&str, &JsonText<'_>)>);
    fn delta(&mut self, index: usize, kind: Kind, text: &JsonText<'_>);
    fn stop(&mut self, index: usize, kind: Kind);
}

/// The blocks of one answer: contiguous indices, one open at a time.
#[derive(Debug)]
pub(crate) struct Blocks {
    seed: Seed,
    show_thinking: bool,
    open: Option<Open>,
    next_index: usize,
    tools: u64,
    /// White space at the start of a block, held until something visible follows. Models write blank
    /// lines around tool calls; clients drop blank text blocks, and Anthropic refuses them in history.
    blank: String,
    blank_kind: Kind,
    /// Bytes of text, thinking and arguments, for an estimate where the server counts nothing.
    bytes: u64,
}

#[derive(Debug)]
struct Open {
    kind: Kind,
    empty: bool,
}

impl Blocks {
    pub(crate) fn new(context: &RequestContext) -> Self {
        Blocks {
            seed: context.seed,
            show_thinking: context.show_thinking,
            open: None,
            next_index: 0,
            tools: 0,
            blank: String::new(),
            blank_kind: Kind::Text,
            bytes: 0,
        }
    }

    /// More text or thinking.
    pub(crate) fn prose(&mut self, kind: Kind, text: &JsonText<'_>, writer: &mut dyn BlockWriter) {
        self.bytes += text.as_escaped().len() as u64;
        if kind == Kind::Thinking && !self.show_thinking {
            return;
        }
        if self.open.as_ref().is_some_and(|open| open.kind == kind) {
            return self.delta(kind, text, writer);
        }
        if self.blank_kind != kind {
            self.blank.clear();
            self.blank_kind = kind;
        }
        if self.blank.len() + text.as_escaped().len() <= MAX_BLANK && text.is_blank() {
            self.blank.push_str(text.as_escaped());
            return;
        }
        self.close(writer);
        self.begin(kind, None, writer);
        if self.blank.is_empty() {
            self.delta(kind, text, writer);
        } else {
            let joined = std::mem::take(&mut self.blank) + text.as_escaped();
            self.delta(kind, &JsonText::escaped(&joined), writer);
        }
    }

    /// A call begins.
    pub(crate) fn tool(&mut self, name: &JsonText<'_>, writer: &mut dyn BlockWriter) -> String {
        self.blank.clear();
        self.close(writer);
        let id = self.seed.tool_use_id(self.tools);
        self.tools += 1;
        self.begin(Kind::Tool, Some((&id, name)), writer);
        id
    }

    /// More of the open call's arguments.
    pub(crate) fn arguments(&mut self, text: &JsonText<'_>, writer: &mut dyn BlockWriter) {
        self.bytes += text.as_escaped().len() as u64;
        self.delta(Kind::Tool, text, writer);
    }

    /// Closes the open block, if there is one.
    pub(crate) fn close(&mut self, writer: &mut dyn BlockWriter) {
        let Some(open) = self.open.take() else { return };
        if open.kind == Kind::Tool && open.empty {
            // Clients build the input from deltas alone; a call without any would have none.
            writer.delta(self.next_index, Kind::Tool, &JsonText::escaped("{}"));
        }
        writer.stop(self.next_index, open.kind);
        self.next_index += 1;
    }

    /// How many calls have been begun.
    pub(crate) fn tools(&self) -> u64 {
        self.tools
    }

    /// Whether the client has been sent any block.
    pub(crate) fn any(&self) -> bool {
        self.next_index > 0 || self.open.is_some()
    }

    /// Bytes of everything the model wrote.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    fn begin(&mut self, kind: Kind, tool: Option<(&str, &JsonText<'_>)>, writer: &mut dyn BlockWriter) {
        writer.start(self.next_index, kind, tool);
        self.open = Some(Open { kind, empty: true });
    }

    fn delta(&mut self, kind: Kind, text: &JsonText<'_>, writer: &mut dyn BlockWriter) {
        if let Some(open) = self.open.as_mut().filter(|_| !text.is_empty()) {
            open.empty = false;
            writer.delta(self.next_index, kind, text);
        }
    }
}
