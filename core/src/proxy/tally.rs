//! Counts, logs and traces one request, also when the client goes away and everything is dropped.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hyper::http::request::Parts;
use serde_json::{Map, Value, json};
use tokio::time::Instant;
use tracing::{Span, info_span};

use super::active::Active;
use super::events::{MAX_TEXT, ProxyEvent};
use super::pipeline::learn_late;
use super::stats::Counters;
use super::trace::Trace;
use super::{Config, Proxy};
use crate::error::shown;
use crate::ids::Seed;
use crate::prefix::{Outcome, PrefixReport};
use crate::session::{Timestamp, ToolCallRecord, TurnRecord};
use crate::translate::{Note, RequestContext};
use crate::wire::ApiError;

/// The stages of a request, in their order; what each took is told at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The body is there.
    Read,
    /// It is translated.
    Translate,
    /// The backend has accepted it.
    Send,
    /// The model has said something.
    FirstToken,
}

impl Stage {
    fn as_str(self) -> &'static str {
        match self {
            Stage::Read => "read",
            Stage::Translate => "translate",
            Stage::Send => "send",
            Stage::FirstToken => "first_token",
        }
    }
}

/// The most bytes of a tool's name in the log: models make up any.
const MAX_TOOL_NAME: usize = 80;

/// What is kept of a request until it ends.
pub(super) struct Tally {
    pub(super) proxy: Arc<Proxy>,
    pub(super) active: Arc<Active>,
    pub(super) context: RequestContext,
    pub(super) notes: Vec<Note>,
    pub(super) trace: Option<Arc<Trace>>,
    /// The request's span, for what is done while its answer goes out.
    span: Span,
    seed: Seed,
    begun: Instant,
    stages: Vec<(Stage, Duration)>,
    /// The start has been told to the program that embeds the proxy, and this many calls.
    told: Told,
    /// How it ended; told to the trace when the last byte has gone to the client.
    outcome: Option<Value>,
}

/// What the program that embeds the proxy knows of a request.
#[derive(Default)]
struct Told {
    start: bool,
    first_token: bool,
    calls: usize,
}

impl Tally {
    pub(super) fn begin(proxy: &Arc<Proxy>, active: &Arc<Active>, parts: &Parts, seed: Seed) -> Self {
        Counters::add(&proxy.counters.requests, 1);
        let traces = proxy.traces.as_ref();
        let keys = active.secrets.all();
        let trace = traces.map(|traces| traces.begin(&seed.request_id(), &parts.headers, keys));
        Tally {
            proxy: Arc::clone(proxy),
            active: Arc::clone(active),
            context: RequestContext::default(),
            notes: Vec::new(),
            trace,
            span: Span::current(),
            seed,
            begun: Instant::now(),
            stages: Vec::new(),
            told: Told::default(),
            outcome: None,
        }
    }

    pub(super) fn config(&self) -> &Config {
        &self.proxy.config
    }

    /// The span of the stage that converts an answer.
    pub(super) fn convert_span(&self) -> Span {
        info_span!(parent: &self.span, "convert")
    }

