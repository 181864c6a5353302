//! The table of conversations, and what is known of each model across them.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::Arc;

use lru::LruCache;

use super::{Estimate, MAX_SESSIONS, Pins, SESSION_IDLE_MS, SessionKey, Spoken, Timestamp, ToolList, TurnRecord};
use crate::ids::Seed;
use crate::prefix::{PrefixReport, Prompt, Traffic};
use crate::translate::RequestClass;

/// The most bytes that the table holds in all: prompts to compare with, answers to replay, schemas.
const MAX_BYTES: usize = 64 << 20;

/// Models that are remembered.
const MAX_MODELS: usize = 8;

/// Kinds of agents whose tools are remembered for a model.
const MAX_KINDS: usize = 16;

/// Reports kept of each session.
const MAX_REPORTS: usize = 50;

/// Sessions whose reports are kept.
const MAX_REPORTED: usize = 64;

/// Requests of other conversations that a report can name.
const MAX_RECENT: usize = 64;

/// The conversations of one translator.
#[derive(Debug)]
pub(crate) struct SessionTable {
    sessions: LruCache<SessionKey, Session>,
    models: LruCache<String, ModelMemory>,
    reports: LruCache<String, VecDeque<PrefixReport>>,
    bytes: usize,
}

/// A conversation.
#[derive(Debug, Default)]
struct Session {
    last_use: Timestamp,
    /// Counted over estimated prompt tokens of the last turn, and the model that has counted.
    tokens_per_estimate: Option<(f64, String)>,
    spoken: Arc<Spoken>,
    tools: Arc<ToolList>,
    pins: Arc<Pins>,
    /// The prompt that was sent last. The server may never have read it.
    sent: Option<Sent>,
    /// The prompt that was answered last.
    answered: Option<Sent>,
}

/// A prompt that was sent.
#[derive(Debug)]
struct Sent {
    prompt: Arc<Prompt>,
    seed: Seed,
    model: String,
    class: RequestClass,
    number: u64,
}

#[derive(Debug)]
struct ModelMemory {
    kinds: LruCache<String, Kind>,
    /// Who asked it, the newest last.
    recent: VecDeque<(u64, RequestClass, SessionKey)>,
    number: u64,
    /// How long it takes to read a token, in milliseconds.
    ms_per_token: Option<f64>,
}

/// What a kind of agent has asked a model.
#[derive(Debug, Default)]
struct Kind {
    /// Its tools.
    tools: Arc<ToolList>,
    /// The conversation of the last one that asked.
    last: SessionKey,
}

impl Default for ModelMemory {
    fn default() -> Self {
        let kinds = LruCache::new(at_least_one(MAX_KINDS));
        ModelMemory { kinds, recent: VecDeque::new(), number: 0, ms_per_token: None }
    }
}

/// Who asks, and whom.
#[derive(Debug)]
pub(crate) struct Asked<'k> {
    pub(crate) key: &'k SessionKey,
    pub(crate) model: &'k str,
    pub(crate) class: RequestClass,
    /// The kind of agent: agents of a kind have the same tools.
    pub(crate) kind: &'k str,
}

/// What is known when a request comes.
#[derive(Debug)]
pub(crate) struct Recalled {
    pub(crate) spoken: Arc<Spoken>,
    pub(crate) tools: Arc<ToolList>,
    /// The tools are this conversation's, and not those of another one of its kind.
    pub(crate) tools_are_own: bool,
    pub(crate) pins: Arc<Pins>,
}

/// What a request leaves behind.
#[derive(Debug)]
pub(crate) struct Leaves {
    pub(crate) prompt: Arc<Prompt>,
    pub(crate) seed: Seed,
    pub(crate) tools: Arc<ToolList>,
    pub(crate) pins: Option<Pins>,
}

/// What a prompt is compared with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Before {
    /// The prompt before it in its conversation that was answered, and the model that it went to.
    pub(crate) own: Option<(Arc<Prompt>, String)>,
    /// That one made a summary of the dialogue.
    pub(crate) was_compaction: bool,
    /// The prompt that the model was sent last in another conversation of this kind.
    pub(crate) model_last: Option<Arc<Prompt>>,
    /// What other conversations asked the model in between, by class.
    pub(crate) between: Vec<Traffic>,
}

fn at_least_one(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).unwrap_or(NonZeroUsize::MIN)
}

