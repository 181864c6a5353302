//! The dialogue as a chat-completions server can take it: turns that alternate.
//!
//! Claude Code writes system messages between the turns; templates of local models refuse them or,
//! where a gateway moves them to the head, read the whole prompt anew. What comes before the first
//! answer goes ahead of the user's first words, from the first request on; what comes later stays at
//! its place, inside a message that is there anyway. So the prompt only ever grows at its end.

use std::collections::HashSet;
use std::sync::Arc;

use super::content::{ContentReader, Image, Part};
use super::volatile;
use crate::error::{Error, Result};
use crate::wire::anthropic::InputMessage;
use crate::wire::blocks::Block;
use crate::wire::{JsonText, RawJson};

/// The turns of a request.
#[derive(Debug, Default)]
pub(super) struct Conversation<'a> {
    pub(super) turns: Vec<Turn<'a>>,
    /// Tools that a tool search found or the model called: they are offered even if deferred.
    pub(super) loaded_tools: HashSet<String>,
    /// System text from before the first answer.
    lead: Vec<Part<'a>>,
    /// System text that waits for the next user turn.
    carry: Vec<Part<'a>>,
}

#[derive(Debug)]
pub(super) enum Turn<'a> {
    User(UserTurn<'a>),
    Assistant(AssistantTurn<'a>),
}

#[derive(Debug, Default)]
pub(super) struct UserTurn<'a> {
    /// Results of the calls of the assistant turn before.
    pub(super) results: Vec<ToolResult<'a>>,
    /// System text that belongs behind the results, and goes into the last of them.
    behind_results: Vec<JsonText<'a>>,
    pub(super) parts: Vec<Part<'a>>,
}

#[derive(Debug)]
pub(super) struct ToolResult<'a> {
    pub(super) id: JsonText<'a>,
    pub(super) text: Vec<JsonText<'a>>,
    pub(super) images: Vec<Image<'a>>,
}

#[derive(Debug, Default)]
pub(super) struct AssistantTurn<'a> {
    pub(super) thinking: Vec<JsonText<'a>>,
    pub(super) text: Vec<JsonText<'a>>,
    pub(super) calls: Vec<Call<'a>>,
    /// All of it as the model wrote it, for prompts that have it as one text.
    pub(super) came: Option<JsonText<'static>>,
}

#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) id: JsonText<'a>,
    pub(super) name: JsonText<'a>,
    pub(super) input: Option<RawJson<'a>>,
    /// The arguments as the model wrote them, to be sent in place of `input`: text of a JSON object.
    pub(super) written: Option<Arc<str>>,
}

impl Call<'_> {
    /// The arguments to send, if there are any.
    pub(super) fn arguments(&self) -> Option<&str> {
        self.written.as_deref().or_else(|| self.input.map(RawJson::get))
    }
}

impl<'a> Conversation<'a> {
    pub(super) fn read(messages: Vec<InputMessage<'a>>, reader: &mut ContentReader<'_>) -> Result<Self> {
        let mut conversation = Conversation::default();
        for (index, message) in messages.into_iter().enumerate() {
            let blocks = message.content.into_blocks();
            match message.role.as_escaped() {
                "user" => conversation.user(blocks, reader),
                "assistant" => conversation.assistant(blocks, reader),
                "system" | "developer" => conversation.system(blocks, reader),
                other => {
                    let what = format!("{other:?} is not a role; use \"user\", \"assistant\" or \"system\"");
                    return Err(Error::at(&format!("messages[{index}].role"), what));
                }
            }
        }
        conversation.settle(reader.keeps_thinking);
        Ok(conversation)
    }

    /// Adds to the last words that are the user's what is to be done now.
    pub(super) fn demand(&mut self, what: Option<JsonText<'a>>) {
        if let (Some(what), Some(Turn::User(turn))) = (what, self.turns.last_mut()) {
            turn.parts.push(Part::Text(what));
        }
    }

