//! What one request shared with those before it, and what that cost.

use serde::Serialize;

use super::compare::{Comparison, compare};
use super::prompt::Prompt;
use super::reason::{self, Reason, ReasonCode};
use crate::session::{Before, SessionKey, Timestamp, TurnRecord};
use crate::translate::RequestClass;

/// How a prompt stands to the one before it in its conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// There is none before it.
    First,
    /// It is the same.
    Same,
    /// It goes on from it.
    Extended,
    /// It is a beginning of it.
    Shortened,
    /// They differ, and the server reads anew from there.
    Broken,
    /// It goes on from it, but the server had not kept it.
    Lost,
}

/// Requests of one class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Traffic {
    /// What they were for.
    pub class: RequestClass,
    /// How many they were.
    pub requests: u64,
}

/// The prefix report of one request.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PrefixReport {
    /// The request's id.
    pub request_id: String,
    /// When it came.
    pub at: Timestamp,
    /// The session.
    pub session: String,
    /// The agent within it; empty for the main one.
    pub agent: String,
    /// What it was for.
    pub class: RequestClass,
    /// The backend's model.
    pub model: String,
    /// How it stands to the request before it in its conversation.
    pub outcome: Outcome,
    /// The likely reason.
    pub reason: Reason,
    /// Bytes of system prompt, tools and messages.
    pub prompt_bytes: u64,
    /// Tokens of the prompt.
    pub prompt_tokens: u64,
    /// The server has counted them; otherwise they are estimated.
    pub prompt_tokens_exact: bool,
    /// Tokens of the prompt that the server had kept, where it tells.
    pub reused_tokens: Option<u64>,
    /// What it shares with the request before it in its conversation.
    pub conversation: Option<Comparison>,
    /// What it shares with what the model was sent last in another conversation of its kind: another session, or
    /// another subagent of the kind.
    pub model_last: Option<Comparison>,
    /// What other conversations asked the model in between.
    pub between: Vec<Traffic>,
    /// How long the server read, in milliseconds.
    pub prefill_ms: Option<u64>,
    /// Tokens that had been read before and were read again, estimated.
    pub lost_tokens_estimate: u64,
    /// They are so many that somebody may wonder.
    pub is_miss: bool,
    /// What reading them took, in milliseconds, at the speed that was measured for this model.
    pub cost_ms: Option<u64>,
}

/// What a draft is made of.
pub(crate) struct Asked<'a> {
    pub(crate) request_id: String,
    pub(crate) at: Timestamp,
    pub(crate) key: &'a SessionKey,
    pub(crate) class: RequestClass,
    pub(crate) model: &'a str,
    /// The client says that the dialogue was compacted before this request.
    pub(crate) compacted: bool,
    pub(crate) tokens: &'a dyn Fn(u64) -> u64,
    pub(crate) mask: &'a dyn Fn(&str) -> String,
}

/// The report as far as it can be told before the server has answered.
pub(crate) fn draft(asked: Asked<'_>, prompt: &Prompt, before: &Before) -> PrefixReport {
    let Asked { key, class, model, tokens, mask, .. } = asked;
    let conversation = before.own.as_ref().map(|(own, _)| compare(own, prompt, tokens, mask));
    let model_last = before.model_last.as_ref().map(|last| compare(last, prompt, tokens, mask));
    let (outcome, reason) =
        outcome(prompt, before, [conversation.as_ref(), model_last.as_ref()], model, asked.compacted);
    let bytes = prompt.text().len() as u64;
    PrefixReport {
        request_id: asked.request_id,
        at: asked.at,
        session: key.session.clone(),
        agent: key.agent.clone(),
        class,
        model: model.to_owned(),
        outcome,
        reason,
        prompt_bytes: bytes,
        prompt_tokens: tokens(bytes),
        prompt_tokens_exact: false,
        reused_tokens: None,
        conversation,
        model_last,
        between: before.between.clone(),
        prefill_ms: None,
        lost_tokens_estimate: 0,
        is_miss: false,
        cost_ms: None,
    }
}

