//! What a conversation needs remembered: a bounded table keyed by session and agent.

use std::num::NonZeroUsize;

use lru::LruCache;

/// The most conversations remembered. Claude Code makes one for itself and one a subagent; a day's
/// work of one person stays far below.
pub const MAX_SESSIONS: usize = 512;

/// Conversations idle for longer are forgotten, in milliseconds (a day).
pub(crate) const SESSION_IDLE_MS: u64 = 24 * 60 * 60 * 1000;

/// The most bytes of arguments kept of one call; longer ones are not kept at all.
pub(crate) const MAX_KEPT_ARGUMENT_BYTES: usize = 256 << 10;

/// Which conversation a request belongs to: the client's session id and, for subagents, agent id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct SessionKey {
    /// `x-claude-code-session-id`, or whatever names the conversation; empty when nothing does.
    pub session: String,
    /// `x-claude-code-agent-id`; empty for the main agent.
    pub agent: String,
}

/// Milliseconds since the Unix epoch, passed in by the caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub u64);

/// What one turn produced.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct TurnRecord {
    /// Why the turn ended; `None` when it broke.
    pub stop_reason: Option<&'static str>,
    /// Prompt tokens that were read anew.
    pub input_tokens: u64,
    /// Prompt tokens that the server's cache held.
    pub cache_read_input_tokens: u64,
    /// Tokens generated.
    pub output_tokens: u64,
    /// The server counted the prompt; otherwise the figures are estimates.
    pub exact_usage: bool,
    /// What was estimated for the prompt before any correction.
    pub estimated_input_tokens: u64,
    /// The calls that were made.
    pub tool_calls: Vec<ToolCallRecord>,
}

/// A call as the client was told of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ToolCallRecord {
    /// The id that the client got.
    pub id: String,
    /// The tool.
    pub name: String,
    /// The arguments as the model wrote them; empty when they were too long to keep.
    pub arguments: String,
    too_long: bool,
}

impl ToolCallRecord {
    pub(crate) fn new(id: String, name: String) -> Self {
        ToolCallRecord { id, name, ..Self::default() }
    }

    pub(crate) fn push_arguments(&mut self, text: &str) {
        self.too_long |= self.arguments.len() + text.len() > MAX_KEPT_ARGUMENT_BYTES;
        if self.too_long {
            self.arguments = String::new();
        } else {
            self.arguments.push_str(text);
        }
    }
}

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

/// The conversations of one translator.
#[derive(Debug)]
pub(crate) struct SessionTable {
    sessions: LruCache<SessionKey, Session>,
}

#[derive(Debug)]
struct Session {
    last_use: Timestamp,
    /// Counted over estimated prompt tokens of the last turn.
    tokens_per_estimate: f64,
}

impl SessionTable {
    pub(crate) fn new() -> Self {
        let capacity = NonZeroUsize::new(MAX_SESSIONS).unwrap_or(NonZeroUsize::MIN);
        SessionTable { sessions: LruCache::new(capacity) }
    }

    /// Corrects an estimate by what the server counted last in this conversation.
    pub(crate) fn correct(&mut self, key: &SessionKey, estimate: u64, now: Timestamp) -> Estimate {
        self.forget_idle(now);
        match self.sessions.get_mut(key) {
            Some(session) => {
                session.last_use = now;
                let tokens = (estimate as f64 * session.tokens_per_estimate).round() as u64;
                Estimate { tokens, corrected: true }
            }
            None => Estimate { tokens: estimate, corrected: false },
        }
    }

    pub(crate) fn record(&mut self, key: &SessionKey, turn: &TurnRecord, now: Timestamp) {
        self.forget_idle(now);
        if key.session.is_empty() || !turn.exact_usage || turn.estimated_input_tokens == 0 {
            return;
        }
        let counted = turn.input_tokens + turn.cache_read_input_tokens;
        // Tokenizers differ by a factor of two or three; anything beyond is a server that miscounts.
        let ratio = (counted as f64 / turn.estimated_input_tokens as f64).clamp(0.2, 5.0);
        self.sessions.put(key.clone(), Session { last_use: now, tokens_per_estimate: ratio });
    }

    /// Idle conversations are at the old end of the list.
    fn forget_idle(&mut self, now: Timestamp) {
        while let Some((_, oldest)) = self.sessions.peek_lru() {
            if now.0.saturating_sub(oldest.last_use.0) <= SESSION_IDLE_MS {
                break;
            }
            self.sessions.pop_lru();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: usize) -> SessionKey {
        SessionKey { session: name.to_string(), agent: String::new() }
    }

    fn turn(counted: u64, estimated: u64) -> TurnRecord {
        TurnRecord {
            input_tokens: counted,
            estimated_input_tokens: estimated,
            exact_usage: true,
            ..TurnRecord::default()
        }
    }

    #[test]
    fn estimates_learn_from_the_last_turn() {
        let mut table = SessionTable::new();
        assert_eq!(table.correct(&key(1), 1000, Timestamp(0)), Estimate { tokens: 1000, corrected: false });
        table.record(&key(1), &turn(1500, 1000), Timestamp(0));
        assert_eq!(table.correct(&key(1), 2000, Timestamp(1)), Estimate { tokens: 3000, corrected: true });
        assert_eq!(table.correct(&key(2), 2000, Timestamp(1)).tokens, 2000);
    }

    #[test]
    fn answers_get_the_room_that_is_left() {
        let known = Estimate { tokens: 6400, corrected: true };
        assert_eq!(known.room(8192), 8192 - 6400 - 100 - MARGIN);
        assert_eq!((known.room(6000), known.room(100)), (MIN_ANSWER, 100));
        assert_eq!(Estimate { corrected: false, ..known }.room(8192), 8192);
    }

    #[test]
    fn the_table_is_bounded_in_number_and_time() {
        let mut table = SessionTable::new();
        for name in 0..MAX_SESSIONS + 10 {
            table.record(&key(name), &turn(1, 1), Timestamp(name as u64));
        }
        assert_eq!(table.sessions.len(), MAX_SESSIONS);
        table.correct(&key(1), 1, Timestamp(2 * SESSION_IDLE_MS));
        assert_eq!(table.sessions.len(), 0);
    }
}
