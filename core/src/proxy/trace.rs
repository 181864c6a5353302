//! Trace files: one for each request, for people and for `anyclaude trace`.
//!
//! JSON lines in the order of the pipeline. Keys and tokens never get in: known ones are masked by value,
//! headers that carry them whole, and everything that looks like one by its shape. A thread of its own
//! writes, so that no request waits for the disk; what it cannot keep up with is left out and counted.

mod file;
mod redact;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};

use hyper::HeaderMap;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{BackendInfo, Config};
use crate::error::{Error, ErrorKind, Result};
use crate::secret::{Secret, Secrets};
use crate::translate::Note;
use crate::wire::Dialect;
use file::Message;

/// Records that may wait for the disk.
const MAX_WAITING: usize = 256;

/// Stream bytes that are joined into one record below level 3.
const JOINED: usize = 8 << 10;

/// The longest line of a stream that is held until it ends. Longer ones are cut in two records.
const MAX_LINE: usize = 256 << 10;

/// Where traces go.
#[derive(Debug)]
pub(super) struct Traces {
    sender: SyncSender<Message>,
    /// Every event is a record of its own.
    each_event: bool,
    number: AtomicU64,
    lost: Arc<AtomicU64>,
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
        let (sender, receiver) = sync_channel(MAX_WAITING);
        let writer = std::thread::Builder::new().name("anyclaude-traces".to_owned());
        writer.spawn(move || keeper.run(&receiver)).map_err(|error| {
            Error::new(ErrorKind::Io, format!("the thread for traces cannot start: {error}")).with_source(error)
        })?;
        Ok(Some(Traces { sender, each_event: config.debug >= 3, number: AtomicU64::new(0), lost: Arc::default() }))
    }

    /// Begins the trace of a request. The keys of its backend, and what its client sent as a key, are masked.
    pub(super) fn begin(&self, request_id: &str, headers: &HeaderMap, keys: &[Secret]) -> Trace {
        let secrets = keys.iter().cloned().chain(redact::credentials(headers));
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let trace = Trace {
            sender: self.sender.clone(),
            number,
            begun: Instant::now(),
            secrets: Secrets::new(secrets),
            each_event: self.each_event,
            backend: Lines::new("backend"),
            client: Lines::new("client"),
            lost: Arc::clone(&self.lost),
        };
        trace.send(Message::Begin { number, request_id: request_id.to_owned() });
        trace
    }
}

/// The last records of a program that ends are written before it does.
impl Drop for Traces {
    fn drop(&mut self) {
        let (written, waiting) = sync_channel(1);
        if self.sender.try_send(Message::Flush(written)).is_ok() {
            let _ = waiting.recv_timeout(LAST_WRITE);
        }
    }
}

/// How long the end of a program waits for the disk.
const LAST_WRITE: std::time::Duration = std::time::Duration::from_secs(2);

/// The trace of one request.
#[derive(Debug)]
pub(super) struct Trace {
    sender: SyncSender<Message>,
    number: u64,
    begun: Instant,
    secrets: Secrets,
    each_event: bool,
    backend: Lines,
    client: Lines,
    lost: Arc<AtomicU64>,
}

/// Bytes of a stream that wait for the end of their line, so that no secret is cut in two.
#[derive(Debug)]
struct Lines {
    stage: &'static str,
    waiting: Vec<u8>,
}

impl Lines {
    fn new(stage: &'static str) -> Self {
        Lines { stage, waiting: Vec::new() }
    }

    /// Adds bytes; gives what is to be written.
    fn push(&mut self, bytes: &[u8], at_once: bool) -> Option<Vec<u8>> {
        self.waiting.extend_from_slice(bytes);
        let end = memchr::memrchr(b'\n', &self.waiting).map_or(0, |at| at + 1);
        let whole = if self.waiting.len() > MAX_LINE { self.waiting.len() } else { end };
        if whole == 0 || (whole < JOINED && !at_once) {
            return None;
        }
        let rest = self.waiting.split_off(whole);
        Some(std::mem::replace(&mut self.waiting, rest))
    }
}

