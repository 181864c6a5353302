//! The body for the backend, in either dialect.

use super::conversation::Conversation;
use super::estimate::prompt_tokens;
use super::messages::{MessageList, WrittenMessages};
use super::native;
use super::notes::Notes;
use super::parameters::Parameters;
use super::tools::Offered;
use crate::backend::Quirks;
use crate::prefix::Marks;
use crate::wire::anthropic::MessagesRequest;
use crate::wire::json::Object;
use crate::wire::{Dialect, JsonText};

/// A request that has been read and cleaned up: what a body is written from.
pub(super) struct Prompt<'p, 'a> {
    pub(super) system: &'p [JsonText<'a>],
    pub(super) conversation: &'p Conversation<'a>,
    pub(super) offered: &'p Offered<'p, 'a>,
    /// The rest of the request.
    pub(super) request: &'p MessagesRequest<'a>,
    pub(super) quirks: &'p Quirks,
    /// The server is asked for a stream.
    pub(super) stream: bool,
    /// The most tokens that may be asked for behind a prompt of about so many.
    pub(super) cap: &'p dyn Fn(u64) -> Option<u64>,
}

/// What the rest of a translation must know of the body.
pub(super) struct Written {
    /// The limit that the backend is sent.
    pub(super) max_tokens: Option<u64>,
    /// Tokens of the prompt, by its bytes.
    pub(super) raw_estimate: u64,
    /// Where the parts of the prompt stand.
    pub(super) marks: Marks,
}

impl Prompt<'_, '_> {
    /// Writes everything behind the model's name.
    pub(super) fn push(&self, dialect: Dialect, body: &mut Object<'_>, notes: &mut Notes) -> Written {
        match dialect {
            Dialect::Chat => self.push_chat(body, notes),
            Dialect::Messages => native::push(self, body, notes),
        }
    }

    fn push_chat(&self, body: &mut Object<'_>, notes: &mut Notes) -> Written {
        let Prompt { request, quirks, .. } = *self;
        let mut messages = MessageList::begin(body.key("messages"), *quirks);
        messages.system(self.system);
        messages.conversation(self.conversation);
        let WrittenMessages { images, messages } = messages.end();
        let mut marks = Marks { messages, has_images: images.images > 0, ..Marks::default() };
        if !self.system.is_empty() {
            marks.system = Some(marks.messages.remove(0));
        }
        if !self.offered.is_empty() {
            marks.tools = self.offered.push(body.key("tools"));
            if let Some(choice) = &request.tool_choice {
                self.offered.push_choice(choice, quirks, body, notes);
            }
        }
        let raw_estimate = prompt_tokens(body.written(), images.images, images.bytes);
        let parameters = Parameters { request, quirks, cap: (self.cap)(raw_estimate) };
        let max_tokens = parameters.push(body, notes);
        body.json("stream", if self.stream { "true" } else { "false" });
        if self.stream && quirks.stream_usage {
            body.json("stream_options", r#"{"include_usage":true}"#);
        }
        Written { max_tokens, raw_estimate, marks }
    }
}
