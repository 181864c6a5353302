//! Every setting of the proxy, in one struct with one deserializer.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

use crate::error::{Error, ErrorKind, Result};
use crate::secret::Secret;

/// Settings of the proxy. Every field has a default; unknown keys are errors.
///
/// Durations are texts like `"500ms"`, `"2s"`, `"1m 30s"`, or `"off"` where noted.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Config {
    /// The kind of server behind the proxy: a word of the backend registry. Default `demo`.
    pub backend: String,
    /// Where that server is; by default where its kind usually listens.
    pub backend_url: Option<String>,
    /// The key that the server wants, sent as a bearer token.
    pub api_key: Option<Secret>,
    /// The server's model for requests that ask for a Claude model. By default the loaded one.
    pub model: Option<String>,
    /// The most tokens that any answer may have.
    pub max_output_tokens: Option<u64>,
    /// The address to listen on. Default `127.0.0.1`; others need `inbound_token`.
    pub host: IpAddr,
    /// The port to listen on. Default 0: any free one.
    pub port: u16,
    /// What clients must send as `x-api-key` or bearer token. By default anything goes.
    pub inbound_token: Option<Secret>,
    /// `Host` headers that are taken beside those of loopback, without port.
    pub allowed_hosts: Vec<String>,
    /// `Origin` headers that are taken; by default none, so that no web page gets in.
    pub allowed_origins: Vec<String>,
    /// How long a stream may wait for the server before its head is sent. Default 1 s.
    #[serde(deserialize_with = "duration")]
    pub commit_after: Duration,
    /// How often a silent stream gets a ping. Default 5 s.
    #[serde(deserialize_with = "duration")]
    pub ping_interval: Duration,
    /// How long connecting to the server may take. Default 5 s.
    #[serde(deserialize_with = "duration")]
    pub connect_timeout: Duration,
    /// How long the server may be silent before its first byte; `"off"`, the default, is for ever.
    #[serde(deserialize_with = "optional_duration")]
    pub first_byte_timeout: Option<Duration>,
    /// How long the server may be silent in the middle of an answer. Default 120 s; `"off"` is for ever.
    #[serde(deserialize_with = "optional_duration")]
    pub stall_timeout: Option<Duration>,
    /// How long a client may take to send the head of a request; an idle connection is closed after it,
    /// too. Default 30 s.
    #[serde(deserialize_with = "duration")]
    pub header_timeout: Duration,
    /// How long a client may take to send a body. Default 60 s.
    #[serde(deserialize_with = "duration")]
    pub body_timeout: Duration,
    /// The largest body that is taken, in bytes, compressed or not. Default 64 MiB.
    pub max_body_bytes: usize,
    /// Threads of the blocking twin's runtime. Default 2.
    pub worker_threads: Option<usize>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            backend: "demo".to_owned(),
            backend_url: None,
            api_key: None,
            model: None,
            max_output_tokens: None,
            host: IpAddr::from([127, 0, 0, 1]),
            port: 0,
            inbound_token: None,
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            commit_after: Duration::from_secs(1),
            ping_interval: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(5),
            first_byte_timeout: None,
            stall_timeout: Some(Duration::from_secs(120)),
            header_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(60),
            max_body_bytes: 64 << 20,
            worker_threads: None,
        }
    }
}

impl Config {
    /// Reads settings from a JSON object.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] that names the key and what it takes.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        let fail = |what: String| Error::new(ErrorKind::Config, format!("config: {what}"));
        // Read into a struct, a list would pass for the values of its fields.
        if !json.trim_ascii_start().starts_with(b"{") {
            return Err(fail("must be a JSON object".to_owned()));
        }
        let mut reader = serde_json::Deserializer::from_slice(json);
        let config = serde_path_to_error::deserialize(&mut reader)
            .map_err(|error| fail(format!("{}: {}", error.path(), error.inner())))?;
        reader.end().map_err(|error| fail(error.to_string()))?;
        Ok(config)
    }

    /// Checks what types cannot.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] that names the setting and the fix.
    pub fn validate(&self) -> Result<()> {
        let fail = |message: &str| Err(Error::new(ErrorKind::Config, message));
        if !self.host.is_loopback() && self.inbound_token.is_none() {
            return fail("host: an address that others can reach needs inbound_token, or host 127.0.0.1");
        }
        if self.inbound_token.as_ref().is_some_and(|token| token.expose().is_empty()) {
            return fail("inbound_token: it is empty; set a token, or leave it out");
        }
        if self.ping_interval < Duration::from_millis(10) {
            return fail("ping_interval: at least 10ms");
        }
        if self.max_body_bytes < 1024 {
            return fail("max_body_bytes: at least 1024, a request has to fit");
        }
        Ok(())
    }
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    humantime::parse_duration(&text)
        .map_err(|error| de::Error::custom(format_args!("{text:?} is no duration such as \"2s\": {error}")))
}

fn optional_duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    if text == "off" {
        return Ok(None);
    }
    humantime::parse_duration(&text).map(Some).map_err(|error| {
        de::Error::custom(format_args!("{text:?} is neither \"off\" nor a duration such as \"2s\": {error}"))
    })
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
            (r#"{"bakcend":"x"}"#, "unknown field `bakcend`"),
            (r#"{"commit_after":"soon"}"#, "commit_after: \"soon\" is no duration"),
            (r#"{"port":"x"}"#, "port:"),
            ("[]", "must be a JSON object"),
            ("{} {}", "trailing characters"),
        ] {
            let error = Config::from_json(json.as_bytes()).unwrap_err();
            assert!(error.message().contains(words), "{error}");
        }
    }

    #[test]
    fn a_reachable_address_needs_a_token() {
        let mut config = Config { host: IpAddr::from([0, 0, 0, 0]), ..Config::default() };
        assert!(config.validate().unwrap_err().message().starts_with("host:"));
        config.inbound_token = Some(Secret::new("t"));
        assert!(config.validate().is_ok());
    }
}
