//! Finds servers at the addresses where their kinds usually listen.
//!
//! Whatever listens on such a port is only asked harmless questions; it is a server only if its answers
//! show which kind it is. No prompt goes anywhere before that.

use std::time::Duration;

use bytes::Bytes;
use hyper::{HeaderMap, Method, Uri};

use super::client::{self, Answer, HttpClient};
use super::upstream::base_url;
use crate::backend::{BACKENDS, BackendSpec, Sighting};
use crate::error::{Error, ErrorKind, Result};

/// How long a server may take to answer a question. They are all on this machine.
const PATIENCE: Duration = Duration::from_millis(800);

/// A server that was found.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Found {
    /// What it is.
    pub spec: &'static BackendSpec,
    /// Where it is, `/v1` included.
    pub url: &'static str,
}

/// Looks at the usual address of every known kind. Returns what was found, best first.
pub async fn discover() -> Vec<Found> {
    let candidates = BACKENDS.iter().filter(|spec| !spec.signs.is_empty());
    let candidates = candidates.filter_map(|spec| Some((spec, spec.default_url?)));
    let mut looking = tokio::task::JoinSet::new();
    let client = HttpClient::new(PATIENCE);
    for (rank, (spec, url)) in candidates.enumerate() {
        let client = client.clone();
        looking.spawn(async move { shows(&client, spec, url).await.then_some((rank, Found { spec, url })) });
    }
    let mut found: Vec<(usize, Found)> = looking.join_all().await.into_iter().flatten().collect();
    found.sort_by_key(|(rank, _)| *rank);
    found.into_iter().map(|(_, found)| found).collect()
}

/// What the server at an address is, if it shows.
///
/// # Errors
/// [`Config`](crate::ErrorKind::Config) for an address that is none.
pub async fn identify(url: &str) -> Result<Option<&'static BackendSpec>> {
    let base = base_url(url)?;
    let client = HttpClient::new(PATIENCE);
    for spec in BACKENDS.iter().filter(|spec| !spec.signs.is_empty()) {
        if shows(&client, spec, &base).await {
            return Ok(Some(spec));
        }
    }
    Ok(None)
}

/// What the server at an address is.
///
/// # Errors
/// [`Config`](ErrorKind::Config) when it shows none of the known kinds.
pub async fn recognise(url: &str) -> Result<&'static BackendSpec> {
    identify(url).await?.ok_or_else(|| {
        let message = "backend: no server of a known kind shows itself at backend_url; name its kind, `openai` for any \
                       that has chat completions";
        Error::new(ErrorKind::Config, message)
    })
}

/// Whether every sign of a kind is there.
async fn shows(client: &HttpClient, spec: &BackendSpec, base: &str) -> bool {
    let root = base.strip_suffix("/v1").unwrap_or(base);
    let mut seen: Vec<(&str, Answer)> = Vec::new();
    for sign in spec.signs {
        if !seen.iter().any(|(path, _)| *path == sign.path) {
            let Ok(uri) = format!("{root}{}", sign.path).parse::<Uri>() else { return false };
            let question = client::request(Method::GET, &uri, Bytes::new(), &HeaderMap::new());
            let Some(answer) = client.ask(question, PATIENCE).await else { return false };
            seen.push((sign.path, answer));
        }
        let answer = seen.iter().find(|(path, _)| *path == sign.path);
        let holds = answer.is_some_and(|(_, answer)| {
            sign.holds(&Sighting { status: answer.status, server: answer.server.as_deref(), body: &answer.body })
        });
        if !holds {
            return false;
        }
    }
    true
}
