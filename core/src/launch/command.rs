//! Environment and arguments.

use crate::backend::Model;
use crate::translate::{LOCAL_MODEL, is_claude_name};

/// The token that a client without a real one sends: Claude Code wants to have one.
pub const PLACEHOLDER_TOKEN: &str = "anyclaude";

/// A header that shows the proxy its token where `Authorization` and `X-Api-Key` are the client's own login.
/// It is never passed on.
pub const TOKEN_HEADER: &str = "x-anyclaude-token";

/// With one of these Claude Code talks to a cloud provider and takes no notice of the base URL.
const OTHER_PROVIDERS: [&str; 3] = ["CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX", "CLAUDE_CODE_USE_FOUNDRY"];

/// How long Claude Code waits for an answer that is not streamed, in milliseconds (an hour): a long prompt
/// on a slow machine takes many minutes, and asking again begins them anew.
const ANSWER_TIMEOUT_MS: &str = "3600000";

/// How long a stream may be silent, in milliseconds. The proxy's pings come far sooner.
const IDLE_TIMEOUT_MS: &str = "600000";

/// What Claude Code is launched for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Launch<'a> {
    /// The proxy's address, without `/v1`.
    pub base_url: &'a str,
    /// What the proxy wants to be shown; anything will do when it is `None`.
    pub token: Option<&'a str>,
    /// The proxy passes requests on to Anthropic: the client's own login and models stay.
    pub passes_through: bool,
    /// The proxy has a key of its own for where it passes requests on: the client needs no login.
    pub has_key: bool,
    /// `ANTHROPIC_CUSTOM_HEADERS` as the user has set it.
    pub custom_headers: Option<&'a str>,
    /// `NO_PROXY` as the user has set it.
    pub no_proxy: Option<&'a str>,
    /// The model that answers, as far as it is known.
    pub model: Option<&'a Model>,
    /// The most tokens that prompt and answer may have together.
    pub window: Option<u64>,
}

