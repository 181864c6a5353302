//! Trace files: one for each request, for people and for `anyclaude trace`.
//!
//! JSON lines in the order of the pipeline. Keys and tokens never get in: known ones are masked by value,
//! headers that carry them whole, and everything that looks like one by its shape. A thread of its own
//! redacts and writes, so that no request waits for either; what it cannot keep up with is left out and
//! counted.

mod file;
mod lines;
mod redact;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hyper::HeaderMap;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{BackendInfo, Config};
use crate::error::{Error, ErrorKind, Result};
use crate::prefix::PrefixReport;
use crate::secret::{Secret, Secrets};
use crate::translate::Note;
use crate::wire::Dialect;
use file::Message;
use lines::Lines;

/// Bytes that may wait for the disk before records are left out: some hundred long prompts.
const MAX_WAITING: usize = 64 << 20;

/// How long the end of a program waits for the disk.
const LAST_WRITE: Duration = Duration::from_secs(5);

/// Where traces go.
#[derive(Debug)]
pub(super) struct Traces {
    sender: Sender<Message>,
    waiting: Arc<AtomicUsize>,
    /// Every event is a record of its own.
    each_event: bool,
    number: AtomicU64,
}

impl Traces {
    /// Opens the folder and removes what is old, where the settings ask for traces.
    pub(super) fn start(config: &Config) -> Result<Option<Traces>> {
        if config.debug < 2 {
            return Ok(None);
        }
        let folder = config.home_dir()?.join("traces");
        let keeper =
            file::Keeper::open(folder.clone(), config.trace_max_bytes, config.trace_max_age).map_err(|error| {
                let message =
                    format!("home: no traces can be written to {}: {error}; choose another folder", folder.display());
                Error::new(ErrorKind::Io, message).with_source(error)
            })?;
        let (sender, receiver) = channel();
        let writer = std::thread::Builder::new().name("anyclaude-traces".to_owned());
        let waiting = keeper.waiting();
        writer.spawn(move || keeper.run(&receiver)).map_err(|error| {
            Error::new(ErrorKind::Io, format!("the thread for traces cannot start: {error}")).with_source(error)
        })?;
        Ok(Some(Traces { sender, waiting, each_event: config.debug >= 3, number: AtomicU64::new(0) }))
    }

    /// Begins the trace of a request. The keys of its backend, and what its client sent as a key, are masked.
    pub(super) fn begin(&self, request_id: &str, headers: &HeaderMap, keys: &[Secret]) -> Arc<Trace> {
        let secrets = Secrets::new(keys.iter().cloned().chain(redact::credentials(headers)));
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let trace = Trace {
            sender: self.sender.clone(),
            waiting: Arc::clone(&self.waiting),
            number,
            begun: Instant::now(),
            backend: Mutex::new(Lines::new(self.each_event)),
            client: Mutex::new(Lines::new(self.each_event)),
            lost: AtomicU64::new(0),
        };
        trace.send(Message::Begin { number, request_id: request_id.to_owned(), secrets });
        Arc::new(trace)
    }
}

/// The last records of a program that ends are written before it does.
impl Drop for Traces {
    fn drop(&mut self) {
        let (written, waiting) = sync_channel(1);
        if self.sender.send(Message::Flush(written)).is_ok() {
            let _ = waiting.recv_timeout(LAST_WRITE);
        }
    }
}

/// The trace of one request.
#[derive(Debug)]
pub(super) struct Trace {
    sender: Sender<Message>,
    waiting: Arc<AtomicUsize>,
    number: u64,
    begun: Instant,
    backend: Mutex<Lines>,
    client: Mutex<Lines>,
    lost: AtomicU64,
}

impl Trace {
    /// The request as the client sent it.
    pub(super) fn request(&self, method: &str, path: &str, headers: &HeaderMap, body: &Bytes) {
        let (method, path, headers, body) = (method.to_owned(), path.to_owned(), headers.clone(), body.clone());
        self.record("request", body.len(), move |secrets| {
            let fields = json!({
                "method": method, "path": redact::text(secrets, &path), "headers": redact::headers(secrets, &headers),
            });
            with_body(secrets, &fields, &body)
        });
    }

