//! How many tokens a prompt has, before the server has counted them.

/// Tokens of a prompt, before the server has counted them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Estimate {
    pub(crate) tokens: u64,
    /// The server has counted the turn before, so that this is off by little.
    pub(crate) corrected: bool,
}

impl Estimate {
    /// The most tokens that an answer can have in this window. A bare estimate may be off by half, and
    /// an answer must not be cut short by that: then only the window itself bounds it.
    pub(crate) fn room(self, window: u64) -> u64 {
        if !self.corrected {
            return window;
        }
        let prompt = self.tokens + self.tokens / 64 + MARGIN;
        // A prompt that does not fit is for the server to refuse: its words start a compaction.
        window.saturating_sub(prompt).max(MIN_ANSWER).min(window)
    }
}

/// Tokens left free for what the chat template adds.
const MARGIN: u64 = 64;

/// The least that is asked for, whatever seems to be left.
const MIN_ANSWER: u64 = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_get_the_room_that_is_left() {
        let known = Estimate { tokens: 6400, corrected: true };
        assert_eq!(known.room(8192), 8192 - 6400 - 100 - MARGIN);
        assert_eq!((known.room(6000), known.room(100)), (MIN_ANSWER, 100));
        assert_eq!(Estimate { corrected: false, ..known }.room(8192), 8192);
    }
}