fn outcome(
    prompt: &Prompt,
    before: &Before,
    [conversation, model_last]: [Option<&Comparison>; 2],
    model: &str,
    compacted: bool,
) -> (Outcome, Reason) {
    let (Some((own, own_model)), Some(conversation)) = (&before.own, conversation) else {
        let text = match model_last.filter(|last| last.of_bytes > 0) {
            Some(last) => {
                let share = 100 * last.shared_bytes / (prompt.text().len() as u64).max(1);
                format!("the conversation begins; {share} % of it is as in the model's last one")
            }
            None => "the conversation begins".to_owned(),
        };
        return (Outcome::First, Reason::new(ReasonCode::FirstRequest, text));
    };
    if own_model != model {
        let text = format!("the request before it went to {own_model}");
        return (Outcome::First, Reason::new(ReasonCode::OtherModel, text));
    }
    let same = usize::try_from(conversation.shared_bytes).unwrap_or(usize::MAX);
    let compacted = compacted || before.was_compaction;
    match (same >= without_closers(own.text()), same == prompt.text().len()) {
        (true, true) if same == own.text().len() => {
            (Outcome::Same, Reason::new(ReasonCode::SameRequest, "the same prompt again"))
        }
        (_, true) => {
            (Outcome::Shortened, Reason::new(ReasonCode::WentBack, "the dialogue went back to an earlier point"))
        }
        (true, false) => (Outcome::Extended, Reason::new(ReasonCode::Appended, "the dialogue has grown at its end")),
        (false, false) => (Outcome::Broken, reason::find(own, prompt, same, compacted)),
    }
}

/// The length of a prompt without what closes its last message: more may be said there, and no token is lost.
fn without_closers(text: &[u8]) -> usize {
    let closers = text.iter().rev().take_while(|byte| matches!(byte, b'"' | b'}' | b']')).count();
    text.len() - closers
}

/// A server that has reused less than this share of what it could has not kept the prompt. Servers keep whole
/// blocks, and some drop the last one.
const KEPT: f64 = 0.5;

/// Fewer tokens than this may be too few for a server to keep, and are read in no time.
const MIN_SHARED: u64 = 256;

impl PrefixReport {
    /// Adds what the server's answer has shown.
    pub(crate) fn complete(&mut self, turn: &TurnRecord, ms_per_token: Option<f64>) {
        self.prefill_ms = turn.prefill_ms;
        if turn.exact_usage {
            self.prompt_tokens = turn.input_tokens + turn.cache_read_input_tokens;
            self.prompt_tokens_exact = true;
        }
        self.reused_tokens = (turn.exact_usage && turn.cache_told).then_some(turn.cache_read_input_tokens);
        let per_byte = self.prompt_tokens as f64 / (self.prompt_bytes as f64).max(1.0);
        let tokens = |bytes: u64| (bytes as f64 * per_byte).round() as u64;
        for shared in [&mut self.conversation, &mut self.model_last].into_iter().flatten() {
            shared.shared_tokens_estimate = tokens(shared.shared_bytes);
        }
        let Some(own) = &self.conversation else { return };
        let shared = own.shared_tokens_estimate;
        let reused = self.reused_tokens.unwrap_or(shared);
        let is_compared = !matches!(self.outcome, Outcome::First);
        if is_compared && shared >= MIN_SHARED && (reused as f64) < KEPT * shared as f64 {
            let is_equal = self.outcome != Outcome::Broken;
            self.outcome = Outcome::Lost;
            self.reason = not_kept(&self.between, is_equal);
        }
        let had = match self.outcome {
            Outcome::Broken => tokens(own.of_bytes),
            Outcome::Lost => shared,
            _ => return,
        };
        // No more was read than the prompt has, and no more than the server says.
        let read = if self.prompt_tokens_exact { turn.input_tokens } else { self.prompt_tokens };
        self.lost_tokens_estimate = had.min(self.prompt_tokens).saturating_sub(reused).min(read);
        self.cost_ms = ms_per_token.map(|ms| (ms * self.lost_tokens_estimate as f64).round() as u64);
        self.is_miss = self.lost_tokens_estimate >= MIN_SHARED;
    }

