//! Every setting of the proxy, in one struct with one deserializer.

mod keys;
mod values;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use keys::Setting;
pub use values::Switch;

use super::upstream::base_url;
use crate::backend;
use crate::error::{Error, ErrorKind, Result};
use crate::exchange;
use crate::secret::Secret;
use crate::toolcall::ToolFormat;
use crate::translate::ToolSupply;
use crate::wire::Dialect;
use values::{duration, hidden, optional_duration, write_duration, write_optional_duration};

/// Settings of the proxy and its launcher. Every field has a default; unknown keys are errors.
///
/// Times are texts like `"500ms"`, `"2s"`, `"1m 30s"`, or `"off"` where noted.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Config {
    /// The kind of server behind the proxy, or `auto`: what the server at `backend_url` shows itself to be, or
    /// else the first known kind that is found at its usual address.
    pub backend: String,
    /// Where that server is, e.g. `http://127.0.0.1:8080/v1`. By default where its kind usually listens.
    pub backend_url: Option<String>,
    /// The key that the server wants.
    #[serde(serialize_with = "hidden")]
    pub api_key: Option<Secret>,
    /// Which of the server's interfaces is used: `chat` (chat completions) or `messages` (its own Messages API).
    pub backend_api: Dialect,
    /// The server's model for requests that ask for a Claude model. By default the loaded one.
    pub model: Option<String>,
    /// The most tokens that prompt and answer may have together. By default what the server tells.
    #[schemars(range(min = 1024))]
    pub context_window: Option<u64>,
    /// How the model gets its tools: `auto` (by the server's interface, or in the prompt where the model is known to
    /// take none that way), `on` (always by the interface), `text` (always in the prompt) or `off` (not at all).
    pub tools: ToolSupply,
    /// Which format of tool calls is looked for in the model's text: `auto`, a format's name (then no other is), or
    /// `off`.
    #[schemars(with = "String")]
    pub tool_format: ToolFormat,
    /// Whether prompts end in the marker that opens thinking, where the server leaves thinking in the text: `auto`
    /// (by the template and earlier answers), `on` or `off`.
    pub prompt_opens_thinking: Switch,
    /// Whether the server is asked for streams. `off` is for servers whose tool calls are broken in streams only:
    /// they are asked for whole answers, and clients still get streams.
    pub backend_stream: Switch,
    /// Whether images are sent to the model: `auto`, `on` or `off`.
    pub images: Switch,
    /// The most tokens that any answer may have.
    #[schemars(range(min = 1))]
    pub max_output_tokens: Option<u64>,
    /// What lines begin with that are kept as a conversation saw them first, e.g. `Today's date is`: they change by
    /// themselves, and cost the server its cache.
    pub pin_lines: Vec<String>,
    /// The address to listen on. Others than loopback need `inbound_token`.
    #[schemars(with = "String")]
    pub host: IpAddr,
    /// The port to listen on; 0 for any free one. `anyclaude serve` takes 4141 unless it is told another.
    pub port: u16,
    /// What clients must send as `x-api-key` or bearer token. By default anything goes.
    #[serde(serialize_with = "hidden")]
    pub inbound_token: Option<Secret>,
    /// `Host` headers that are taken beside those of loopback, without port.
    pub allowed_hosts: Vec<String>,
    /// `Origin` headers (web pages) that are taken; by default none.
    pub allowed_origins: Vec<String>,
    /// How long a stream may wait for the server before its head is sent.
    #[serde(deserialize_with = "duration", serialize_with = "write_duration")]
    #[schemars(with = "String")]
    pub commit_after: Duration,
    /// How often a silent stream gets a ping.
    #[serde(deserialize_with = "duration", serialize_with = "write_duration")]
    #[schemars(with = "String")]
    pub ping_interval: Duration,
    /// How long connecting to the server may take.
    #[serde(deserialize_with = "duration", serialize_with = "write_duration")]
    #[schemars(with = "String")]
    pub connect_timeout: Duration,
    /// How long the server may be silent before its first byte; `off` is for ever.
    #[serde(deserialize_with = "optional_duration", serialize_with = "write_optional_duration")]
    #[schemars(with = "String")]
    pub first_byte_timeout: Option<Duration>,
    /// How long the server may be silent in the middle of an answer; `off` is for ever.
    #[serde(deserialize_with = "optional_duration", serialize_with = "write_optional_duration")]
    #[schemars(with = "String")]
    pub stall_timeout: Option<Duration>,
    /// How long a client may take to send the head of a request; an idle connection is closed after it.
    #[serde(deserialize_with = "duration", serialize_with = "write_duration")]
    #[schemars(with = "String")]
    pub header_timeout: Duration,
    /// How long a client may take to send a body.
    #[serde(deserialize_with = "duration", serialize_with = "write_duration")]
    #[schemars(with = "String")]
    pub body_timeout: Duration,
    /// The largest request body that is taken, in bytes, compressed or not.
    #[schemars(range(min = 1024))]
    pub max_body_bytes: usize,
    /// How much is told: 1 timings and errors in the log, 2 also a trace file for each request, 3 every event.
    #[schemars(range(max = 3))]
    pub debug: u8,
    /// The folder for run files, traces and logs. By default `.anyclaude` in the home folder.
    #[schemars(with = "Option<String>")]
    pub home: Option<PathBuf>,
    /// The most bytes of trace files that are kept; older files are removed.
    pub trace_max_bytes: u64,
    /// How long trace files are kept.
    #[serde(deserialize_with = "duration", serialize_with = "write_duration")]
    #[schemars(with = "String")]
    pub trace_max_age: Duration,
    /// Whether a run file is kept, by which `status` and `use` find the proxy. The program sets it.
    pub run_file: bool,
    /// The Claude Code that is launched. By default the `claude` on the path.
    #[schemars(with = "Option<String>")]
    pub claude_path: Option<PathBuf>,
    /// Serve even where Claude Code could be launched.
    pub proxy_only: bool,
    /// Threads of the runtime that a host without one gets.
    #[schemars(range(min = 1))]
    pub worker_threads: Option<usize>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            backend: AUTO.to_owned(),
            backend_url: None,
            api_key: None,
            backend_api: Dialect::Chat,
            model: None,
            context_window: None,
            tools: ToolSupply::Auto,
            tool_format: ToolFormat::Auto,
            prompt_opens_thinking: Switch::Auto,
            backend_stream: Switch::Auto,
            images: Switch::Auto,
            max_output_tokens: None,
            host: IpAddr::from([127, 0, 0, 1]),
            port: 0,
            inbound_token: None,
            pin_lines: Vec::new(),
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            commit_after: exchange::COMMIT_AFTER,
            ping_interval: exchange::PING_INTERVAL,
            connect_timeout: Duration::from_secs(5),
            first_byte_timeout: None,
            stall_timeout: Some(exchange::STALL_TIMEOUT),
            header_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(60),
            max_body_bytes: exchange::MAX_BODY_BYTES,
            debug: 0,
            home: None,
            trace_max_bytes: 256 << 20,
            trace_max_age: Duration::from_secs(7 * 24 * 60 * 60),
            run_file: false,
            claude_path: None,
            proxy_only: false,
            worker_threads: None,
        }
    }
}

