//! The backend that requests go to now. A running proxy can be given another.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::config::{AUTO, Config, Switch};
use super::discover::{Found, discover, recognise};
use super::models::Catalog;
use super::upstream::Upstream;
use super::warnings::Warnings;
use crate::backend::{self, BackendSpec, Model};
use crate::door::strict;
use crate::error::{Error, ErrorKind, Result};
use crate::secret::{Secret, Secrets};
use crate::toolcall::ToolFormat;
use crate::translate::{LOCAL_MODEL, Options, ToolSupply, Translator};
use crate::wire::{ApiError, Dialect};

/// Which backend a proxy is to use. Read from JSON by the same rules as [`Config`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct BackendChoice {
    /// The kind of server: a word of the backend registry.
    pub backend: String,
    /// Where it is; by default where its kind usually listens.
    pub backend_url: Option<String>,
    /// Which of its interfaces is used.
    pub backend_api: Dialect,
    /// Its key. That of the backend before is never sent to it.
    pub api_key: Option<Secret>,
    /// Its model for requests that ask for a Claude model.
    pub model: Option<String>,
    /// The most tokens that prompt and answer may have together.
    pub context_window: Option<u64>,
    /// How its model gets its tools.
    pub tools: ToolSupply,
    /// Which format of tool calls is looked for in its text.
    pub tool_format: ToolFormat,
    /// Whether prompts end in the marker that opens thinking.
    pub prompt_opens_thinking: Switch,
    /// Whether it is asked for streams.
    pub backend_stream: Switch,
    /// Whether images are sent.
    pub images: Switch,
}

impl BackendChoice {
    /// The backend of this kind, at its usual address.
    pub fn new(backend: impl Into<String>) -> Self {
        BackendChoice { backend: backend.into(), ..BackendChoice::default() }
    }

    /// Reads a choice from a JSON object with the keys of this struct.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] that names the key and what it takes.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        strict("backend choice", json)
    }

    /// The settings of a proxy with this backend instead of its own.
    fn apply(self, config: &Config) -> Config {
        Config {
            backend: self.backend,
            backend_url: self.backend_url,
            backend_api: self.backend_api,
            api_key: self.api_key,
            model: self.model,
            context_window: self.context_window,
            tools: self.tools,
            tool_format: self.tool_format,
            prompt_opens_thinking: self.prompt_opens_thinking,
            backend_stream: self.backend_stream,
            images: self.images,
            ..config.clone()
        }
    }
}

/// The backend of a running proxy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BackendInfo {
    /// Its word in the registry.
    pub kind: &'static str,
    /// Where it is, `/v1` included; `None` for the demo.
    pub url: Option<String>,
    /// The model for requests that ask for a Claude model, if one was named.
    pub model: Option<String>,
    /// It was found by looking, not named.
    pub found: bool,
}

/// A backend in use: requests hold on to it until they end.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) spec: BackendSpec,
    pub(super) info: BackendInfo,
    pub(super) translator: Translator,
    pub(super) upstream: Upstream,
    pub(super) catalog: Arc<Catalog>,
    pub(super) warnings: Warnings,
    pub(super) has_key: bool,
    /// Keys that nothing may repeat.
    pub(super) secrets: Secrets,
    /// Questions to the server that nobody waits for; they end with the backend.
    asking: std::sync::Mutex<JoinSet<()>>,
    runtime: Handle,
    /// What the models of earlier backends were called.
    stand_ins: BTreeSet<String>,
}

/// The most names of earlier models that are remembered: lists come from servers.
const MAX_STAND_INS: usize = 4096;

impl Active {
    /// The backend that the settings name, or else the best that is found, or else the demo.
    pub(super) async fn start(config: &Config) -> Result<Arc<Active>> {
        let runtime = &Handle::current();
        if config.backend != AUTO {
            return Active::new(config, false, runtime);
        }
        if let Some(url) = &config.backend_url {
            let spec = recognise(url).await?;
            return Active::new(&Config { backend: spec.name.to_owned(), ..config.clone() }, true, runtime);
        }
        let found = discover().await;
        for Found { spec, url } in &found {
            tracing::info!(backend = spec.name, url, "found a server");
        }
        match found.first() {
            Some(Found { spec, url }) => {
                let url = Some((*url).to_owned());
                if config.api_key.is_some() {
                    tracing::warn!(
                        "api_key is not sent to a server that was found; name it as backend if it is its key"
                    );
                }
                let named = Config { backend: spec.name.to_owned(), backend_url: url, api_key: None, ..config.clone() };
                Active::new(&named, true, runtime)
            }
            None => {
                tracing::warn!("no server of a known kind listens at its usual address: answering with the demo");
                Active::new(&Config { backend: "demo".to_owned(), ..config.clone() }, true, runtime)
            }
        }
    }

