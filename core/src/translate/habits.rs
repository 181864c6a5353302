//! What the answers of models have shown: of them, and of how their server passes their words on.

use std::num::NonZeroUsize;

use lru::LruCache;

use crate::recover::Found;

/// Models whose habits are remembered.
const MAX_MODELS: NonZeroUsize = NonZeroUsize::new(16).unwrap();

/// Answers in a row whose thinking ended with a call alone, after which it is no thinking that the prompt opens.
const ENOUGH: u8 = 2;

/// The habits of a server's models.
#[derive(Debug)]
pub(super) struct Habits(LruCache<String, Habit>);

/// What the answers of a model have shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Habit {
    /// Thinking comes in the text, opened by the prompt; `None` where no answer has shown it either way.
    pub(super) prompt_opens_thinking: Option<bool>,
    /// What stands around thinking in the text.
    pub(super) thinking: Option<(&'static str, &'static str)>,
    /// Answers in a row whose thinking was ended by a call alone.
    ended_by_call: u8,
}

impl Habits {
    pub(super) fn new() -> Self {
        Habits(LruCache::new(MAX_MODELS))
    }

    /// What is known of a model.
    pub(super) fn of(&self, model: &str) -> Habit {
        self.0.peek(model).copied().unwrap_or_default()
    }

    /// Learns from an answer.
    pub(super) fn learn(&mut self, model: &str, found: &Found) {
        self.0.get_or_insert_mut_ref(model, Habit::default).learn(found);
    }

    /// The server was away, and may pass words on otherwise when it is back.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}

impl Habit {
    fn learn(&mut self, found: &Found) {
        self.ended_by_call = if found.ended_by_call { self.ended_by_call.saturating_add(1) } else { 0 };
        if found.separate || found.never_closed || self.ended_by_call >= ENOUGH {
            // A thought that never ended may be no thought.
            self.prompt_opens_thinking = Some(false);
        } else if found.prompt_opened {
            self.prompt_opens_thinking = Some(true);
        }
        self.thinking = if found.separate { None } else { found.pair.or(self.thinking) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn habits_are_learned_and_unlearned() {
        let mut habits = Habits::new();
        let opened = Found { prompt_opened: true, pair: Some(("<think>", "</think>")), ..Found::default() };
        let called = Found { ended_by_call: true, ..Found::default() };
        habits.learn("m", &opened);
        habits.learn("m", &called);
        assert_eq!(habits.of("m").prompt_opens_thinking, Some(true));
        habits.learn("m", &called);
        assert_eq!(habits.of("m").prompt_opens_thinking, Some(false));
        habits.learn("m", &opened);
        habits.learn("m", &Found { separate: true, ..opened });
        assert_eq!(habits.of("m"), Habit { prompt_opens_thinking: Some(false), ..Habit::default() });
        habits.learn("m", &opened);
        habits.learn("m", &Found { never_closed: true, ..Found::default() });
        assert_eq!(habits.of("m").prompt_opens_thinking, Some(false));
        assert_eq!(habits.of("other"), Habit::default());
    }
}