    /// The texts that the client has put into the user's turns before the first answer.
    pub(super) fn leading_reminders(&mut self) -> impl Iterator<Item = &mut JsonText<'a>> {
        let leading = self.turns.iter_mut().map_while(|turn| match turn {
            Turn::User(turn) => Some(turn),
            Turn::Assistant(_) => None,
        });
        leading.flat_map(|turn| &mut turn.parts).filter_map(|part| match part {
            Part::Text(text) => Some(text).filter(|text| text.as_escaped().starts_with(REMINDER)),
            Part::Image(_) => None,
        })
    }

    fn user(&mut self, blocks: Vec<Block<'a>>, reader: &mut ContentReader<'_>) {
        let mut turn = match self.turns.pop() {
            Some(Turn::User(turn)) => turn,
            other => {
                self.turns.extend(other);
                UserTurn::default()
            }
        };
        let mut parts = Vec::new();
        for block in blocks {
            match block {
                Block::ToolResult { tool_use_id, content, is_error } => {
                    let result = reader.tool_result(tool_use_id, content, is_error, &mut self.loaded_tools);
                    if self.awaits(&result.id, &turn) {
                        turn.results.push(result);
                    } else {
                        // Its call is not directly before it: no server takes it as a tool message.
                        parts.push(Part::Text(JsonText::escaped("[result of an earlier tool call]")));
                        parts.extend(result.text.into_iter().map(Part::Text));
                        parts.extend(result.images.into_iter().map(Part::Image));
                    }
                }
                Block::ToolReference(name) => {
                    self.loaded_tools.insert(name.decode().into_owned());
                    parts.push(Part::Text(reader.tool_reference(&name)));
                }
                Block::Text(text) if is_reminder(&text) => {
                    let block = reader.steady(Block::Text(text));
                    reader.parts(block, &mut parts);
                }
                other => reader.parts(other, &mut parts),
            }
        }
        let carry = std::mem::take(&mut self.carry);
        if parts.is_empty() && turn.parts.is_empty() {
            turn.attach(carry);
            turn.parts.append(&mut parts);
        } else {
            turn.parts.extend(carry);
            turn.parts.append(&mut parts);
        }
        self.turns.push(Turn::User(turn));
    }

    fn assistant(&mut self, blocks: Vec<Block<'a>>, reader: &mut ContentReader<'_>) {
        let mut turn = match self.turns.pop() {
            Some(Turn::Assistant(turn)) => turn,
            other => {
                self.turns.extend(other);
                AssistantTurn::default()
            }
        };
        for block in blocks {
            match block {
                Block::Text(text) if text.is_blank() => {}
                Block::Text(text) => turn.text.push(text),
                Block::Thinking(text) if text.is_blank() => {}
                Block::Thinking(text) => {
                    reader.note_thinking(!reader.keeps_thinking);
                    turn.thinking.push(text);
                }
                Block::RedactedThinking => reader.note_thinking(true),
                Block::ToolUse { id, name, input } => {
                    self.loaded_tools.insert(name.decode().into_owned());
                    turn.calls.push(Call { id, name, input, written: None });
                }
                other => {
                    let mut parts = Vec::new();
                    reader.parts(other, &mut parts);
                    turn.text.extend(parts.into_iter().filter_map(Part::into_text));
                }
            }
        }
        self.turns.push(Turn::Assistant(turn));
    }

    fn system(&mut self, blocks: Vec<Block<'a>>, reader: &mut ContentReader<'_>) {
        let parts = reader.reminder(blocks);
        let answered = self.turns.iter().any(|turn| matches!(turn, Turn::Assistant(_)));
        match self.turns.last_mut() {
            Some(Turn::Assistant(_)) => self.carry.extend(parts),
            Some(Turn::User(turn)) if answered => turn.attach(parts),
            _ => self.lead.extend(parts),
        }
    }

    /// Whether a result answers a call of the turn before that is still open.
    fn awaits(&self, id: &JsonText<'_>, turn: &UserTurn<'a>) -> bool {
        let Some(Turn::Assistant(before)) = self.turns.last() else { return false };
        before.calls.iter().any(|call| call.id == *id) && !turn.results.iter().any(|result| result.id == *id)
    }

    /// The last steps, which need the whole dialogue.
    fn settle(&mut self, keeps_thinking: bool) {
        if !self.carry.is_empty() {
            let parts = std::mem::take(&mut self.carry);
            self.turns.push(Turn::User(UserTurn { parts, ..UserTurn::default() }));
        }
        self.leave_out_empty_answers(keeps_thinking);
        if !self.lead.is_empty() {
            let lead = std::mem::take(&mut self.lead);
            match self.turns.first_mut() {
                Some(Turn::User(turn)) => {
                    turn.parts.splice(0..0, lead);
                }
                _ => self.turns.insert(0, Turn::User(UserTurn { parts: lead, ..UserTurn::default() })),
            }
        }
        if matches!(self.turns.last(), Some(Turn::Assistant(turn)) if !turn.calls.is_empty()) {
            self.turns.push(Turn::User(UserTurn::default()));
        }
        let mut calls: Vec<JsonText<'a>> = Vec::new();
        for turn in &mut self.turns {
            match turn {
                Turn::Assistant(turn) => calls = turn.calls.iter().map(|call| call.id.clone()).collect(),
                Turn::User(turn) => turn.answer_all(std::mem::take(&mut calls)),
            }
        }
    }

    /// Strict servers refuse an answer that says nothing; the user turns around it become one.
    fn leave_out_empty_answers(&mut self, keeps_thinking: bool) {
        for turn in std::mem::take(&mut self.turns) {
            match (self.turns.last_mut(), turn) {
                (_, Turn::Assistant(turn)) if turn.says_nothing(keeps_thinking) => {}
                (Some(Turn::User(before)), Turn::User(turn)) => before.parts.extend(turn.parts),
                (_, turn) => self.turns.push(turn),
            }
        }
    }
}

