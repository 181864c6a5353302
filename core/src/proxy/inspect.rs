//! A look at a backend without a proxy in front of it, for `anyclaude models` and `anyclaude doctor`.

use std::time::Duration;

use super::active::{Active, BackendInfo};
use super::client;
use super::config::Config;
use super::discover::identify;
use super::warnings::small_window;
use crate::backend::{BackendSpec, Model, Role};
use crate::error::Result;
use crate::translate::ToolPlan;

/// How long the server may take to say that it is well.
const PATIENCE: Duration = Duration::from_secs(3);

/// What a look at a backend has shown.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Inspection {
    /// The backend that the settings name, or that was found.
    pub backend: BackendInfo,
    /// What it is by the registry.
    pub spec: BackendSpec,
    /// Its health endpoint answered well; `None` where there is no server.
    pub healthy: Option<bool>,
    /// What it shows itself to be, which may be another kind than the settings say.
    pub identified: Option<&'static BackendSpec>,
    /// Its models, or why there is no list.
    pub models: std::result::Result<Vec<Model>, String>,
    /// How its models get their tools, and how their calls are read.
    pub tool_plans: Vec<ToolPlan>,
    /// What users should know.
    pub warnings: Vec<String>,
}

/// Looks at the backend of these settings. No prompt is sent.
///
/// # Errors
/// [`Config`](crate::ErrorKind::Config) for settings that make no sense.
pub async fn inspect(config: &Config) -> Result<Inspection> {
    let active = Active::start(config).await?;
    let spec = active.spec;
    let mut healthy = None;
    let mut identified = None;
    if let Some(server) = active.upstream.server() {
        let question = format!("{}{}", server.root, spec.health_path).parse().ok();
        let question =
            question.map(|uri| client::request(hyper::Method::GET, &uri, bytes::Bytes::new(), &server.headers));
        let answer = match question {
            Some(question) => server.client.ask(question, PATIENCE).await,
            None => None,
        };
        healthy = Some(answer.is_some_and(|answer| answer.status < 400));
        // A look for signs asks a server many things; what passes through is known by its name.
        if spec.role == Role::Translate && healthy == Some(true) {
            identified = identify(&server.base).await?;
        }
    }
    let models = active.catalog.list(&active.upstream).await;
    let models = models.map(|models| models.to_vec()).map_err(|error| error.message);
    let known = models.as_deref().unwrap_or_default();
    let warnings = known.iter().filter_map(|model| small_window(&spec, model)).collect();
    let tool_plans = known.iter().map(|model| active.translator.tool_plan(model)).collect();
    Ok(Inspection { backend: active.info.clone(), spec, healthy, identified, models, tool_plans, warnings })
}
