//! What happens to requests, told to a program that embeds the proxy. It pulls; nothing calls it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::sync::Notify;

use crate::error::{Error, ErrorKind, Result};

/// Events that wait to be pulled; the oldest make room. Enough for seconds of a busy proxy, and with
/// [`MAX_TEXT`] at most two megabytes however long nobody looks.
pub const MAX_EVENTS: usize = 1024;

/// The most bytes of a name or message in an event: clients, models and servers make up any.
pub const MAX_TEXT: usize = 1000;

/// Something that happened to a request, or to the queue of events itself.
///
/// As JSON an object whose `type` is the variant's name in lower case with underscores.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ProxyEvent {
    /// A request for a message is on its way to the backend, or has failed before.
    #[non_exhaustive]
    RequestStarted {
        /// The id that the client is told, too.
        request_id: String,
        /// The model that the client asked for; none where the request was not read (yet).
        model: Option<String>,
        /// The backend's model that the request became; none where the request passes unchanged.
        backend_model: Option<String>,
        /// Whether the client wants an event stream.
        stream: bool,
        /// About how many tokens the prompt has; 0 where it was not read.
        estimated_input_tokens: u64,
    },
    /// The model has said something.
    #[non_exhaustive]
    FirstToken {
        /// The request's.
        request_id: String,
        /// Since the request came, in milliseconds.
        ms: u64,
    },
    /// The model calls a tool; its arguments may still be coming.
    #[non_exhaustive]
    ToolCall {
        /// The request's.
        request_id: String,
        /// The call's id, as the client gets it.
        id: String,
        /// The tool.
        name: String,
    },
    /// The request was answered.
    #[non_exhaustive]
    Done {
        /// The request's.
        request_id: String,
        /// The HTTP status; an error's where a request that passed through was refused.
        status: u16,
        /// Why the model stopped; none where the answer passed unchanged.
        stop_reason: Option<&'static str>,
        /// Prompt tokens that the backend read anew.
        input_tokens: u64,
        /// Prompt tokens that the backend's cache held.
        cache_read_input_tokens: u64,
        /// Tokens generated.
        output_tokens: u64,
        /// Since the request came, in milliseconds.
        ms: u64,
    },
    /// The request failed.
    #[non_exhaustive]
    Error {
        /// The request's.
        request_id: String,
        /// The HTTP status that the client got, or would have got had the answer not begun.
        status: u16,
        /// The API's word for it, such as `overloaded_error`.
        kind: &'static str,
        /// What the client was told, with secrets masked.
        message: String,
        /// Since the request came, in milliseconds.
        ms: u64,
    },
    /// The client went away before the end.
    #[non_exhaustive]
    Cancelled {
        /// The request's.
        request_id: String,
        /// Since the request came, in milliseconds.
        ms: u64,
    },
    /// Events were dropped here, because nobody pulled them in time.
    #[non_exhaustive]
    Missed {
        /// How many.
        count: u64,
    },
}

impl ProxyEvent {
    /// The event as a JSON object.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The events of a proxy, from the moment on at which they were first asked for.
///
/// All clones read one queue: each event goes to one reader. At most [`MAX_EVENTS`] wait.
#[derive(Clone, Debug)]
pub struct Events(Arc<Queue>);

impl Events {
    /// The next event; `None` once the proxy has stopped and all have been read. Cancel safe.
    pub async fn next(&self) -> Option<ProxyEvent> {
        loop {
            let woken = self.0.woken.notified();
            tokio::pin!(woken);
            // From here on no event goes unnoticed.
            woken.as_mut().enable();
            {
                let mut state = self.0.lock();
                match state.pop() {
                    Some(event) => return Some(event),
                    None if state.closed => return None,
                    None => {}
                }
            }
            woken.await;
        }
    }

    /// The next event, waited for on this thread; `None` when none came within `timeout`.
    ///
    /// # Errors
    /// [`ErrorKind::Stopped`] once the proxy has stopped and all events have been read.
    pub fn next_within(&self, timeout: Duration) -> Result<Option<ProxyEvent>> {
        Ok(self.wait(timeout)?.pop())
    }

