//! `anyclaude models`: what the backend has.

use anyclaude_core::backend::Model;
use anyclaude_core::proxy::inspect;
use serde_json::json;

use super::backend;
use crate::args::Look;
use crate::failure::Failure;
use crate::output::{self, Busy};
use crate::runtime::runtime;
use crate::settings::Settings;

pub(crate) fn run(args: &Look) -> Result<(), Failure> {
    let settings = Settings::load(&args.flags, &[])?;
    let mut config = settings.config;
    let (chosen, seen) = runtime()?.block_on(async {
        let chosen = backend::choose(&mut config).await?;
        let _busy = Busy::new("asking the server");
        let seen = inspect(&config).await?;
        Ok::<_, Failure>((chosen, seen))
    })?;
    let models = seen.models.map_err(Failure::new)?;
    if args.output.json {
        let backend = json!({"kind": seen.backend.kind, "url": seen.backend.url});
        return Ok(output::json(&json!({"backend": backend, "models": models}))?);
    }
    for line in backend::describe(&config, &chosen)? {
        output::line(line)?;
    }
    if models.is_empty() {
        output::line("it lists no models")?;
    }
    for model in &models {
        output::line(describe(model))?;
    }
    Ok(())
}

/// A model in one line: what is known of it.
pub(super) fn describe(model: &Model) -> String {
    let mut words = vec![match model.window {
        Some(window) => format!("window {window}"),
        None => "window not told".to_owned(),
    }];
    for (known, yes, no) in [
        (model.tools, "tools", "no tools"),
        (model.images, "images", "no images"),
        (model.loaded, "loaded", "not loaded"),
    ] {
        words.extend(known.map(|known| if known { yes } else { no }.to_owned()));
    }
    format!("  {}  {}", model.id, words.join(", "))
}