    /// The span of the stage that hands an answer on as it is.
    pub(super) fn reply_span(&self) -> Span {
        info_span!(parent: &self.span, "reply")
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// A stage is over.
    pub(super) fn reached(&mut self, stage: Stage) {
        if self.stages.iter().all(|(reached, _)| *reached != stage) {
            self.stages.push((stage, self.begun.elapsed()));
        }
    }

    /// The model has said something.
    pub(super) fn said(&mut self) {
        if !self.told.first_token {
            self.told.first_token = true;
            let ms = millis(self.begun.elapsed());
            self.tell(|request_id| ProxyEvent::FirstToken { request_id, ms });
        }
    }

    /// The request is on its way: what is known of it by now is told.
    pub(super) fn started(&mut self) {
        if self.told.start || !self.proxy.events.is_read() {
            return;
        }
        self.told.start = true;
        let known = |name: &str| (!name.is_empty()).then(|| shown(name, MAX_TEXT).into_owned());
        self.proxy.events.push(ProxyEvent::RequestStarted {
            request_id: self.seed.request_id(),
            model: known(&self.context.model),
            backend_model: known(&self.context.backend_model),
            stream: self.context.stream,
            estimated_input_tokens: self.context.estimated_input_tokens,
        });
    }

    /// The model has made these calls so far; those that are new are told.
    pub(super) fn calls(&mut self, calls: &[ToolCallRecord]) {
        let new = calls.get(self.told.calls..).unwrap_or_default();
        self.told.calls = calls.len();
        for call in new {
            let name = shown(&call.name, MAX_TEXT).into_owned();
            self.tell(|request_id| ProxyEvent::ToolCall { request_id, id: call.id.clone(), name });
        }
    }

    /// Tells the program that embeds the proxy, if it listens.
    fn tell(&mut self, event: impl FnOnce(String) -> ProxyEvent) {
        if self.proxy.events.is_read() {
            self.started();
            self.proxy.events.push(event(self.seed.request_id()));
        }
    }

    /// The answer has ended, well or badly.
    pub(super) fn end(&mut self, turn: &TurnRecord, failure: Option<&ApiError>) {
        if let Some(error) = failure {
            learn_late(&self.active, &self.context, error);
            return self.fail(error);
        }
        let counters = &self.proxy.counters;
        Counters::add(&counters.input_tokens, turn.input_tokens);
        Counters::add(&counters.cache_read_input_tokens, turn.cache_read_input_tokens);
        Counters::add(&counters.output_tokens, turn.output_tokens);
        let turn = &TurnRecord { prefill_ms: self.prefill_ms(), ..turn.clone() };
        let report = self.active.translator.record(&self.context, turn, now());
        if let Some(report) = &report {
            self.prefix(report);
        }
        self.active.warnings.look_at_turn(&self.context, turn);
        self.check_calls(turn);
        tracing::info!(
            request_id = self.seed.request_id(),
            model = self.context.model,
            stop_reason = turn.stop_reason,
            input_tokens = turn.input_tokens,
            cached_tokens = turn.cache_read_input_tokens,
            output_tokens = turn.output_tokens,
            first_token_ms = self.millis_of(Stage::FirstToken),
            ms = millis(self.begun.elapsed()),
            "answered"
        );
        for note in &self.notes {
            tracing::debug!(request_id = self.seed.request_id(), "{note}");
        }
        self.calls(&turn.tool_calls);
        let ms = millis(self.begun.elapsed());
        self.tell(|request_id| ProxyEvent::Done {
            request_id,
            status: 200,
            stop_reason: turn.stop_reason,
            input_tokens: turn.input_tokens,
            cache_read_input_tokens: turn.cache_read_input_tokens,
            output_tokens: turn.output_tokens,
            ms,
        });
        self.outcome = Some(json!({
            "status": 200, "stop_reason": turn.stop_reason, "input_tokens": turn.input_tokens,
            "cache_read_input_tokens": turn.cache_read_input_tokens, "output_tokens": turn.output_tokens,
            "counted_by_the_server": turn.exact_usage,
        }));
    }

    /// Calls that do not fit their tools: counted, and a line in the log. The client gets them as they are, and tells
    /// the model what it thinks of them.
    fn check_calls(&self, turn: &TurnRecord) {
        for problem in self.active.translator.check_calls(&self.context, turn) {
            Counters::add(&self.proxy.counters.invalid_calls, 1);
            tracing::warn!(
                request_id = self.seed.request_id(),
                model = self.context.model,
                tool = &*shown(&problem.tool, MAX_TOOL_NAME),
                "the call does not fit its tool: {}",
                problem.messages.join("; ")
            );
        }
    }

    /// An answer that passed through has ended; nothing was counted.
    pub(super) fn passed(&mut self, status: u16) {
        if status >= 400 {
            Counters::add(&self.proxy.counters.errors, 1);
        }
        tracing::info!(
            request_id = self.seed.request_id(),
            status,
            ms = millis(self.begun.elapsed()),
            "passed through"
        );
        let ms = millis(self.begun.elapsed());
        self.tell(|request_id| ProxyEvent::Done {
            request_id,
            status,
            stop_reason: None,
            input_tokens: 0,
            cache_read_input_tokens: 0,
            output_tokens: 0,
            ms,
        });
        self.outcome = Some(json!({ "status": status }));
    }

    pub(super) fn fail(&mut self, error: &ApiError) {
        Counters::add(&self.proxy.counters.errors, 1);
        let notes: Vec<String> = self.notes.iter().map(Note::to_string).collect();
        tracing::warn!(
            request_id = self.seed.request_id(),
            model = self.context.model,
            status = error.status,
            kind = error.kind.as_str(),
            ms = millis(self.begun.elapsed()),
            notes = notes.join("; "),
            "failed: {}",
            self.active.secrets.mask(&error.message)
        );
        let message = shown(&self.active.secrets.mask(&error.message), MAX_TEXT).into_owned();
        let ms = millis(self.begun.elapsed());
        self.tell(|request_id| ProxyEvent::Error {
            request_id,
            status: error.status,
            kind: error.kind.as_str(),
            message,
            ms,
        });
        self.outcome = Some(json!({"status": error.status, "error": error.kind.as_str(), "message": error.message}));
    }

    /// What the prompt shared with those before it: counted, traced, and a line in the log where something was lost.
    fn prefix(&self, report: &PrefixReport) {
        if let Some(trace) = &self.trace {
            trace.prefix(report);
        }
        if !report.is_miss {
            return;
        }
        let counters = &self.proxy.counters;
        let counter =
            if report.outcome == Outcome::Broken { &counters.broken_prefixes } else { &counters.lost_prefixes };
        Counters::add(counter, 1);
        Counters::add(&counters.prefix_cost_ms, report.cost_ms.unwrap_or(0));
        tracing::info!(
            request_id = self.seed.request_id(),
            class = report.class.as_str(),
            reused_tokens = report.reused_tokens,
            prompt_tokens = report.prompt_tokens,
            cost_ms = report.cost_ms,
            at = report.conversation.as_ref().and_then(|shared| shared.difference.as_ref()).map(|found| &*found.part),
            "prefix lost: {}",
            report.reason.text
        );
    }

    /// How long the server read before it said anything. An answer in one piece does not tell.
    fn prefill_ms(&self) -> Option<u64> {
        let read = self.millis_of(Stage::FirstToken)?.checked_sub(self.millis_of(Stage::Translate)?)?;
        self.context.stream.then_some(read)
    }

    fn millis_of(&self, stage: Stage) -> Option<u64> {
        self.stages.iter().find(|(reached, _)| *reached == stage).map(|(_, at)| millis(*at))
    }

    fn close_trace(&mut self) {
        let Some(trace) = self.trace.take() else { return };
        let micros = |at: Duration| at.as_micros() as f64 / 1000.0;
        let mut timing: Map<String, Value> =
            self.stages.iter().map(|(stage, at)| (stage.as_str().to_owned(), micros(*at).into())).collect();
        timing.insert("end".to_owned(), micros(self.begun.elapsed()).into());
        let outcome = self.outcome.take().unwrap_or_else(|| json!({"cancelled": true}));
        trace.end(outcome, &Value::Object(timing));
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        let span = self.span.clone();
        let _entered = span.enter();
        Counters::add(&self.proxy.counters.ended, 1);
        if self.outcome.is_none() {
            Counters::add(&self.proxy.counters.cancelled, 1);
            let ms = millis(self.begun.elapsed());
            tracing::info!(request_id = self.seed.request_id(), ms, "the client went away");
            self.tell(|request_id| ProxyEvent::Cancelled { request_id, ms });
        }
        self.close_trace();
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The time, for the pure half.
pub(super) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(millis(since))
}
