//! Events and whole answers of the Messages API, as other servers than Anthropic's send them.
//!
//! Source: Anthropic's streaming reference, and what local servers make of it. Small fields are kept
//! raw and read leniently, as those of chat completions are.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::openai::{Usage, number};

/// One event, or one whole message: a message is an event that holds everything.
#[derive(Debug, Deserialize)]
pub(crate) struct MessagesEvent<'a> {
    #[serde(rename = "type", borrow, default)]
    pub(crate) kind: Option<&'a RawValue>,
    /// Which block is meant.
    #[serde(borrow, default)]
    pub(crate) index: Option<&'a RawValue>,
    /// The head of the message.
    #[serde(borrow, default)]
    pub(crate) message: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(crate) content_block: Option<Block<'a>>,
    /// A piece of a block, or the end of the message.
    #[serde(borrow, default)]
    pub(crate) delta: Option<Delta<'a>>,
    #[serde(borrow, default)]
    pub(crate) usage: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(crate) error: Option<&'a RawValue>,
    /// The blocks of a whole message.
    #[serde(borrow, default)]
    pub(crate) content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(crate) stop_reason: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(crate) stop_sequence: Option<&'a RawValue>,
    /// Chat completions have it, and no message does.
    #[serde(borrow, default)]
    pub(crate) choices: Option<&'a RawValue>,
}

/// A content block, whole or as it begins.
#[derive(Debug, Deserialize)]
pub(crate) struct Block<'a> {
    #[serde(rename = "type", borrow, default)]
    pub(crate) kind: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(crate) text: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(crate) thinking: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(crate) id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(crate) name: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(crate) input: Option<&'a RawValue>,
}

/// What came of a block, or why the message ended.
#[derive(Debug, Deserialize)]
pub(crate) struct Delta<'a> {
    #[serde(borrow, default)]
    pub(crate) text: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(crate) thinking: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(crate) partial_json: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(crate) stop_reason: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(crate) stop_sequence: Option<&'a RawValue>,
}

/// Token counts as the Messages API has them: the input figures are disjoint.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct MessagesUsage {
    input: Option<u64>,
    cache_read: Option<u64>,
    cache_creation: Option<u64>,
    output: Option<u64>,
}

impl MessagesUsage {
    /// Takes a later `usage` object: what it tells replaces what was told before. Input figures that
    /// are all zero tell nothing: some servers write them where they have not counted.
    pub(crate) fn update(&mut self, raw: &RawValue) {
        #[derive(Deserialize)]
        struct Fields<'a> {
            #[serde(borrow, default)]
            input_tokens: Option<&'a RawValue>,
            #[serde(borrow, default)]
            cache_read_input_tokens: Option<&'a RawValue>,
            #[serde(borrow, default)]
            cache_creation_input_tokens: Option<&'a RawValue>,
            #[serde(borrow, default)]
            output_tokens: Option<&'a RawValue>,
        }
        let Ok(fields) = serde_json::from_str::<Fields<'_>>(raw.get()) else { return };
        let input = fields.input_tokens.and_then(number);
        let cache_read = fields.cache_read_input_tokens.and_then(number);
        let cache_creation = fields.cache_creation_input_tokens.and_then(number);
        if [input, cache_read, cache_creation].into_iter().flatten().any(|count| count > 0) {
            self.input = input.or(self.input);
            self.cache_read = cache_read.or(self.cache_read);
            self.cache_creation = cache_creation.or(self.cache_creation);
        }
        self.output = fields.output_tokens.and_then(number).or(self.output);
    }

    /// The count at a message's head is a placeholder.
    pub(crate) fn forget_output(&mut self) {
        self.output = None;
    }

    /// The same as chat completions tell it: one figure for the prompt, and what a cache held or took of it.
    pub(crate) fn to_usage(self) -> Usage {
        let input = [self.input, self.cache_read, self.cache_creation].into_iter().flatten();
        Usage {
            prompt_tokens: input.reduce(u64::saturating_add),
            completion_tokens: self.output,
            cached_tokens: self.cache_read,
            cache_write_tokens: self.cache_creation,
        }
    }
}
