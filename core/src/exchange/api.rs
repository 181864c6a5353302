//! The Messages API of one server, for doors that are in the server's own process.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::limits::MAX_BODY_BYTES;
use super::models::{ModelTable, is_stale};
use super::turn::Exchange;
use crate::backend::{Facts, Model};
use crate::ids::Seed;
use crate::session::{SessionKey, Timestamp};
use crate::translate::{Hints, RequestContext, RequestMeta, Translated, Translator};
use crate::wire::{ApiError, encoding};

/// The Messages API of one server: a translator, and what is known of the server's models. Shared by its requests.
///
/// ```
/// use std::sync::Arc;
///
/// use anyclaude_core::exchange::{MessagesApi, ReadAs, Received};
/// use anyclaude_core::{Options, Translator, backend};
///
/// let api = Arc::new(MessagesApi::new(Translator::new(*backend::by_name("mlx-lm")?, Options::default())));
/// let body = br#"{"model":"claude-x","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"Hi"}]}"#;
/// let mut exchange = api.exchange(&Received::default(), body).expect("a good request");
/// // ... send exchange.body() to the server; it accepts:
/// assert_eq!(exchange.reading(200, "text/event-stream"), ReadAs::Events);
/// let mut out = Vec::new();
/// exchange.push(b"data: {\"choices\":[{\"delta\":{\"content\":\"Hello\"}}]}\n\n", &mut out);
/// assert!(out.starts_with(b"event: message_start\n"));
/// # Ok::<(), anyclaude_core::Error>(())
/// ```
#[derive(Debug)]
pub struct MessagesApi {
    pub(super) translator: Translator,
    pub(super) models: ModelTable,
    /// When the server was asked for its models, and whether it told.
    asked: Mutex<Option<(Timestamp, bool)>>,
}

/// What a request brings beside its body.
#[derive(Clone, Debug, Default)]
pub struct Received {
    /// The conversation that the client's headers name.
    pub session: SessionKey,
    /// What they tell of the request.
    pub hints: Hints,
    /// The header `content-encoding`.
    pub content_encoding: Option<String>,
    /// The time.
    pub now: Timestamp,
    /// Makes the ids of the answer.
    pub seed: Seed,
}

impl Received {
    /// By the client's headers, which are looked up in lower case.
    pub fn from_headers(header: impl Fn(&str) -> Option<String>, now: Timestamp, seed: Seed) -> Self {
        Received {
            session: SessionKey::from_headers(&header),
            hints: Hints::from_headers(&header),
            content_encoding: header("content-encoding"),
            now,
            seed,
        }
    }
}

impl MessagesApi {
    /// The API of the server that a translator is for.
    pub fn new(translator: Translator) -> Self {
        MessagesApi { translator, models: ModelTable::default(), asked: Mutex::default() }
    }

    /// Begins a request for a message.
    ///
    /// # Errors
    /// What the client is told of a request that makes no sense.
    pub fn exchange(self: &Arc<Self>, received: &Received, body: &[u8]) -> Result<Exchange, ApiError> {
        let body = encoding::decode(received.content_encoding.as_deref(), body, MAX_BODY_BYTES)?;
        let translated = self.translate(received, &body, None, true)?;
        Ok(Exchange::new(Arc::clone(self), received.clone(), body, translated))
    }

    /// Answers a question for the tokens of a prompt: an estimate, without any inference.
    ///
    /// # Errors
    /// As [`MessagesApi::exchange`].
    pub fn count_tokens(&self, received: &Received, body: &[u8]) -> Result<u64, ApiError> {
        let body = encoding::decode(received.content_encoding.as_deref(), body, MAX_BODY_BYTES)?;
        Ok(self.translate(received, &body, None, false)?.context.estimated_input_tokens)
    }

    pub(super) fn translate(
        &self,
        received: &Received,
        body: &[u8],
        max_tokens: Option<u64>,
        remembers: bool,
    ) -> Result<Translated, ApiError> {
        let meta = RequestMeta {
            session: received.session.clone(),
            now: received.now,
            seed: received.seed,
            models: &self.models.models(),
            max_tokens,
            hints: received.hints.clone(),
            remembers,
            ..RequestMeta::default()
        };
        self.translator.request_json(body, &meta).map_err(|error| error.to_api())
    }

    /// Whether the server's list of models would tell which one this request is for, and is not at hand. Then ask for
    /// it, [tell](MessagesApi::told_list), and begin the request again.
    pub fn wants_models(&self, context: &RequestContext, now: Timestamp) -> bool {
        let asked = *self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let age = asked.map(|(at, _)| Duration::from_millis(now.0.saturating_sub(at.0)));
        !context.model_known && is_stale(age, asked.is_some_and(|(_, answered)| answered))
    }

    /// Takes the server's list of models in OpenAI's shape, or that it gave none.
    pub fn told_list(&self, list: Option<&[u8]>, now: Timestamp) {
        let mut facts = Facts::default();
        if let Some(list) = list {
            facts.read_list(list);
        }
        let answered = !facts.models.is_empty();
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, answered));
        if answered {
            self.models.tell(facts.models);
        }
    }

    /// Takes what a host knows of its own models.
    pub fn told(&self, models: Vec<Model>, now: Timestamp) {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, true));
        self.models.tell(models);
    }
}