impl SessionTable {
    pub(crate) fn new() -> Self {
        SessionTable {
            sessions: LruCache::new(at_least_one(MAX_SESSIONS)),
            models: LruCache::new(at_least_one(MAX_MODELS)),
            reports: LruCache::new(at_least_one(MAX_REPORTED)),
            bytes: 0,
        }
    }

    /// What is known for a request that has come.
    pub(crate) fn recall(&mut self, asked: &Asked<'_>, now: Timestamp) -> Recalled {
        self.forget_idle(now);
        let session = self.sessions.get_mut(asked.key);
        let (spoken, own, pins) = match session {
            Some(session) => (Arc::clone(&session.spoken), Arc::clone(&session.tools), Arc::clone(&session.pins)),
            None => Default::default(),
        };
        if !own.is_empty() {
            return Recalled { spoken, tools: own, tools_are_own: true, pins };
        }
        let of_kind = self.models.get_mut(asked.model).and_then(|model| model.kinds.get(asked.kind));
        let tools = of_kind.map(|kind| Arc::clone(&kind.tools)).unwrap_or_default();
        Recalled { spoken, tools, tools_are_own: false, pins }
    }

    /// Remembers a request that is sent; gives what its prompt is to be compared with.
    pub(crate) fn remember(&mut self, asked: &Asked<'_>, leaves: Leaves, now: Timestamp) -> Before {
        let Leaves { prompt, seed, tools, pins } = leaves;
        let before = self.before(asked);
        let sent_before = self.sessions.peek(asked.key).and_then(|session| session.sent.as_ref());
        let is_further_try = sent_before.is_some_and(|sent| sent.seed == seed);
        if self.models.get(asked.model).is_none() {
            self.models.put(asked.model.to_owned(), ModelMemory::default());
        }
        let mut number = 0;
        if let Some(model) = self.models.get_mut(asked.model) {
            let kind = Kind { tools: Arc::clone(&tools), last: asked.key.clone() };
            model.kinds.put(asked.kind.to_owned(), kind);
            model.number += 1;
            number = model.number;
            if !is_further_try {
                model.recent.push_back((number, asked.class, asked.key.clone()));
            }
            if model.recent.len() > MAX_RECENT {
                model.recent.pop_front();
            }
        }
        self.change(asked.key, now, |session| {
            session.tools = tools;
            if let Some(pins) = pins {
                session.pins = Arc::new(pins);
            }
            session.sent = Some(Sent { prompt, seed, model: asked.model.to_owned(), class: asked.class, number });
        });
        before
    }

    fn before(&self, asked: &Asked<'_>) -> Before {
        let own = self.sessions.peek(asked.key).and_then(|session| session.answered.as_ref());
        let model = self.models.peek(asked.model);
        let since = own.filter(|own| own.model == asked.model).map(|own| own.number);
        let mut between: Vec<Traffic> = Vec::new();
        for (_, class, _) in model
            .iter()
            .flat_map(|model| &model.recent)
            .filter(|(number, _, key)| *key != *asked.key && since.is_some_and(|since| *number > since))
        {
            match between.iter_mut().find(|traffic| traffic.class == *class) {
                Some(traffic) => traffic.requests += 1,
                None => between.push(Traffic { class: *class, requests: 1 }),
            }
        }
        let last = model.and_then(|model| Some(&model.kinds.peek(asked.kind)?.last)).filter(|key| *key != asked.key);
        let last = last.and_then(|key| self.sessions.peek(key)?.answered.as_ref());
        Before {
            own: own.map(|own| (Arc::clone(&own.prompt), own.model.clone())),
            was_compaction: own.is_some_and(|own| own.class == RequestClass::Compaction),
            model_last: last.map(|last| Arc::clone(&last.prompt)),
            between,
        }
    }

    /// Corrects an estimate by what the server counted last in this conversation.
    pub(crate) fn correct(&mut self, key: &SessionKey, model: &str, estimate: u64, now: Timestamp) -> Estimate {
        self.forget_idle(now);
        let session = self.sessions.get_mut(key);
        let ratio = session.and_then(|session| {
            session.last_use = now;
            // Another model has another tokenizer.
            session.tokens_per_estimate.as_ref().filter(|(_, counted_by)| counted_by == model).map(|(ratio, _)| *ratio)
        });
        match ratio {
            Some(ratio) => {
                let tokens = (estimate as f64 * ratio).round() as u64;
                Estimate { tokens, corrected: true }
            }
            None => Estimate { tokens: estimate, corrected: false },
        }
    }