    /// Another backend for a proxy with these settings, in the place of this one. A client that goes on with a
    /// model of this one's gets the other's instead.
    pub(super) fn other(&self, config: &Config, choice: BackendChoice) -> Result<Arc<Active>> {
        let mut names = self.stand_ins.clone();
        let models = self.catalog.models();
        let known =
            models.iter().flat_map(|model| [model.id.as_str(), model.short_name()]).chain(self.info.model.as_deref());
        names.extend(known.take(MAX_STAND_INS.saturating_sub(names.len())).map(str::to_owned));
        Active::with_stand_ins(&choice.apply(config), false, &self.runtime, names, Some(&self.translator))
    }

    fn new(config: &Config, found: bool, runtime: &Handle) -> Result<Arc<Active>> {
        Active::with_stand_ins(config, found, runtime, BTreeSet::new(), None)
    }

    fn with_stand_ins(
        config: &Config,
        found: bool,
        runtime: &Handle,
        stand_ins: BTreeSet<String>,
        before: Option<&Translator>,
    ) -> Result<Arc<Active>> {
        config.validate()?;
        let spec = *backend::by_name(&config.backend)?;
        if config.backend_api == Dialect::Messages && !spec.native_messages {
            let message = format!("backend_api: {} has no Messages API of its own; leave it at chat", spec.name);
            return Err(Error::new(ErrorKind::Config, message));
        }
        let secrets: Vec<Secret> = [&config.api_key, &config.inbound_token].into_iter().flatten().cloned().collect();
        let options = Options {
            model: config.model.clone(),
            max_output_tokens: config.max_output_tokens,
            context_window: config.context_window,
            tools: config.tools,
            tool_format: config.tool_format,
            prompt_opens_thinking: config.prompt_opens_thinking.choice(),
            streams: config.backend_stream.choice(),
            images: config.images.choice(),
            dialect: config.backend_api,
            stand_ins: stand_ins.clone(),
            secrets: secrets.clone(),
            pin_lines: config.pin_lines.clone(),
        };
        let upstream = Upstream::new(config, &spec)?;
        let url = upstream.server().map(|server| server.base.clone());
        let info = BackendInfo { kind: spec.name, url, model: config.model.clone(), found };
        let differences = spec.quirks.differences();
        if !differences.is_empty() {
            tracing::info!(backend = spec.name, "differs from OpenAI's reference: {}", differences.join("; "));
        }
        let translator = Translator::new(spec, options);
        Ok(Arc::new(Active {
            // What the client's conversations said goes with them.
            translator: match before {
                Some(before) => translator.with_memory_of(before),
                None => translator,
            },
            catalog: Arc::new(Catalog::new(config.model.clone(), &spec)),
            warnings: Warnings::default(),
            has_key: config.api_key.is_some(),
            secrets: Secrets::new(secrets),
            asking: std::sync::Mutex::default(),
            runtime: runtime.clone(),
            stand_ins,
            spec,
            info,
            upstream,
        }))
    }

    /// Whether a model's name is one that a launcher or an earlier backend made, and Anthropic cannot know.
    pub(super) fn is_stand_in(&self, name: &str) -> bool {
        name == LOCAL_MODEL || self.stand_ins.contains(name)
    }

    /// The server is away. What it refused before it may take when it is back.
    pub(super) fn forget(&self) {
        self.catalog.forget();
        self.translator.forget();
    }

    /// What is known of the server's models, asked for again when it is old.
    ///
    /// # Errors
    /// As [`Catalog::list`].
    pub(super) async fn models(&self) -> Result<Arc<[Model]>, ApiError> {
        let models = self.catalog.list(&self.upstream).await?;
        self.warnings.look_at(&self.spec, &models);
        Ok(models)
    }

    /// Asks the server of its models while nobody waits for it, if what is known is old.
    pub(super) fn refresh(self: &Arc<Self>) {
        if !self.catalog.is_stale() {
            return;
        }
        let mut asking = self.asking.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        while asking.try_join_next().is_some() {}
        if asking.is_empty() {
            // Held weakly: the questions must not keep a backend that is no longer in use.
            let active = Arc::downgrade(self);
            asking.spawn_on(
                async move {
                    let Some(active) = active.upgrade() else { return };
                    if let Err(error) = active.models().await {
                        tracing::debug!("{}", error.message);
                    }
                },
                &self.runtime,
            );
        }
    }
}
