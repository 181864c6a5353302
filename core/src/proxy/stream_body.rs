//! The body of a streamed answer: waits for the backend, converts what comes, pings in between.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, Sleep};
use tracing::Span;

use super::pipeline::Head;
use super::tally::{Stage, Tally};
use super::turn::Turn;
use super::upstream::UpstreamBody;
use crate::exchange::MAX_ANSWER_BYTES;
use crate::stream::{Progress, StreamConverter};
use crate::wire::ApiError;

/// Events that are ready are joined up to this size; then the client's socket gets its turn. Bounds
/// what one stream holds when the client reads slowly.
const MAX_WRITE: usize = 32 << 10;

/// Events that follow each other faster than this are looked for a second time before they are sent.
/// No model writes a thousand tokens a second; what does came in one piece from the network.
const BURST: Duration = Duration::from_millis(1);

/// The head of the backend's answer, still to come.
pub(super) type Sending = Pin<Box<dyn Future<Output = Result<Head, ApiError>> + Send>>;

/// Where the backend's answer is.
pub(super) enum Source {
    /// The request is on its way.
    Waiting(Sending),
    /// Events are coming.
    Events(UpstreamBody),
    /// A whole answer is coming, though a stream was asked for.
    Json(UpstreamBody, Vec<u8>),
    /// Nothing more is wanted. The backend's connection is closed.
    Done,
}

/// One streamed answer.
pub(super) struct StreamBody {
    source: Source,
    converter: StreamConverter,
    tally: Tally,
    span: Span,
    timer: Pin<Box<Sleep>>,
    last_write: Instant,
    ping_interval: Duration,
    first_byte_timeout: Option<Duration>,
    stall_timeout: Option<Duration>,
    last_byte: Instant,
    progress: Progress,
    begun: bool,
    /// Converted, and about to be sent.
    ready: Vec<u8>,
    /// The turn that the other tasks have now, and how much was ready when they got it.
    turn: Option<(Turn, usize)>,
}

impl StreamBody {
    pub(super) fn new(source: Source, converter: StreamConverter, tally: Tally) -> Self {
        let config = tally.config();
        let (ping_interval, stall_timeout) = (config.ping_interval, config.stall_timeout);
        let first_byte_timeout = config.first_byte_timeout;
        let now = Instant::now();
        let mut body = StreamBody {
            source,
            converter,
            span: tally.convert_span(),
            tally,
            timer: Box::pin(tokio::time::sleep(ping_interval)),
            last_write: now,
            ping_interval,
            first_byte_timeout,
            stall_timeout,
            last_byte: now,
            progress: Progress::Waiting,
            begun: false,
            ready: Vec::new(),
            turn: None,
        };
        body.set_timer();
        body
    }

