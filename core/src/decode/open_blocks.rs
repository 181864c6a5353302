//! Which content blocks of a server's stream are open.

use serde_json::value::RawValue;

use super::tool_calls::MAX_CALLS;
use crate::wire::openai::number;

/// The blocks that have begun and not ended, as far as their kind matters.
#[derive(Debug, Default)]
pub(super) struct OpenBlocks(Vec<(Option<u64>, Kind)>);

/// What a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A call that has had no arguments yet.
    BareCall,
    /// A call that has had some.
    Call,
    /// Text and thinking say what they are in each piece.
    Prose,
    /// Something that only Anthropic's own server makes; its pieces are of no use.
    Foreign,
}

/// More blocks are open than any answer has calls.
#[derive(Debug)]
pub(super) struct TooMany;

impl OpenBlocks {
    pub(super) fn begin(&mut self, index: Option<&RawValue>, kind: Kind) -> Result<(), TooMany> {
        let index = index.and_then(number);
        self.0.retain(|(open, _)| *open != index);
        if self.0.len() >= MAX_CALLS {
            return Err(TooMany);
        }
        self.0.push((index, kind));
        Ok(())
    }

    pub(super) fn get(&mut self, index: Option<&RawValue>) -> Option<&mut Kind> {
        let at = self.find(index)?;
        self.0.get_mut(at).map(|(_, kind)| kind)
    }

    pub(super) fn end(&mut self, index: Option<&RawValue>) -> Option<Kind> {
        self.find(index).map(|at| self.0.remove(at).1)
    }

    /// The open block of an index; without one, the block that began last.
    fn find(&self, index: Option<&RawValue>) -> Option<usize> {
        match index.and_then(number) {
            Some(index) => self.0.iter().rposition(|(open, _)| *open == Some(index)),
            None => self.0.len().checked_sub(1),
        }
    }
}
