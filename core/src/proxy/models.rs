//! Which models the backend has, and which one a request gets.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::Config;
use super::upstream::Upstream;
use crate::backend::BackendSpec;
use crate::wire::ApiError;
use crate::wire::json::Object;

/// How long the server's list is believed.
const FRESH: Duration = Duration::from_secs(30);

/// How long to wait before a server that gave no list is asked again.
const RETRY: Duration = Duration::from_secs(3);

/// How long the list may take: it is asked for on the way of a request.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Models {
    configured: Option<String>,
    loaded: Option<&'static str>,
    known: Mutex<Option<Known>>,
}

#[derive(Clone, Debug)]
struct Known {
    at: Instant,
    ids: Option<Arc<[String]>>,
}

impl Models {
    pub(super) fn new(config: &Config, spec: &BackendSpec) -> Self {
        Models { configured: config.model.clone(), loaded: spec.quirks.loaded_model, known: Mutex::new(None) }
    }

    /// The models that the translator may choose from; asked for only where the choice needs them.
    pub(super) async fn choices(&self, upstream: &Upstream) -> Arc<[String]> {
        if self.configured.is_some() || self.loaded.is_some() {
            return Arc::default();
        }
        self.list(upstream).await.unwrap_or_default()
    }

    /// The server's models. Asked again when the last answer is old.
    pub(super) async fn list(&self, upstream: &Upstream) -> Result<Arc<[String]>, ApiError> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = &known {
            let limit = if known.ids.is_some() { FRESH } else { RETRY };
            if known.at.elapsed() < limit {
                let ids = known.ids.clone();
                return ids.ok_or_else(|| ApiError::api(502, "the backend gave no list of models just now"));
            }
        }
        let answer = self.ask(upstream).await;
        // A server that is busy with a prompt may not answer now; its models are what they were.
        let answer = answer.or_else(|error| known.and_then(|known| known.ids).ok_or(error));
        let known = Known { at: Instant::now(), ids: answer.as_ref().ok().cloned() };
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
        answer
    }

    /// Asks the server for its models, whatever is known.
    pub(super) async fn ask(&self, upstream: &Upstream) -> Result<Arc<[String]>, ApiError> {
        match tokio::time::timeout(PATIENCE, upstream.models()).await {
            Ok(Some(answer)) => answer.map(|body| ids(&body)),
            Ok(None) => Ok(self.loaded.iter().map(|&id| id.to_owned()).collect()),
            Err(_) => Err(ApiError::api(504, "the backend did not list its models in time")),
        }
    }

    /// What clients see: the server's models, and the configured one.
    pub(super) async fn offered(&self, upstream: &Upstream) -> Vec<String> {
        let mut ids = self.list(upstream).await.unwrap_or_default().to_vec();
        if let Some(configured) = self.configured.as_ref().filter(|configured| !ids.contains(configured)) {
            ids.insert(0, configured.clone());
        }
        ids
    }
}

/// The ids in a list of OpenAI's shape; none in anything else (mlx-lm may send an empty body).
fn ids(body: &[u8]) -> Arc<[String]> {
    #[derive(Deserialize)]
    struct List {
        #[serde(default)]
        data: Vec<Entry>,
    }
    #[derive(Deserialize)]
    struct Entry {
        id: String,
    }
    let list: List = serde_json::from_slice(body).unwrap_or(List { data: Vec::new() });
    list.data.into_iter().map(|entry| entry.id).collect()
}

/// `GET /v1/models` in Anthropic's shape.
pub(super) fn push_list(out: &mut Vec<u8>, ids: &[String]) {
    let mut list = Object::begin(out);
    let data = list.key("data");
    data.push(b'[');
    for (index, id) in ids.iter().enumerate() {
        if index > 0 {
            data.push(b',');
        }
        push_model(data, id);
    }
    data.push(b']');
    list.json("has_more", "false");
    for (key, id) in [("first_id", ids.first()), ("last_id", ids.last())] {
        match id {
            Some(id) => list.plain(key, id),
            None => list.json(key, "null"),
        };
    }
    list.end();
}

/// One model in Anthropic's shape. Servers tell no date of release: the epoch stands for "unknown".
pub(super) fn push_model(out: &mut Vec<u8>, id: &str) {
    let display = id.rsplit('/').find(|part| !part.is_empty()).unwrap_or(id);
    let mut model = Object::begin(out);
    model.plain("type", "model").plain("id", id).plain("display_name", display);
    model.plain("created_at", "1970-01-01T00:00:00Z");
    model.end();
}