    /// The next bytes for the client: everything that is ready, in one piece.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let span = self.span.clone();
        let _entered = span.enter();
        let mut out = std::mem::take(&mut self.ready);
        if !self.begun {
            self.begun = true;
            self.converter.start(&mut out);
        }
        loop {
            self.take_ready(cx, &mut out);
            if !out.is_empty() {
                if self.may_join(cx, out.len()) {
                    self.ready = out;
                    return Poll::Pending;
                }
                self.turn = None;
                self.last_write = Instant::now();
                return Poll::Ready(Some(self.hand_over(out)));
            }
            if matches!(self.source, Source::Done) {
                return Poll::Ready(None);
            }
            if self.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.on_timer(&mut out);
        }
    }

    fn hand_over(&mut self, out: Vec<u8>) -> Bytes {
        if let Some(trace) = &self.tally.trace {
            trace.client(&out);
        }
        out.into()
    }

    /// Whether events that came together with those that are ready may still be handed over. No
    /// event waits for one that has not arrived: a turn of the other tasks without news ends it.
    fn may_join(&mut self, cx: &Context<'_>, ready: usize) -> bool {
        let is_burst = self.last_byte.saturating_duration_since(self.last_write) < BURST;
        if ready >= MAX_WRITE || !is_burst || !matches!(self.source, Source::Events(_)) {
            return false;
        }
        match &self.turn {
            Some((turn, _)) if !turn.is_over() => true,
            Some((_, before)) if *before == ready => false,
            _ => {
                self.turn = Some((Turn::give(cx), ready));
                true
            }
        }
    }

    /// Converts all that the backend has ready.
    fn take_ready(&mut self, cx: &mut Context<'_>, out: &mut Vec<u8>) {
        while out.len() < MAX_WRITE {
            match &mut self.source {
                Source::Done => return,
                Source::Waiting(sending) => match sending.as_mut().poll(cx) {
                    Poll::Pending => return,
                    Poll::Ready(Ok(head)) => {
                        self.last_byte = Instant::now();
                        self.source = head.into_source(&mut self.tally);
                        self.converter.accepted(&self.tally.context);
                        self.set_timer();
                    }
                    Poll::Ready(Err(error)) => self.fail(&error, out),
                },
                Source::Events(body) => match body.poll_data(cx) {
                    Poll::Pending => return,
                    Poll::Ready(Some(Ok(data))) => {
                        self.last_byte = Instant::now();
                        if let Some(trace) = &self.tally.trace {
                            trace.backend(&data);
                        }
                        let before = self.progress;
                        self.progress = self.converter.push(&data, out);
                        if before != self.progress {
                            self.tally.reached(Stage::FirstToken);
                            self.set_timer(); // another patience holds from here on
                        }
                        self.tell();
                        self.end_if_over();
                    }
                    Poll::Ready(Some(Err(error))) => self.broken(&error, out),
                    Poll::Ready(None) => self.finish(out),
                },
                Source::Json(body, collected) => match body.poll_data(cx) {
                    Poll::Pending => return,
                    Poll::Ready(Some(Ok(data))) if collected.len() + data.len() <= MAX_ANSWER_BYTES => {
                        self.last_byte = Instant::now();
                        collected.extend_from_slice(&data);
                        self.set_timer();
                    }
                    Poll::Ready(Some(Ok(_))) => self.broken("its answer is too large", out),
                    Poll::Ready(Some(Err(error))) => self.broken(&error, out),
                    Poll::Ready(None) => {
                        let collected = std::mem::take(collected);
                        if let Some(trace) = &self.tally.trace {
                            trace.backend(&collected);
                        }
                        self.progress = self.converter.push_response(&collected, out);
                        self.finish(out);
                    }
                },
            }
        }
    }

    /// What the model has said by now, told to the program that embeds the proxy.
    fn tell(&mut self) {
        if self.converter.has_said() {
            self.tally.said();
            self.tally.calls(self.converter.calls_made());
        }
    }

    fn on_timer(&mut self, out: &mut Vec<u8>) {
        let now = Instant::now();
        if let Some(patience) = self.patience().filter(|&patience| self.last_byte + patience <= now) {
            let message = format!("the backend has been silent for {} s", patience.as_secs_f32());
            self.fail(&ApiError::api(504, message), out);
        } else if self.last_write + self.ping_interval <= now {
            self.last_write = now;
            self.progress = self.converter.tick(out);
            self.end_if_over();
        }
        self.set_timer();
    }

    /// Wakes for the next ping, or when patience ends.
    fn set_timer(&mut self) {
        let ping = self.last_write + self.ping_interval;
        let wake = self.patience().map_or(ping, |patience| ping.min(self.last_byte + patience));
        self.timer.as_mut().reset(wake);
    }

    /// Silence before the first token is prefill, and may last unless the user says otherwise.
    fn patience(&self) -> Option<Duration> {
        match (&self.source, self.progress) {
            (Source::Events(_), Progress::Waiting) => self.first_byte_timeout,
            (Source::Events(_), Progress::Answering) => self.stall_timeout,
            (Source::Json(_, collected), _) if collected.is_empty() => self.first_byte_timeout,
            (Source::Json(..), _) => self.stall_timeout,
            _ => None,
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        self.converter.finish(out);
        self.progress = Progress::Ended;
        self.end_if_over();
    }

    fn broken(&mut self, error: &str, out: &mut Vec<u8>) {
        let message = format!("the connection to the backend broke in the middle of its answer: {error}");
        self.fail(&ApiError::api(502, message), out);
    }

    fn fail(&mut self, error: &ApiError, out: &mut Vec<u8>) {
        self.converter.fail(error, out);
        self.progress = Progress::Ended;
        self.end_if_over();
    }

    fn end_if_over(&mut self) {
        if self.progress == Progress::Ended && !matches!(self.source, Source::Done) {
            self.source = Source::Done;
            self.tell();
            self.tally.end(&self.converter.record(), self.converter.failure());
        }
    }
}