    /// Remembers what a turn produced. False where that has been done.
    pub(crate) fn record(
        &mut self,
        key: &SessionKey,
        model: &str,
        seed: Seed,
        turn: &TurnRecord,
        now: Timestamp,
    ) -> bool {
        self.forget_idle(now);
        let session = self.sessions.peek(key);
        let is_sent = session.and_then(|session| session.sent.as_ref()).is_some_and(|sent| sent.seed == seed);
        let is_done = session.and_then(|session| session.answered.as_ref()).is_some_and(|sent| sent.seed == seed);
        if is_done && !is_sent {
            return false;
        }
        self.change(key, now, |session| {
            // Another request may have been sent since: this one's prompt is not known any more.
            if is_sent {
                session.answered = session.sent.take();
            }
            Arc::make_mut(&mut session.spoken).push(turn);
            if turn.exact_usage && turn.estimated_input_tokens > 0 {
                let counted = turn.input_tokens + turn.cache_read_input_tokens;
                // Tokenizers differ by a factor of two or three; anything beyond is a server that miscounts.
                let ratio = (counted as f64 / turn.estimated_input_tokens as f64).clamp(0.2, 5.0);
                session.tokens_per_estimate = Some((ratio, model.to_owned()));
            }
        });
        if let (Some(model), Some(ms)) = (self.models.get_mut(model), turn.prefill_ms)
            && turn.exact_usage
            && turn.cache_told
            && turn.input_tokens >= MIN_MEASURED
        {
            let measured = ms as f64 / turn.input_tokens as f64;
            // Half of the old, half of the new: other work on the machine comes and goes.
            model.ms_per_token = Some(model.ms_per_token.map_or(measured, |known| (known + measured) / 2.0));
        }
        true
    }

    /// How long the model takes to read a token, in milliseconds.
    pub(crate) fn ms_per_token(&mut self, model: &str) -> Option<f64> {
        self.models.get(model)?.ms_per_token
    }

    /// Keeps a report.
    pub(crate) fn report(&mut self, report: PrefixReport) {
        if self.reports.get(&report.session).is_none() {
            self.reports.put(report.session.clone(), VecDeque::new());
        }
        if let Some(reports) = self.reports.get_mut(&report.session) {
            reports.push_back(report);
            if reports.len() > MAX_REPORTS {
                reports.pop_front();
            }
        }
    }

    /// The reports of the sessions whose id begins so, the oldest first.
    pub(crate) fn reports(&self, session: &str) -> Vec<PrefixReport> {
        let fitting = self.reports.iter().filter(|(name, _)| name.starts_with(session));
        let mut all: Vec<PrefixReport> = fitting.flat_map(|(_, reports)| reports.iter().cloned()).collect();
        all.sort_by_key(|report| report.at);
        all
    }

    /// Changes a conversation, and keeps the table within its bounds.
    fn change(&mut self, key: &SessionKey, now: Timestamp, change: impl FnOnce(&mut Session)) {
        let known = self.sessions.pop(key);
        self.bytes -= known.as_ref().map_or(0, Session::bytes).min(self.bytes);
        let mut session = known.unwrap_or_default();
        session.last_use = now;
        change(&mut session);
        self.bytes += session.bytes();
        if let Some((_, old)) = self.sessions.push(key.clone(), session) {
            self.bytes -= old.bytes().min(self.bytes);
        }
        while self.bytes > MAX_BYTES && self.sessions.len() > 1 {
            self.make_room(key);
        }
    }

    /// Gives up the oldest prompt, which only reports need, or else the oldest conversation.
    fn make_room(&mut self, kept: &SessionKey) {
        let has_prompt = |session: &Session| session.sent.is_some() || session.answered.is_some();
        let oldest = self.sessions.iter_mut().rev().find(|(key, session)| *key != kept && has_prompt(session));
        let Some((_, session)) = oldest else { return self.pop_oldest() };
        let before = session.bytes();
        (session.sent, session.answered) = (None, None);
        self.bytes -= (before - session.bytes()).min(self.bytes);
    }