impl Launch<'_> {
    /// The model name that Claude Code is told. It takes a window for names that do not look like one of
    /// Anthropic's, and for those only.
    pub fn model_name(&self) -> &str {
        let name = self.model.map_or("", Model::short_name);
        if name.is_empty() || is_claude_name(name) { LOCAL_MODEL } else { name }
    }

    /// The variables to set, beside those that are there.
    ///
    /// `CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK` is not among them: without that second try Claude Code ends a turn
    /// whose stream broke, and no call can run twice, because a stream that has told a whole call never ends in an
    /// error here.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let mut all = vec![("ANTHROPIC_BASE_URL", self.base_url.to_owned())];
        let mut set = |name, value: &str| all.push((name, value.to_owned()));
        // This proxy is on this machine; a proxy to the world cannot reach it.
        let direct = self.no_proxy();
        set("NO_PROXY", &direct);
        set("no_proxy", &direct);
        if !self.passes_through || self.has_key {
            set("ANTHROPIC_AUTH_TOKEN", self.token.unwrap_or(PLACEHOLDER_TOKEN));
            // A key beside the token makes Claude Code ask which one is meant.
            set("ANTHROPIC_API_KEY", "");
        } else if let Some(token) = self.token {
            // The place of the token is taken by the user's login.
            let own = self.custom_headers.filter(|own| !own.is_empty()).map(|own| format!("{own}\n"));
            set("ANTHROPIC_CUSTOM_HEADERS", &format!("{}{TOKEN_HEADER}: {token}", own.unwrap_or_default()));
        }
        if self.passes_through {
            return all;
        }
        for name in [
            "ANTHROPIC_MODEL",
            "ANTHROPIC_DEFAULT_OPUS_MODEL",
            "ANTHROPIC_DEFAULT_SONNET_MODEL",
            "ANTHROPIC_DEFAULT_HAIKU_MODEL",
            "CLAUDE_CODE_SUBAGENT_MODEL",
        ] {
            set(name, self.model_name());
        }
        if let Some(window) = self.window {
            for name in ["CLAUDE_CODE_MAX_CONTEXT_TOKENS", "CLAUDE_CODE_AUTO_COMPACT_WINDOW"] {
                set(name, &window.to_string());
            }
        }
        // Texts that change from request to request, or session to session, and cost the server its cache.
        set("CLAUDE_CODE_ATTRIBUTION_HEADER", "0");
        set("CLAUDE_CODE_TOTAL_TOKENS_REMINDER", "off");
        // What each request is for, which the proxy may use.
        set("CLAUDE_CODE_GATEWAY_HINT_HEADERS", "1");
        set("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1");
        set("API_TIMEOUT_MS", ANSWER_TIMEOUT_MS);
        set("CLAUDE_STREAM_IDLE_TIMEOUT_MS", IDLE_TIMEOUT_MS);
        all
    }

    /// Variables to take away: they would send Claude Code past the proxy.
    pub fn removed(&self) -> &'static [&'static str] {
        &OTHER_PROVIDERS
    }

    fn no_proxy(&self) -> String {
        let own = self.no_proxy.unwrap_or("");
        let mut all: Vec<&str> = own.split(',').map(str::trim).filter(|host| !host.is_empty()).collect();
        for host in ["127.0.0.1", "localhost", "::1"] {
            if !all.contains(&host) && !all.contains(&"*") {
                all.push(host);
            }
        }
        all.join(",")
    }

    /// The user's arguments, behind what they leave open. Claude Code's own default, `auto`, asks Anthropic
    /// to judge each tool call, which no local model can.
    pub fn arguments(&self, given: &[String], mode_is_set: bool) -> Vec<String> {
        let chosen = |arg: &String| {
            arg == "--permission-mode"
                || arg.starts_with("--permission-mode=")
                || arg.ends_with("dangerously-skip-permissions")
        };
        let mut all = Vec::with_capacity(given.len() + 2);
        if !self.passes_through && !mode_is_set && !given.iter().any(chosen) {
            all.extend(["--permission-mode".to_owned(), "default".to_owned()]);
        }
        all.extend_from_slice(given);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(launch: &Launch<'_>, name: &str) -> Option<String> {
        launch.environment().into_iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    #[test]
    fn the_window_goes_with_a_name_that_is_not_claudes() {
        let model = Model::named("/models/qwen3-coder");
        let launch = Launch { model: Some(&model), window: Some(65536), ..Launch::default() };
        assert_eq!(value(&launch, "ANTHROPIC_MODEL").unwrap(), "qwen3-coder");
        assert_eq!(value(&launch, "CLAUDE_CODE_MAX_CONTEXT_TOKENS").unwrap(), "65536");
        let tune = Model::named("claude-tune");
        assert_eq!(Launch { model: Some(&tune), ..launch }.model_name(), "local");
        assert_eq!(Launch::default().model_name(), "local");
        assert_eq!(value(&Launch::default(), "CLAUDE_CODE_MAX_CONTEXT_TOKENS"), None);
    }

    #[test]
    fn a_login_at_anthropic_stays() {
        let launch = Launch { base_url: "http://x", passes_through: true, ..Launch::default() };
        let names: Vec<&str> = launch.environment().iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["ANTHROPIC_BASE_URL", "NO_PROXY", "no_proxy"]);
        assert!(launch.arguments(&[], false).is_empty());
        let guarded = Launch { token: Some("t"), custom_headers: Some("X-A: 1"), ..launch };
        assert_eq!(value(&guarded, "ANTHROPIC_CUSTOM_HEADERS").unwrap(), "X-A: 1\nx-anyclaude-token: t");
        assert_eq!(value(&guarded, "ANTHROPIC_AUTH_TOKEN"), None);
        let keyed = Launch { has_key: true, ..launch };
        assert_eq!(value(&keyed, "ANTHROPIC_AUTH_TOKEN").unwrap(), PLACEHOLDER_TOKEN);
    }

    #[test]
    fn the_users_exceptions_from_their_proxy_stay() {
        let with = |own| value(&Launch { no_proxy: own, ..Launch::default() }, "NO_PROXY").unwrap();
        assert_eq!(with(None), "127.0.0.1,localhost,::1");
        assert_eq!(with(Some("intern.example, localhost")), "intern.example,localhost,127.0.0.1,::1");
        assert_eq!(with(Some("*")), "*");
    }

    #[test]
    fn the_mode_is_the_users_where_there_is_one() {
        let launch = Launch::default();
        let arguments = |given: &[&str], set| {
            launch.arguments(&given.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>(), set).join(" ")
        };
        assert_eq!(arguments(&["-p", "hi"], false), "--permission-mode default -p hi");
        for given in ["--permission-mode plan", "--permission-mode=acceptEdits", "--dangerously-skip-permissions"] {
            assert_eq!(arguments(&given.split(' ').collect::<Vec<_>>(), false), given);
        }
        assert_eq!(arguments(&[], true), "");
    }
}