impl Trace {
    /// The request as the client sent it.
    pub(super) fn request(&self, method: &str, path: &str, headers: &HeaderMap, body: &[u8]) {
        let fields = json!({
            "method": method, "path": redact::text(&self.secrets, path),
            "headers": redact::headers(&self.secrets, headers),
        });
        self.record("request", self.with_body(&fields, body));
    }

    /// The request as the backend is sent it, and what was dropped or changed on the way.
    pub(super) fn translated(&self, backend: &BackendInfo, api: Dialect, body: &[u8], notes: &[Note]) {
        let url = backend.url.as_deref().map(|url| redact::text(&self.secrets, url));
        let fields = json!({"backend": backend.kind, "api": api.as_str(), "url": url});
        self.record("translated", self.with_body(&fields, body));
        for note in notes {
            self.record("note", json!({"note": redact::text(&self.secrets, &note.to_string())}).to_string());
        }
    }

    /// The head of the backend's answer.
    pub(super) fn response(&self, status: u16, headers: &HeaderMap) {
        let fields = json!({"status": status, "headers": redact::headers(&self.secrets, headers)});
        self.record("response", fields.to_string());
    }

    /// Bytes of the backend's answer, as they come.
    pub(super) fn backend(&mut self, bytes: &[u8]) {
        let written = self.backend.push(bytes, self.each_event);
        self.stream("backend", written);
    }

    /// Bytes of the client's answer, as they go.
    pub(super) fn client(&mut self, bytes: &[u8]) {
        let written = self.client.push(bytes, self.each_event);
        self.stream("client", written);
    }

    /// How the request ended, and how long its stages took in milliseconds.
    pub(super) fn end(&mut self, outcome: &Value, timing: &Value) {
        for lines in [&mut self.backend, &mut self.client] {
            let rest = std::mem::take(&mut lines.waiting);
            let stage = lines.stage;
            let rest = (!rest.is_empty()).then(|| redact::text(&self.secrets, &String::from_utf8_lossy(&rest)));
            if let Some(data) = rest {
                send_record(
                    &self.sender,
                    &self.lost,
                    self.number,
                    self.begun,
                    stage,
                    json!({ "data": data }).to_string(),
                );
            }
        }
        self.record("timing", timing.to_string());
        let lost = self.lost.swap(0, Ordering::Relaxed);
        let mut outcome = outcome.clone();
        if let (Some(object), 1..) = (outcome.as_object_mut(), lost) {
            object.insert("records_lost".to_owned(), lost.into());
        }
        self.record("outcome", redact::text(&self.secrets, &outcome.to_string()));
        self.send(Message::End { number: self.number });
    }

    fn stream(&self, stage: &'static str, bytes: Option<Vec<u8>>) {
        if let Some(bytes) = bytes {
            let data = redact::text(&self.secrets, &String::from_utf8_lossy(&bytes));
            self.record(stage, json!({ "data": data }).to_string());
        }
    }

    /// Fields and a body: as the JSON that it is, every key in its place, so that it can be sent again; as
    /// text where it is none.
    fn with_body(&self, fields: &Value, body: &[u8]) -> String {
        let text = redact::text(&self.secrets, &String::from_utf8_lossy(body));
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

    fn record(&self, stage: &'static str, fields: String) {
        send_record(&self.sender, &self.lost, self.number, self.begun, stage, fields);
    }

    fn send(&self, message: Message) {
        send(&self.sender, &self.lost, message);
    }
}

fn send_record(
    sender: &SyncSender<Message>,
    lost: &AtomicU64,
    number: u64,
    begun: Instant,
    stage: &'static str,
    fields: String,
) {
    let ms = begun.elapsed().as_micros() as f64 / 1000.0;
    send(sender, lost, Message::Record { number, ms, stage, fields });
}

fn send(sender: &SyncSender<Message>, lost: &AtomicU64, message: Message) {
    if let Err(TrySendError::Full(_)) = sender.try_send(message) {
        lost.fetch_add(1, Ordering::Relaxed);
    }
}
