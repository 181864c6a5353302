//! A translator by settings in JSON, for doors whose callers have no Rust types.

use serde::Deserialize;

use super::request::{Options, Translator};
use super::supply::ToolSupply;
use crate::backend;
use crate::door::strict;
use crate::error::Result;
use crate::toolcall::ToolFormat;
use crate::wire::Dialect;

/// The keys of the settings. Unknown ones are errors, so that a typing mistake does not pass in silence.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    backend: String,
    model: Option<String>,
    max_output_tokens: Option<u64>,
    context_window: Option<u64>,
    backend_api: Dialect,
    tools: ToolSupply,
    tool_format: ToolFormat,
    prompt_opens_thinking: Option<bool>,
    backend_stream: Option<bool>,
    images: Option<bool>,
    pin_lines: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            backend: "openai".to_owned(),
            model: None,
            max_output_tokens: None,
            context_window: None,
            backend_api: Dialect::default(),
            tools: ToolSupply::default(),
            tool_format: ToolFormat::default(),
            prompt_opens_thinking: None,
            backend_stream: None,
            images: None,
            pin_lines: Vec::new(),
        }
    }
}

impl Translator {
    /// A translator by a JSON object with the keys `backend` (default `openai`), `model`,
    /// `max_output_tokens`, `context_window`, `backend_api` (`chat`, or `messages` for a server's own Messages API),
    /// `tools` (`auto`, `on`, `text` or `off`), `tool_format` (`auto`, `off` or a format's name), `pin_lines` (what lines
    /// begin with that are kept as a conversation saw them first), `prompt_opens_thinking`, `backend_stream` and `images`
    /// (booleans; left out, they are decided by what is known).
    ///
    /// ```
    /// use anyclaude_core::{ErrorKind, Translator};
    ///
    /// let translator = Translator::from_config_json(br#"{"backend":"mlx-lm"}"#)?;
    /// assert_eq!(translator.spec().name, "mlx-lm");
    /// let error = Translator::from_config_json(br#"{"backnd":"mlx-lm"}"#).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Config);
    /// # Ok::<(), anyclaude_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) that names the key, or the backends there are.
    pub fn from_config_json(json: &[u8]) -> Result<Self> {
        let settings: Settings = strict("config", json)?;
        let options = Options {
            model: settings.model,
            max_output_tokens: settings.max_output_tokens,
            context_window: settings.context_window,
            dialect: settings.backend_api,
            tools: settings.tools,
            tool_format: settings.tool_format,
            prompt_opens_thinking: settings.prompt_opens_thinking,
            streams: settings.backend_stream,
            images: settings.images,
            pin_lines: settings.pin_lines,
            ..Options::default()
        };
        Ok(Translator::new(*backend::by_name(&settings.backend)?, options))
    }
}
