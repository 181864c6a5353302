//! The log of one proxy as records for the program that embeds it, without a global subscriber.

use std::fmt::{self, Debug};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id};
use tracing::{Dispatch, Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use crate::error::{Error, ErrorKind, Result};

/// Where the records of a proxy's log go.
///
/// A record is a JSON object: `time_ms` (since the Unix epoch), `level`, `target` (the place in the code),
/// `message`, `request_id` where it belongs to a request, and `fields` with what the message tells of.
/// Secrets are in no record; of prompts only what a server's own error quotes.
#[derive(Clone)]
pub struct Log {
    level: LevelFilter,
    sink: Arc<Sink>,
}

/// Taken away when the proxy has stopped, so that no record comes after that.
struct Sink(Mutex<Option<TakeRecord>>);

type TakeRecord = Box<dyn Fn(&[u8]) + Send>;

impl Log {
    /// A log from `level` on (`error`, `warn`, `info`, `debug` or `trace`).
    ///
    /// `sink` is called on the proxy's threads and on those that start or stop it, with one record at a time. It is
    /// dropped when the proxy stops. It may call the library, but not stop the proxy, give it another backend or wait
    /// for its events: those calls are refused there.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for another word.
    pub fn new(level: &str, sink: impl Fn(&[u8]) + Send + 'static) -> Result<Self> {
        let level = match level {
            "error" => LevelFilter::ERROR,
            "warn" => LevelFilter::WARN,
            "info" => LevelFilter::INFO,
            "debug" => LevelFilter::DEBUG,
            "trace" => LevelFilter::TRACE,
            other => {
                let shown = crate::error::shown(other, 40);
                let message = format!("log level: {shown:?} is none of error, warn, info, debug and trace");
                return Err(Error::new(ErrorKind::Config, message));
            }
        };
        Ok(Log { level, sink: Arc::new(Sink(Mutex::new(Some(Box::new(sink))))) })
    }

    /// What threads use as their subscriber to write into this log.
    pub(super) fn dispatch(&self) -> Dispatch {
        Dispatch::new(tracing_subscriber::registry().with(Records(self.clone()).with_filter(self.level)))
    }

    /// No more records from here on; waits for the one that is being taken.
    pub(super) fn close(&self) {
        let sink = self.sink.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Not while it is locked: what belongs to it may write into this log.
        drop(sink);
    }

    /// As `close`, where this thread may be the one in the sink.
    pub(super) fn close_unless_busy(&self) {
        let sink = match self.sink.0.try_lock() {
            Ok(mut sink) => sink.take(),
            Err(TryLockError::Poisoned(sink)) => sink.into_inner().take(),
            Err(TryLockError::WouldBlock) => None,
        };
        drop(sink);
    }
}

impl Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("level", &self.level).finish_non_exhaustive()
    }
}

/// Turns events of `tracing` into records.
struct Records(Log);

/// The id of the request that a span is about.
struct RequestId(String);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Records {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if attributes.metadata().name() != "request" {
            return;
        }
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let (Some(span), Some(Value::String(id))) = (context.span(id), fields.0.remove("id")) {
            span.extensions_mut().insert(RequestId(id));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let Fields(mut fields) = fields;
        let message = fields.remove("message").unwrap_or_default();
        let told = fields.remove("request_id").filter(|id| !id.is_null());
        let of_span = || {
            let mut spans = context.event_scope(event)?;
            spans.find_map(|span| Some(json!(span.extensions().get::<RequestId>()?.0)))
        };
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let metadata = event.metadata();
        let record = json!({
            "time_ms": u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX),
            "level": metadata.level().as_str().to_ascii_lowercase(),
            "target": metadata.target(),
            "message": message,
            "request_id": told.or_else(of_span),
            "fields": fields,
        });
        let sink = self.0.sink.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sink) = &*sink {
            sink(record.to_string().as_bytes());
        }
    }
}

/// The fields of an event, as JSON.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn set(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.set(field, format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logged(level: &str, work: impl FnOnce()) -> Vec<Value> {
        let records = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&records);
        let log = Log::new(level, move |record| {
            kept.lock().unwrap().push(serde_json::from_slice(record).unwrap());
        });
        let log = log.unwrap();
        tracing::dispatcher::with_default(&log.dispatch(), work);
        log.close();
        Arc::into_inner(records).unwrap().into_inner().unwrap()
    }

    #[test]
    fn records_tell_level_message_request_and_fields() {
        let records = logged("info", || {
            let _entered = tracing::info_span!("request", id = "req_7").entered();
            let _inner = tracing::info_span!("send").entered();
            tracing::debug!("unheard");
            tracing::warn!(status = 502, kind = "api_error", "failed: {}", "so");
        });
        let [record] = records.as_slice() else { panic!("{records:?}") };
        assert_eq!(record["level"], "warn");
        assert_eq!(record["message"], "failed: so");
        assert_eq!(record["request_id"], "req_7");
        assert_eq!(record["fields"], json!({"status": 502, "kind": "api_error"}));
    }

    #[test]
    fn other_levels_are_refused() {
        let error = Log::new("loud", |_| {}).unwrap_err();
        assert_eq!(error.message(), "log level: \"loud\" is none of error, warn, info, debug and trace");
    }
}