/// The word for "whatever is found".
pub const AUTO: &str = "auto";

/// The most threads of a runtime that the proxy makes for itself. It waits for servers; none needs more.
const MAX_WORKER_THREADS: usize = 512;

/// The longest time that a setting takes. Clocks can add it to any moment without an overflow.
const MAX_TIME: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The folder in the user's home.
const HOME: &str = ".anyclaude";

impl Config {
    /// Reads settings from a JSON object.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] that names the key and what it takes; for an unknown key, the nearest known one.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        let fail = |what: String| Error::new(ErrorKind::Config, format!("config: {what}"));
        // Read into a struct, a list would pass for the values of its fields.
        if !json.trim_ascii_start().starts_with(b"{") {
            return Err(fail("must be a JSON object".to_owned()));
        }
        let mut reader = serde_json::Deserializer::from_slice(json);
        let map = serde_json::Map::deserialize(&mut reader).map_err(|error| fail(error.to_string()))?;
        reader.end().map_err(|error| fail(error.to_string()))?;
        keys::check(&map).map_err(fail)?;
        serde_path_to_error::deserialize(serde_json::Value::Object(map))
            .map_err(|error| fail(format!("{}: {}", error.path(), error.inner())))
    }

    /// The settings as a JSON object, without the secrets.
    pub fn to_json(&self) -> serde_json::Map<String, serde_json::Value> {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::Object(map)) => map,
            _ => serde_json::Map::new(),
        }
    }

    /// The settings in the order of this struct, without the secrets.
    pub fn pairs(&self) -> Vec<(String, serde_json::Value)> {
        keys::in_order(self)
    }

    /// The JSON Schema of the settings, for editors.
    pub fn schema() -> serde_json::Value {
        schemars::schema_for!(Config).to_value()
    }

    /// Every setting: its key and what it takes.
    pub fn settings() -> Vec<Setting> {
        keys::all()
    }

    /// Checks what types cannot.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] that names the setting and the fix.
    pub fn validate(&self) -> Result<()> {
        let fail = |message: &str| Err(Error::new(ErrorKind::Config, message));
        if let Some(url) = &self.backend_url {
            base_url(url)?;
        }
        if self.backend != AUTO {
            backend::by_name(&self.backend)?;
        }
        if !self.host.is_loopback() && self.inbound_token.is_none() {
            return fail("host: an address that others can reach needs inbound_token, or host 127.0.0.1");
        }
        if self.inbound_token.as_ref().is_some_and(|token| token.expose().is_empty()) {
            return fail("inbound_token: it is empty; set a token, or leave it out");
        }
        if self.context_window.is_some_and(|window| window < 1024) {
            return fail("context_window: at least 1024, in tokens");
        }
        if self.debug > 3 {
            return fail("debug: 0, 1, 2 or 3");
        }
        if self.worker_threads.is_some_and(|threads| !(1..=MAX_WORKER_THREADS).contains(&threads)) {
            return fail(&format!("worker_threads: 1 to {MAX_WORKER_THREADS}"));
        }
        let times = [
            ("commit_after", Some(self.commit_after)),
            ("ping_interval", Some(self.ping_interval)),
            ("connect_timeout", Some(self.connect_timeout)),
            ("first_byte_timeout", self.first_byte_timeout),
            ("stall_timeout", self.stall_timeout),
            ("header_timeout", Some(self.header_timeout)),
            ("body_timeout", Some(self.body_timeout)),
            ("trace_max_age", Some(self.trace_max_age)),
        ];
        if let Some((key, _)) = times.iter().find(|(_, time)| time.is_some_and(|time| time > MAX_TIME)) {
            return fail(&format!("{key}: at most 365days"));
        }
        for (key, time) in [
            ("connect_timeout", Some(self.connect_timeout)),
            ("first_byte_timeout", self.first_byte_timeout),
            ("stall_timeout", self.stall_timeout),
            ("header_timeout", Some(self.header_timeout)),
            ("body_timeout", Some(self.body_timeout)),
        ] {
            if time.is_some_and(|time| time.is_zero()) {
                let off = if matches!(key, "first_byte_timeout" | "stall_timeout") { ", or off for none" } else { "" };
                return fail(&format!("{key}: nothing gets done in no time; give it some{off}"));
            }
        }
        if self.ping_interval < Duration::from_millis(10) {
            return fail("ping_interval: at least 10ms");
        }
        if self.max_body_bytes < 1024 {
            return fail("max_body_bytes: at least 1024, a request has to fit");
        }
        Ok(())
    }

    /// The folder for run files, traces and logs.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when the user has no home and the setting `home` is missing.
    pub fn home_dir(&self) -> Result<PathBuf> {
        let own = || std::env::home_dir().filter(|path| !path.as_os_str().is_empty()).map(|path| path.join(HOME));
        self.home.clone().or_else(own).ok_or_else(|| {
            Error::new(ErrorKind::Config, "home: the user's home folder is not known; name a folder for files")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_settings_and_names_what_is_wrong() {
        let config =
            Config::from_json(br#"{"backend":"mlx-lm","stall_timeout":"off","commit_after":"250ms"}"#).unwrap();
        assert_eq!((config.stall_timeout, config.commit_after), (None, Duration::from_millis(250)));
        for (json, words) in [
            (r#"{"bakcend":"x"}"#, "bakcend: no such setting; did you mean backend?"),
            (r#"{"commit_after":"soon"}"#, "commit_after: \"soon\" is no duration"),
            (r#"{"port":"x"}"#, "port:"),
            (r#"{"tools":"maybe"}"#, "tools: unknown variant `maybe`"),
            (r#"{"api_key":12345678}"#, "config: api_key: a secret must be a text"),
            ("[]", "must be a JSON object"),
            ("{} {}", "trailing characters"),
        ] {
            let error = Config::from_json(json.as_bytes()).unwrap_err();
            assert!(error.message().contains(words), "{error}");
            assert!(!error.message().contains("12345678"), "{error}");
        }
    }

    #[test]
    fn what_would_overflow_is_refused() {
        let told =
            |json: &str| Config::from_json(json.as_bytes()).unwrap().validate().unwrap_err().message().to_owned();
        assert_eq!(told(r#"{"worker_threads":1000000000000}"#), "worker_threads: 1 to 512");
        assert_eq!(told(r#"{"worker_threads":0}"#), "worker_threads: 1 to 512");
        assert_eq!(told(r#"{"ping_interval":"9223372036854775807s"}"#), "ping_interval: at most 365days");
        assert_eq!(told(r#"{"stall_timeout":"366days"}"#), "stall_timeout: at most 365days");
    }

    #[test]
    fn no_time_is_no_limit() {
        let config = Config { stall_timeout: Some(Duration::ZERO), ..Config::default() };
        assert!(config.validate().unwrap_err().message().contains("or off for none"));
        let config = Config { body_timeout: Duration::ZERO, ..Config::default() };
        assert!(config.validate().unwrap_err().message().starts_with("body_timeout: "));
    }

    #[test]
    fn a_reachable_address_needs_a_token() {
        let mut config = Config { host: IpAddr::from([0, 0, 0, 0]), ..Config::default() };
        assert!(config.validate().unwrap_err().message().starts_with("host:"));
        config.inbound_token = Some(Secret::new("t"));
        assert!(config.validate().is_ok());
    }

    #[test]
    fn what_is_written_can_be_read() {
        let config = Config { api_key: Some(Secret::new("k3y")), debug: 2, ..Config::default() };
        let mut map = config.to_json();
        assert!(!serde_json::to_string(&map).unwrap().contains("k3y"));
        map.retain(|key, _| key != "api_key");
        let again = Config::from_json(serde_json::to_string(&map).unwrap().as_bytes()).unwrap();
        assert_eq!(again.to_json(), Config { api_key: None, ..config }.to_json());
    }
}
