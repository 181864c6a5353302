//! Which backend the settings mean, told to people.

use anyclaude_core::proxy::{AUTO, Found, discover, recognise};
use anyclaude_core::{Config, backend};

use crate::failure::Failure;
use crate::output::{self, Busy};

/// What was found where no backend was named.
#[derive(Debug)]
pub(super) struct Chosen {
    /// Servers that were found, best first; empty where one was named.
    pub(super) found: Vec<Found>,
    /// The backend was named by the user.
    pub(super) named: bool,
}

impl Chosen {
    /// Whether there is a server, as far as is known before it is asked.
    pub(super) fn has_server(&self) -> bool {
        self.named || !self.found.is_empty()
    }
}

/// Looks for a server, where none was named, and puts it into the settings.
pub(super) async fn choose(config: &mut Config) -> Result<Chosen, Failure> {
    if config.backend != AUTO {
        return Ok(Chosen { found: Vec::new(), named: true });
    }
    if let Some(url) = &config.backend_url {
        let _busy = Busy::new("looking what the server is");
        config.backend = recognise(url).await?.name.to_owned();
        return Ok(Chosen { found: Vec::new(), named: true });
    }
    let found = {
        let _busy = Busy::new("looking for model servers");
        discover().await
    };
    match found.first() {
        Some(best) => {
            config.backend = best.spec.name.to_owned();
            config.backend_url = Some(best.url.to_owned());
            if config.api_key.take().is_some() {
                output::note(
                    "anyclaude: the key is not sent to a server that was found; name it with --backend if it is its key",
                );
            }
        }
        None => config.backend = "demo".to_owned(),
    }
    Ok(Chosen { found, named: false })
}

/// What was found and chosen, in lines.
pub(super) fn describe(config: &Config, chosen: &Chosen) -> Result<Vec<String>, Failure> {
    let spec = backend::by_name(&config.backend)?;
    let place = config.backend_url.as_deref().or(spec.default_url);
    let mut lines = Vec::new();
    lines.push(match place {
        None => "backend: the built-in demo, which is no model".to_owned(),
        Some(url) => {
            let how = if chosen.named { "" } else { " (found at its usual address)" };
            format!("backend: {} at {url}{how}", spec.name)
        }
    });
    for other in chosen.found.iter().skip(1) {
        let name = other.spec.name;
        lines.push(format!("also found: {name} at {}; take it with --backend {name}", other.url));
    }
    Ok(lines)
}

/// What to do where there is no server.
pub(super) fn how_to_start() -> String {
    let mut text = "no model server was found at the usual addresses. Start one, or name it:\n\n".to_owned();
    for spec in backend::BACKENDS.iter().filter(|spec| !spec.signs.is_empty()) {
        let url = spec.default_url.unwrap_or("");
        text.push_str(&format!("  anyclaude --backend {:9} --backend-url {url}\n", spec.name));
    }
    text
}

/// Says what is odd about the settings.
pub(super) fn tell(notes: &[String]) {
    for note in notes {
        output::note(format_args!("anyclaude: {note}"));
    }
}
