//! `anyclaude config`: the settings themselves.

use anyclaude_core::Config;
use serde_json::{Value, json};

use super::backend;
use crate::args::Look;
use crate::failure::Failure;
use crate::output;
use crate::settings::Settings;

/// Says whether the settings make sense; they were checked on the way in.
pub(crate) fn check(args: &Look) -> Result<(), Failure> {
    let settings = Settings::load(&args.flags, &[])?;
    let files: Vec<String> = settings.files.iter().map(|path| path.display().to_string()).collect();
    if args.output.json {
        return Ok(output::json(&json!({"ok": true, "files": files, "notes": settings.notes}))?);
    }
    backend::tell(&settings.notes);
    output::line(match files.as_slice() {
        [] => "the settings make sense; no file was read".to_owned(),
        files => format!("the settings make sense; read: {}", files.join(", ")),
    })?;
    Ok(())
}

/// Each setting, its value and where it comes from; secrets only as that they are there.
pub(crate) fn show(args: &Look) -> Result<(), Failure> {
    let settings = Settings::load(&args.flags, &[])?;
    let known = Config::settings();
    let pairs = settings.config.pairs();
    if args.output.json {
        let entries: Vec<Value> = pairs
            .iter()
            .zip(&known)
            .map(|((key, value), setting)| {
                json!({
                    "key": key, "value": value, "source": settings.source(key).to_string(),
                    "variable": setting.variable(), "about": setting.about,
                })
            })
            .collect();
        return Ok(output::json(&entries.into())?);
    }
    for (key, value) in &pairs {
        let value = match value {
            Value::Null => "-".to_owned(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        output::line(format_args!("{key:18}  {value:24}  {}", settings.source(key)))?;
    }
    Ok(())
}

/// The JSON Schema, for editors.
pub(crate) fn schema() -> Result<(), Failure> {
    Ok(output::json(&Config::schema())?)
}
