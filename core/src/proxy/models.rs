//! Which models the backend has and what is known of them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::upstream::Upstream;
use crate::backend::{BackendSpec, Facts, Model, model_config, model_template};
use crate::exchange::{ModelTable, is_stale};
use crate::wire::ApiError;
use crate::wire::json::Object;

/// How long each question may take: they are asked on the way of a request.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is known of the backend's models, and when it was asked.
#[derive(Debug)]
pub(super) struct Catalog {
    spec: BackendSpec,
    configured: Option<String>,
    table: ModelTable,
    asked: Mutex<Asked>,
}

#[derive(Debug, Default)]
struct Asked {
    at: Option<Instant>,
    answered: bool,
    reachable: bool,
}

impl Catalog {
    pub(super) fn new(configured: Option<String>, spec: &BackendSpec) -> Self {
        Catalog { configured, spec: *spec, table: ModelTable::default(), asked: Mutex::default() }
    }

    /// What is known now, without asking.
    pub(super) fn models(&self) -> Arc<[Model]> {
        self.table.models()
    }

    /// Whether the server is of a kind that tells of its models: worth asking before that is needed.
    pub(super) fn is_telling(&self) -> bool {
        !self.spec.signs.is_empty()
    }

    /// Whether the server gave its list when it was asked last; `None` when it has not been asked.
    pub(super) fn is_reachable(&self) -> Option<bool> {
        let asked = self.lock();
        asked.at.map(|_| asked.reachable)
    }

    /// Whether what is known is old enough to be asked for again.
    pub(super) fn is_stale(&self) -> bool {
        let asked = self.lock();
        is_stale(asked.at.map(|at| at.elapsed()), asked.answered)
    }

    /// What is known, asked for again when it is old.
    ///
    /// # Errors
    /// The server gave no list, now or just before.
    pub(super) async fn list(&self, upstream: &Upstream) -> Result<Arc<[Model]>, ApiError> {
        if !self.is_stale() {
            let nothing = || ApiError::api(502, "the backend gave no list of models just now");
            return if self.lock().answered { Ok(self.models()) } else { Err(nothing()) };
        }
        self.ask(upstream).await
    }

    /// Asks the server, whatever is known.
    ///
    /// # Errors
    /// The server gave no list, now or ever: one that is busy with a prompt may not answer, but its models
    /// are what they were.
    pub(super) async fn ask(&self, upstream: &Upstream) -> Result<Arc<[Model]>, ApiError> {
        let told = match upstream.facts(&self.spec, PATIENCE).await {
            Some(told) => told,
            None => Ok(Facts { models: self.spec.quirks.loaded_model.map(Model::named).into_iter().collect() }),
        };
        let told = match told {
            Ok(facts) => Ok(with_files(facts.models).await),
            Err(error) => Err(error),
        };
        let mut asked = self.lock();
        asked.at = Some(Instant::now());
        asked.reachable = told.is_ok();
        match told {
            Ok(models) => {
                asked.answered = true;
                self.table.tell(models);
            }
            Err(error) if !asked.answered => return Err(error),
            Err(_) => {}
        }
        Ok(self.models())
    }

    /// Asks whether the server is there now, whatever is known.
    ///
    /// # Errors
    /// It gave no list.
    pub(super) async fn reach(&self, upstream: &Upstream) -> Result<(), ApiError> {
        match upstream.facts(&self.spec, PATIENCE).await {
            Some(told) => told.map(|_| ()),
            None => Ok(()),
        }
    }

    /// What clients see: the server's models, and the configured one.
    pub(super) async fn offered(&self, upstream: &Upstream) -> Vec<Model> {
        let mut models = self.list(upstream).await.unwrap_or_default().to_vec();
        let is_there = |name: &String| models.iter().any(|model| model.id == *name || model.short_name() == name);
        if let Some(configured) = self.configured.as_ref().filter(|configured| !is_there(configured)) {
            models.insert(0, Model::named(configured.as_str()));
        }
        models
    }

    /// The same, for what learns from refusals.
    pub(super) fn table(&self) -> &ModelTable {
        &self.table
    }

    /// Forgets what refusals taught: the server was away, and may be another when it is back.
    pub(super) fn forget(&self) {
        if self.table.forget() {
            self.lock().at = None;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Models that are named by a folder of this machine tell their window, and their template, in files.
async fn with_files(models: Vec<Model>) -> Vec<Model> {
    let is_told = |model: &Model| model.window.is_some() && model.tool_format.is_some();
    if models.iter().all(|model| is_told(model) || !model.id.contains('/')) {
        return models;
    }
    let reading = models.clone();
    let read = tokio::task::spawn_blocking(move || {
        let mut models = reading;
        for model in models.iter_mut().filter(|model| !is_told(model)) {
            let Some(folder) = model_folder(&model.id) else { continue };
            if model.window.is_none() {
                model.window = read_small(&folder.join("config.json")).as_deref().and_then(model_config);
            }
            let template = read_small(&folder.join("chat_template.jinja")).map(String::from_utf8);
            if let Some(Ok(template)) = template.or_else(|| tokenizer_template(&folder).map(Ok)) {
                model_template(&template, model);
            }
        }
        models
    });
    read.await.unwrap_or(models)
}

/// The template in the place where it stood before it got a file of its own.
fn tokenizer_template(folder: &Path) -> Option<String> {
    let config = read_small(&folder.join("tokenizer_config.json"))?;
    let config: serde_json::Value = serde_json::from_slice(&config).ok()?;
    config.get("chat_template")?.as_str().map(str::to_owned)
}

/// The folder of a model that is one, or that was downloaded into the hub's cache.
fn model_folder(id: &str) -> Option<PathBuf> {
    let path = Path::new(id);
    if path.is_absolute() {
        return Some(path.to_owned());
    }
    let (organisation, name) = id.split_once('/').filter(|(_, name)| !name.contains(['/', '\\']))?;
    let cache = std::env::var_os("HF_HUB_CACHE").map(PathBuf::from);
    let home = || std::env::home_dir().map(|home| home.join(".cache/huggingface/hub"));
    let snapshots = cache.or_else(home)?.join(format!("models--{organisation}--{name}")).join("snapshots");
    std::fs::read_dir(snapshots).ok()?.filter_map(Result::ok).map(|entry| entry.path()).max()
}

/// Such a file is some kilobytes, a tokenizer's at most a few hundred; anything larger is something else.
fn read_small(path: &Path) -> Option<Vec<u8>> {
    const MAX: u64 = 1 << 20;
    let size = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?.len();
    if size > MAX { None } else { std::fs::read(path).ok() }
}

/// `GET /v1/models` in Anthropic's shape.
pub(super) fn push_list(out: &mut Vec<u8>, models: &[Model]) {
    let mut list = Object::begin(out);
    let data = list.key("data");
    data.push(b'[');
    for (index, model) in models.iter().enumerate() {
        if index > 0 {
            data.push(b',');
        }
        push_model(data, &model.id);
    }
    data.push(b']');
    list.json("has_more", "false");
    for (key, model) in [("first_id", models.first()), ("last_id", models.last())] {
        match model {
            Some(model) => list.plain(key, &model.id),
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
