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
const MAX_MODELS: usize = 16;

/// Kinds of agents whose tools are remembered for a model.
const MAX_KINDS: usize = 32;

/// Reports kept of each session.
pub(crate) const MAX_REPORTS: usize = 50;

/// Sessions whose reports are kept.
const MAX_REPORTED: usize = 64;

/// Requests of other conversations that a report can name.
const MAX_RECENT: usize = 64;

/// The conversations of one translator.
#[derive(Debug)]
pub(crate) struct SessionTable {
    sessions: LruCache<SessionKey, Session>,
    models: LruCache<String, ModelMemory>,
    pins: LruCache<String, Arc<Pins>>,
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
    last: Option<Sent>,
}

/// The prompt that was sent last.
#[derive(Debug)]
struct Sent {
    prompt: Arc<Prompt>,
    seed: Seed,
    model: String,
    number: u64,
    /// What it was compared with, for a further try of the same request.
    before: Before,
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
    pub(crate) pins: Arc<Pins>,
}

/// What a request leaves behind.
#[derive(Debug)]
pub(crate) struct Leaves {
    pub(crate) prompt: Arc<Prompt>,
    pub(crate) seed: Seed,
    pub(crate) tools: Option<ToolList>,
    pub(crate) pins: Option<Pins>,
}

/// What a prompt is compared with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Before {
    /// The prompt before it in its conversation, and the model that it went to.
    pub(crate) own: Option<(Arc<Prompt>, String)>,
    /// The prompt that the model was sent last in another conversation of this kind.
    pub(crate) model_last: Option<Arc<Prompt>>,
    /// What other conversations asked the model in between, by class.
    pub(crate) between: Vec<Traffic>,
}

impl Before {
    /// What it keeps alive, as if nobody else did.
    fn bytes(&self) -> usize {
        let own = self.own.as_ref().map_or(0, |(prompt, _)| prompt.bytes());
        own + self.model_last.as_ref().map_or(0, |prompt| prompt.bytes())
    }
}

fn at_least_one(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).unwrap_or(NonZeroUsize::MIN)
}

impl SessionTable {
    pub(crate) fn new() -> Self {
        SessionTable {
            sessions: LruCache::new(at_least_one(MAX_SESSIONS)),
            models: LruCache::new(at_least_one(MAX_MODELS)),
            pins: LruCache::new(at_least_one(MAX_SESSIONS)),
            reports: LruCache::new(at_least_one(MAX_REPORTED)),
            bytes: 0,
        }
    }

    /// What is known for a request that has come.
    pub(crate) fn recall(&mut self, asked: &Asked<'_>, now: Timestamp) -> Recalled {
        self.forget_idle(now);
        let pins = self.pins.get(&asked.key.session).cloned().unwrap_or_default();
        let session = self.sessions.get_mut(asked.key);
        let spoken = session.as_ref().map(|session| Arc::clone(&session.spoken)).unwrap_or_default();
        let own = session.map(|session| Arc::clone(&session.tools)).filter(|tools| !tools.is_empty());
        let tools = own.or_else(|| Some(Arc::clone(&self.models.get_mut(asked.model)?.kinds.get(asked.kind)?.tools)));
        Recalled { spoken, tools: tools.unwrap_or_default(), pins }
    }

    /// Remembers a request that is sent; gives what its prompt is to be compared with.
    pub(crate) fn remember(&mut self, asked: &Asked<'_>, leaves: Leaves, now: Timestamp) -> Before {
        let Leaves { prompt, seed, tools, pins } = leaves;
        if let Some(pins) = pins {
            self.pins.put(asked.key.session.clone(), Arc::new(pins));
        }
        let tools = tools.map(Arc::new);
        let before = self.before(asked, seed);
        if self.models.get(asked.model).is_none() {
            self.models.put(asked.model.to_owned(), ModelMemory::default());
        }
        let mut number = 0;
        if let Some(model) = self.models.get_mut(asked.model) {
            let mut kind = model.kinds.pop(asked.kind).unwrap_or_default();
            if let Some(tools) = &tools {
                kind.tools = Arc::clone(tools);
            }
            kind.last = asked.key.clone();
            model.kinds.put(asked.kind.to_owned(), kind);
            model.number += 1;
            number = model.number;
            model.recent.push_back((number, asked.class, asked.key.clone()));
            if model.recent.len() > MAX_RECENT {
                model.recent.pop_front();
            }
        }
        self.change(asked.key, now, |session| {
            if let Some(tools) = tools {
                session.tools = tools;
            }
            let sent = Sent { prompt, seed, model: asked.model.to_owned(), number, before: before.clone() };
            session.last = Some(sent);
        });
        before
    }