    /// Waits on this thread until there is an event, which stays; false when none came within `timeout`.
    ///
    /// # Errors
    /// As [`Events::next_within`].
    pub fn ready_within(&self, timeout: Duration) -> Result<bool> {
        Ok(self.wait(timeout)?.has_some())
    }

    fn wait(&self, timeout: Duration) -> Result<MutexGuard<'_, State>> {
        // A wait that ends beyond the clock's range never ends.
        let deadline = Instant::now().checked_add(timeout);
        let mut state = self.0.lock();
        loop {
            if state.has_some() {
                return Ok(state);
            }
            if state.closed {
                return Err(Error::new(ErrorKind::Stopped, "the proxy has been stopped; there are no more events"));
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            state = match left {
                Some(Duration::ZERO) => return Ok(state),
                Some(left) => self.0.came.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
                None => self.0.came.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

/// The queue between requests and readers.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// Somebody reads; until then nothing is kept.
    is_read: AtomicBool,
    state: Mutex<State>,
    came: Condvar,
    woken: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<ProxyEvent>,
    missed: u64,
    closed: bool,
}

impl State {
    fn has_some(&self) -> bool {
        self.missed > 0 || !self.waiting.is_empty()
    }

    fn pop(&mut self) -> Option<ProxyEvent> {
        if self.missed > 0 {
            return Some(ProxyEvent::Missed { count: std::mem::take(&mut self.missed) });
        }
        self.waiting.pop_front()
    }
}

impl Queue {
    /// A reader of this queue; from now on events are kept.
    pub(super) fn reader(self: &Arc<Self>) -> Events {
        self.is_read.store(true, Ordering::Release);
        Events(Arc::clone(self))
    }

    /// Whether it is worth while to make events.
    pub(super) fn is_read(&self) -> bool {
        self.is_read.load(Ordering::Acquire)
    }

    pub(super) fn push(&self, event: ProxyEvent) {
        let mut state = self.lock();
        if state.closed {
            return;
        }
        if state.waiting.len() >= MAX_EVENTS {
            state.waiting.pop_front();
            state.missed += 1;
        }
        state.waiting.push_back(event);
        drop(state);
        // All: one who only waits until there is an event would keep the news from one who takes it.
        self.came.notify_all();
        self.woken.notify_one();
    }

    /// No more events come: whoever waits is told.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.came.notify_all();
        self.woken.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(number: usize) -> ProxyEvent {
        ProxyEvent::Cancelled { request_id: number.to_string(), ms: 0 }
    }

    #[test]
    fn the_oldest_make_room_and_are_counted() {
        let queue = Arc::new(Queue::default());
        let events = queue.reader();
        for number in 0..MAX_EVENTS + 3 {
            queue.push(event(number));
        }
        assert_eq!(events.next_within(Duration::ZERO).unwrap(), Some(ProxyEvent::Missed { count: 3 }));
        assert_eq!(events.next_within(Duration::ZERO).unwrap(), Some(event(3)));
    }

    #[test]
    fn a_waiting_thread_is_told_of_the_end() {
        let queue = Arc::new(Queue::default());
        let events = queue.reader();
        let waiting = std::thread::spawn(move || events.next_within(Duration::MAX));
        queue.close();
        assert_eq!(waiting.join().unwrap().unwrap_err().kind(), ErrorKind::Stopped);
    }

    #[tokio::test]
    async fn a_waiting_task_is_told_of_events_and_of_the_end() {
        let queue = Arc::new(Queue::default());
        let events = queue.reader();
        let waiting = tokio::spawn(async move { (events.next().await, events.next().await) });
        tokio::task::yield_now().await;
        queue.push(event(1));
        tokio::task::yield_now().await;
        queue.close();
        assert_eq!(waiting.await.unwrap(), (Some(event(1)), None));
    }

    #[test]
    fn json_names_the_type() {
        assert_eq!(event(7).to_json(), r#"{"type":"cancelled","request_id":"7","ms":0}"#);
    }
}