/// Text that the client has put beside the user's own.
fn is_reminder(text: &JsonText<'_>) -> bool {
    text.as_escaped().starts_with(REMINDER) || volatile::is_only_countdown(text)
}

/// How text begins that is the client's, or the system's, in a message of the user.
const REMINDER: &str = "<system-reminder>";

impl AssistantTurn<'_> {
    fn says_nothing(&self, keeps_thinking: bool) -> bool {
        self.text.is_empty() && self.calls.is_empty() && (self.thinking.is_empty() || !keeps_thinking)
    }
}

impl<'a> UserTurn<'a> {
    /// One result for each call, in the order of the calls. Claude Code sends the results of parallel
    /// calls as they end, and many templates write them without an id: out of order, the model would
    /// take one's output for the other's. Strict servers refuse a call without a result.
    fn answer_all(&mut self, calls: Vec<JsonText<'a>>) {
        let mut given = std::mem::take(&mut self.results);
        for id in calls {
            let result = match given.iter().position(|result| result.id == id) {
                Some(at) => given.remove(at),
                None => ToolResult { id, text: vec![JsonText::escaped("(no result)")], images: Vec::new() },
            };
            self.results.push(result);
        }
        if let Some(last) = self.results.last_mut() {
            last.text.append(&mut self.behind_results);
        }
    }

    /// Adds system text: to the user's own words, or else to the last tool result. A new user message
    /// after tool results would make templates drop the reasoning that led to the calls.
    fn attach(&mut self, parts: Vec<Part<'a>>) {
        if self.parts.is_empty() && !self.results.is_empty() {
            self.behind_results.extend(parts.into_iter().filter_map(Part::into_text));
        } else {
            self.parts.extend(parts);
        }
    }
}