    fn before(&mut self, asked: &Asked<'_>, seed: Seed) -> Before {
        let own = self.sessions.peek(asked.key).and_then(|session| session.last.as_ref());
        if let Some(again) = own.filter(|own| own.seed == seed) {
            return again.before.clone();
        }
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
        let last = last.and_then(|key| self.sessions.peek(key)?.last.as_ref());
        Before {
            own: own.map(|own| (Arc::clone(&own.prompt), own.model.clone())),
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

    /// Remembers what a turn produced.
    pub(crate) fn record(&mut self, key: &SessionKey, model: &str, turn: &TurnRecord, now: Timestamp) {
        self.forget_idle(now);
        self.change(key, now, |session| {
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
            && turn.input_tokens >= MIN_MEASURED
        {
            let measured = ms as f64 / turn.input_tokens as f64;
            // Half of the old, half of the new: other work on the machine comes and goes.
            model.ms_per_token = Some(model.ms_per_token.map_or(measured, |known| (known + measured) / 2.0));
        }
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
        let mut session = self.sessions.pop(key).unwrap_or_default();
        self.bytes -= session.bytes().min(self.bytes);
        session.last_use = now;
        change(&mut session);
        self.bytes += session.bytes();
        if let Some((_, old)) = self.sessions.push(key.clone(), session) {
            self.bytes -= old.bytes().min(self.bytes);
        }
        while self.bytes > MAX_BYTES && self.sessions.len() > 1 {
            self.pop_oldest();
        }
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
        let last = self.last.as_ref().map_or(0, |last| last.prompt.bytes() + last.before.bytes());
        self.spoken.bytes() + self.tools.bytes() + last + size_of::<Session>()
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
        table.record(&key(1), "m", &turn(1500, 1000), Timestamp(0));
        assert_eq!(table.correct(&key(1), "m", 2000, Timestamp(1)), Estimate { tokens: 3000, corrected: true });
        assert_eq!(table.correct(&key(2), "m", 2000, Timestamp(1)).tokens, 2000);
        assert!(!table.correct(&key(1), "another", 2000, Timestamp(1)).corrected);
    }

    #[test]
    fn the_table_is_bounded_in_number_and_time() {
        let mut table = SessionTable::new();
        for name in 0..MAX_SESSIONS + 10 {
            table.record(&key(name), "m", &turn(1, 1), Timestamp(name as u64));
        }
        assert_eq!(table.sessions.len(), MAX_SESSIONS);
        table.correct(&key(1), "m", 1, Timestamp(2 * SESSION_IDLE_MS));
        assert_eq!((table.sessions.len(), table.bytes), (0, 0));
    }

    #[test]
    fn the_table_is_bounded_in_bytes() {
        let mut table = SessionTable::new();
        for name in 0..100 {
            let asked = Asked { key: &key(name), model: "m", class: RequestClass::Main, kind: "" };
            let prompt = Arc::new(Prompt::of_text(&vec![b'x'; 1 << 20]));
            let leaves = Leaves { prompt, seed: Seed(name as u128), tools: None, pins: None };
            table.remember(&asked, leaves, Timestamp(name as u64));
        }
        assert!(table.bytes <= MAX_BYTES && table.sessions.len() > 25, "{} {}", table.bytes, table.sessions.len());
    }

    #[test]
    fn what_asked_in_between_is_counted() {
        let mut table = SessionTable::new();
        let mut send = |name, class, seed| {
            let asked = Asked { key: &key(name), model: "m", class, kind: "" };
            let prompt = Arc::new(Prompt::of_text(b"x"));
            table.remember(&asked, Leaves { prompt, seed: Seed(seed), tools: None, pins: None }, Timestamp(0))
        };
        assert!(send(1, RequestClass::Main, 1).own.is_none());
        send(2, RequestClass::Subagent, 2);
        send(2, RequestClass::Subagent, 3);
        let before = send(1, RequestClass::Main, 4);
        assert_eq!(before.between, [Traffic { class: RequestClass::Subagent, requests: 2 }]);
        assert!(before.own.is_some() && before.model_last.is_some());
        let again = send(1, RequestClass::Main, 4);
        assert_eq!(again.between, before.between, "a further try is compared as the first was");
        assert!(send(1, RequestClass::Main, 5).between.is_empty());
    }
}