    fn pop_oldest(&mut self) {
        if let Some((_, oldest)) = self.sessions.pop_lru() {
            self.bytes -= oldest.bytes().min(self.bytes);
        }
    }

    /// Idle conversations are at the old end of the list.
    fn forget_idle(&mut self, now: Timestamp) {
        while let Some((_, oldest)) = self.sessions.peek_lru() {
            if now.0.saturating_sub(oldest.last_use.0) <= SESSION_IDLE_MS {
                break;
            }
            self.pop_oldest();
        }
    }
}

/// Fewer tokens than this say nothing of how fast a model reads.
const MIN_MEASURED: u64 = 256;

impl Session {
    fn bytes(&self) -> usize {
        let prompts: usize = [&self.sent, &self.answered].into_iter().flatten().map(|sent| sent.prompt.bytes()).sum();
        self.spoken.bytes() + self.tools.bytes() + prompts + size_of::<Session>()
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
        assert_eq!(table.correct(&key(1), "m", 1000, Timestamp(0)), Estimate { tokens: 1000, corrected: false });
        table.record(&key(1), "m", Seed(1), &turn(1500, 1000), Timestamp(0));
        assert_eq!(table.correct(&key(1), "m", 2000, Timestamp(1)), Estimate { tokens: 3000, corrected: true });
        assert_eq!(table.correct(&key(2), "m", 2000, Timestamp(1)).tokens, 2000);
        assert!(!table.correct(&key(1), "another", 2000, Timestamp(1)).corrected);
    }

    #[test]
    fn the_table_is_bounded_in_number_and_time() {
        let mut table = SessionTable::new();
        for name in 0..MAX_SESSIONS + 10 {
            table.record(&key(name), "m", Seed(1), &turn(1, 1), Timestamp(name as u64));
        }
        assert_eq!(table.sessions.len(), MAX_SESSIONS);
        assert_eq!(table.bytes, table.sessions.iter().map(|(_, session)| session.bytes()).sum::<usize>());
        table.correct(&key(1), "m", 1, Timestamp(2 * SESSION_IDLE_MS));
        assert_eq!((table.sessions.len(), table.bytes), (0, 0));
    }

    #[test]
    fn the_table_is_bounded_in_bytes() {
        let mut table = SessionTable::new();
        for name in 0..100 {
            let asked = Asked { key: &key(name), model: "m", class: RequestClass::Main, kind: "" };
            let prompt = Arc::new(Prompt::of_text(&vec![b'x'; 1 << 20]));
            let leaves = Leaves { prompt, seed: Seed(name as u128), tools: Arc::default(), pins: None };
            table.remember(&asked, leaves, Timestamp(name as u64));
        }
        assert!(table.bytes <= MAX_BYTES && table.sessions.len() == 100, "{} {}", table.bytes, table.sessions.len());
    }

    #[test]
    fn what_asked_in_between_is_counted() {
        let mut table = SessionTable::new();
        let mut send = |name, class, seed, answered| {
            let asked = Asked { key: &key(name), model: "m", class, kind: "" };
            let prompt = Arc::new(Prompt::of_text(b"x"));
            let leaves = Leaves { prompt, seed: Seed(seed), tools: Arc::default(), pins: None };
            let before = table.remember(&asked, leaves, Timestamp(0));
            if answered {
                assert!(table.record(&key(name), "m", Seed(seed), &turn(1, 1), Timestamp(0)));
                assert!(!table.record(&key(name), "m", Seed(seed), &turn(1, 1), Timestamp(0)), "once");
            }
            before
        };
        assert!(send(1, RequestClass::Main, 1, true).own.is_none());
        send(2, RequestClass::Subagent, 2, true);
        send(2, RequestClass::Subagent, 3, true);
        let before = send(1, RequestClass::Main, 4, false);
        assert_eq!(before.between, [Traffic { class: RequestClass::Subagent, requests: 2 }]);
        assert!(before.own.is_some() && before.model_last.is_some());
        assert_eq!(send(1, RequestClass::Main, 4, false).between, before.between, "a further try");
        assert_eq!(send(1, RequestClass::Main, 5, true).between, before.between, "the one before was not answered");
        assert!(send(1, RequestClass::Main, 6, true).between.is_empty());
        let other = send(2, RequestClass::Subagent, 7, true);
        assert_eq!(other.between, [Traffic { class: RequestClass::Main, requests: 3 }], "a further try counts once");
    }
}