    /// The request as the backend is sent it, and what was dropped or changed on the way. Told again for each
    /// further try.
    pub(super) fn translated(&self, backend: &BackendInfo, api: Dialect, body: &Bytes, notes: &[Note]) {
        let (kind, url, body) = (backend.kind, backend.url.clone(), body.clone());
        self.record("translated", body.len(), move |secrets| {
            let url = url.map(|url| redact::text(secrets, &url));
            with_body(secrets, &json!({"backend": kind, "api": api.as_str(), "url": url}), &body)
        });
        for note in notes {
            self.note(note.to_string());
        }
    }

    /// What the prompt shared with those before it.
    pub(super) fn prefix(&self, report: &PrefixReport) {
        let report = report.clone();
        self.record("prefix", size_of::<PrefixReport>(), move |secrets| {
            redact::text(secrets, &json!(report).to_string())
        });
    }

    /// Something that was dropped or changed.
    pub(super) fn note(&self, note: String) {
        self.record("note", note.len(), move |secrets| json!({"note": redact::text(secrets, &note)}).to_string());
    }

    /// The head of the backend's answer.
    pub(super) fn response(&self, status: u16, headers: &HeaderMap) {
        let headers = headers.clone();
        self.record("response", 0, move |secrets| {
            json!({"status": status, "headers": redact::headers(secrets, &headers)}).to_string()
        });
    }

    /// A refusal's body; what follows is another try, or the end.
    pub(super) fn refusal(&self, body: &[u8]) {
        self.stream("backend", body.to_vec());
    }

    /// Bytes of the backend's answer, as they come.
    pub(super) fn backend(&self, bytes: &[u8]) {
        locked(&self.backend).push(bytes, |record| self.stream("backend", record));
    }

    /// Bytes of the client's answer, as they go.
    pub(super) fn client(&self, bytes: &[u8]) {
        locked(&self.client).push(bytes, |record| self.stream("client", record));
    }

    /// How the request ended, and how long its stages took in milliseconds.
    pub(super) fn end(&self, outcome: Value, timing: &Value) {
        for (stage, lines) in [("backend", &self.backend), ("client", &self.client)] {
            if let Some(rest) = locked(lines).rest() {
                self.stream(stage, rest);
            }
        }
        let timing = timing.to_string();
        self.message("timing", 0, move |_| timing);
        let lost = self.lost.load(Ordering::Relaxed);
        self.message("outcome", 0, move |secrets| {
            let mut outcome = outcome;
            if let (Some(object), 1..) = (outcome.as_object_mut(), lost) {
                object.insert("records_lost".to_owned(), lost.into());
            }
            redact::text(secrets, &outcome.to_string())
        });
        self.send(Message::End { number: self.number });
    }

    fn stream(&self, stage: &'static str, bytes: Vec<u8>) {
        self.record(stage, bytes.len(), move |secrets| {
            json!({ "data": redact::text(secrets, &String::from_utf8_lossy(&bytes)) }).to_string()
        });
    }

    /// A record, unless too much waits already.
    fn record(&self, stage: &'static str, bytes: usize, fields: impl FnOnce(&Secrets) -> String + Send + 'static) {
        if self.waiting.load(Ordering::Relaxed) > MAX_WAITING {
            self.lost.fetch_add(1, Ordering::Relaxed);
        } else {
            self.message(stage, bytes, fields);
        }
    }

    fn message(&self, stage: &'static str, bytes: usize, fields: impl FnOnce(&Secrets) -> String + Send + 'static) {
        let ms = self.begun.elapsed().as_micros() as f64 / 1000.0;
        let bytes = bytes + size_of::<Message>();
        self.waiting.fetch_add(bytes, Ordering::Relaxed);
        self.send(Message::Record { number: self.number, ms, stage, bytes, fields: Box::new(fields) });
    }

    fn send(&self, message: Message) {
        // Without the thread there is nobody to tell.
        let _ = self.sender.send(message);
    }
}

fn locked(lines: &Mutex<Lines>) -> MutexGuard<'_, Lines> {
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Fields and a body: as the JSON that it is, every key in its place, so that it can be sent again; as text
/// where it is none.
fn with_body(secrets: &Secrets, fields: &Value, body: &[u8]) -> String {
    let text = redact::text(secrets, &String::from_utf8_lossy(body));
    let is_json = serde_json::from_str::<&RawValue>(&text).is_ok();
    // A record is one line. Inside of strings JSON has no line ends, so none of these says anything.
    let body = if is_json { text.replace(['\n', '\r'], " ") } else { Value::String(text).to_string() };
    let mut fields = fields.to_string();
    fields.pop();
    fields.push_str(",\"body\":");
    fields.push_str(&body);
    fields.push('}');
    fields
}