    /// The report as a JSON object.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

fn not_kept(between: &[Traffic], is_equal: bool) -> Reason {
    let prompt = if is_equal {
        "the prompt is as it was"
    } else {
        "most of the prompt is as it was, up to its first difference"
    };
    let requests = |traffic: &Traffic| format!("{} {}", traffic.requests, traffic.class);
    let text = match between {
        [] => format!(
            "{prompt}, but the server has not kept it: it was restarted, keeps no cache between requests, or was asked by \
             somebody else"
        ),
        between => format!(
            "{prompt}, but the server has not kept it; in between it was asked by others ({}): give it more slots or \
             cache",
            between.iter().map(requests).collect::<Vec<_>>().join(", ")
        ),
    };
    Reason::new(ReasonCode::NotKept, text)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::prompt::tests::prompt;
    use super::*;

    fn report(before: Option<Prompt>, now: &Prompt) -> PrefixReport {
        let key = SessionKey { session: "s".to_owned(), agent: String::new() };
        let asked = Asked {
            request_id: "req_1".to_owned(),
            at: Timestamp(1),
            key: &key,
            class: RequestClass::Main,
            model: "m",
            compacted: false,
            tokens: &|bytes| bytes / 4,
            mask: &str::to_owned,
        };
        let own = before.map(|before| (Arc::new(before), "m".to_owned()));
        draft(asked, now, &Before { own, ..Before::default() })
    }

    fn turn(read: u64, kept: u64) -> TurnRecord {
        TurnRecord {
            input_tokens: read,
            cache_read_input_tokens: kept,
            exact_usage: true,
            cache_told: true,
            prefill_ms: Some(read),
            ..TurnRecord::default()
        }
    }

    #[test]
    fn a_turn_goes_on_from_the_one_before() {
        let first = prompt("s", &["A"], &[("user", "Hi")]);
        let next = prompt("s", &["A"], &[("user", "Hi"), ("assistant", "Ho"), ("user", "And")]);
        let mut went_on = report(Some(prompt("s", &["A"], &[("user", "Hi")])), &next);
        assert_eq!((went_on.outcome, went_on.reason.code), (Outcome::Extended, ReasonCode::Appended));
        assert_eq!(went_on.conversation.as_ref().unwrap().shared_bytes, first.text().len() as u64);
        went_on.complete(&turn(10, 90), Some(2.0));
        assert_eq!((went_on.outcome, went_on.reused_tokens, went_on.cost_ms), (Outcome::Extended, Some(90), None));
        assert_eq!(report(Some(first), &prompt("s", &["A"], &[("user", "Hi")])).outcome, Outcome::Same);
        assert_eq!(report(Some(next), &prompt("s", &["A"], &[("user", "Hi")])).outcome, Outcome::Shortened);
        assert_eq!(report(None, &prompt("s", &[], &[])).outcome, Outcome::First);
    }

    #[test]
    fn what_is_read_again_has_a_cost() {
        let long = "word ".repeat(500);
        let talk = [("user", long.as_str()), ("assistant", "Ho"), ("user", "And"), ("assistant", "Hm"), ("user", "On")];
        let all = prompt("s", &["A"], &talk);
        let mut broken = report(Some(prompt("t", &["A"], &talk)), &all);
        broken.complete(&turn(1000, 10), Some(2.0));
        assert_eq!((broken.outcome, broken.is_miss), (Outcome::Broken, true));
        assert_eq!((broken.lost_tokens_estimate, broken.cost_ms), (1000, Some(2000)));
        // A short dialogue in the place of a long one: only what it has is read.
        let mut short = report(Some(all), &prompt("s", &["A"], &[("user", "In short")]));
        short.complete(&turn(50, 150), Some(2.0));
        assert_eq!((short.outcome, short.is_miss, short.lost_tokens_estimate), (Outcome::Broken, false, 50));
    }

    #[test]
    fn more_in_the_last_message_is_no_break() {
        let one = prompt("s", &["A"], &[("user", "Hi")]);
        let more = prompt("s", &["A"], &[("user", "Hi and more")]);
        assert_eq!(report(Some(one), &more).outcome, Outcome::Extended);
    }

    #[test]
    fn a_server_that_forgets_is_told_from_a_prompt_that_differs() {
        let (one, again) = (prompt("s", &["A"], &[("user", "Hi")]), prompt("s", &["A"], &[("user", "Hi")]));
        let mut lost = report(Some(one), &again);
        lost.between = vec![Traffic { class: RequestClass::Subagent, requests: 2 }];
        let mut silent = lost.clone();
        lost.complete(&turn(1000, 0), None);
        assert_eq!((lost.outcome, lost.reason.code, lost.is_miss), (Outcome::Lost, ReasonCode::NotKept, true));
        assert!(lost.reason.text.contains("2 subagent"), "{}", lost.reason.text);
        silent.complete(&TurnRecord { cache_told: false, ..turn(1000, 0) }, None);
        assert_eq!((silent.outcome, silent.reused_tokens), (Outcome::Same, None), "it tells nothing of its cache");
        // A difference near the end does not explain that nothing was kept.
        let mut both =
            report(Some(prompt("s", &["A"], &[("user", "Hi all")])), &prompt("s", &["A"], &[("user", "Hi you")]));
        assert_eq!(both.outcome, Outcome::Broken);
        both.complete(&turn(1000, 0), None);
        assert_eq!((both.outcome, both.reason.code), (Outcome::Lost, ReasonCode::NotKept));
    }
}
