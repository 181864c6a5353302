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
    match (same == own.text().len(), same == prompt.text().len()) {
        (true, true) => (Outcome::Same, Reason::new(ReasonCode::SameRequest, "the same prompt again")),
        (true, false) => (Outcome::Extended, Reason::new(ReasonCode::Appended, "the dialogue has grown at its end")),
        (false, true) => {
            (Outcome::Shortened, Reason::new(ReasonCode::WentBack, "the dialogue went back to an earlier point"))
        }
        (false, false) => (Outcome::Broken, reason::find(own, prompt, same, compacted)),
    }
}

/// A server that has reused less than this share of what it could has not kept the prompt. Servers keep whole
/// blocks, and some drop the last one.
const KEPT: f64 = 0.5;

/// Fewer tokens than this may be too few for a server to keep.
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
        let Some(own) = &mut self.conversation else { return };
        own.shared_tokens_estimate = tokens(own.shared_bytes);
        if let Some(last) = &mut self.model_last {
            last.shared_tokens_estimate = tokens(last.shared_bytes);
        }
        let shared = own.shared_tokens_estimate;
        let is_kept =
            shared < MIN_SHARED || self.reused_tokens.is_none_or(|reused| reused as f64 >= KEPT * shared as f64);
        if matches!(self.outcome, Outcome::Same | Outcome::Extended) && !is_kept {
            self.outcome = Outcome::Lost;
            self.reason = not_kept(&self.between);
        }
        let had = match self.outcome {
            Outcome::Broken => tokens(own.of_bytes),
            Outcome::Lost => shared,
            _ => return,
        };
        self.lost_tokens_estimate = had.saturating_sub(self.reused_tokens.unwrap_or(shared));
        self.cost_ms = ms_per_token.map(|ms| (ms * self.lost_tokens_estimate as f64).round() as u64);
    }

    /// The report as a JSON object.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The prompt before it was lost, wholly or in part.
    pub fn is_miss(&self) -> bool {
        matches!(self.outcome, Outcome::Broken | Outcome::Lost)
    }
}

fn not_kept(between: &[Traffic]) -> Reason {
    let requests = |traffic: &Traffic| format!("{} {}", traffic.requests, traffic.class);
    let text = match between {
        [] => "the prompt is as it was, but the server has not kept it: it was restarted, keeps no cache between \
               requests, or was asked by somebody else"
            .to_owned(),
        between => format!(
            "the prompt is as it was, but the server has not kept it; in between it was asked by others ({}): give it \
             more slots or cache",
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
        let now = prompt("t", &["A"], &[("user", "Hi")]);
        let mut broken = report(Some(prompt("s", &["A"], &[("user", "Hi")])), &now);
        broken.complete(&turn(100, 0), Some(2.0));
        assert!(broken.is_miss());
        assert_eq!((broken.lost_tokens_estimate, broken.cost_ms), (100, Some(200)));
    }

    #[test]
    fn a_server_that_forgets_is_told_from_a_prompt_that_differs() {
        let mut lost = report(Some(prompt("s", &["A"], &[("user", "Hi")])), &prompt("s", &["A"], &[("user", "Hi")]));
        lost.between = vec![Traffic { class: RequestClass::Subagent, requests: 2 }];
        let mut silent = lost.clone();
        lost.complete(&turn(1000, 0), None);
        assert_eq!((lost.outcome, lost.reason.code), (Outcome::Lost, ReasonCode::NotKept));
        assert!(lost.reason.text.contains("2 subagent"), "{}", lost.reason.text);
        silent.complete(&TurnRecord { cache_told: false, ..turn(1000, 0) }, None);
        assert_eq!((silent.outcome, silent.reused_tokens), (Outcome::Same, None), "it tells nothing of its cache");
    }
}
