//! Arguments.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as ClapArgs, Parser, Subcommand};

/// Claude Code on any local model server.
#[derive(Debug, Parser)]
#[command(name = "anyclaude", version, about, max_term_width = 100)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the proxy (what happens without a command, too).
    Serve(Box<Serve>),
    /// Print the chat-completions request for a Messages request.
    Translate(Convert),
    /// Print the Messages stream for a chat-completions stream.
    Stream(Convert),
}

impl Default for Command {
    fn default() -> Self {
        Command::Serve(Box::default())
    }
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Serve {
    /// The kind of server behind the proxy: openai, mlx-lm, llama.cpp or demo.
    #[arg(long, env = "ANYCLAUDE_BACKEND", default_value = "demo")]
    pub(crate) backend: String,

    /// Where that server is, e.g. http://127.0.0.1:8080/v1. By default where its kind usually listens.
    #[arg(long, env = "ANYCLAUDE_BACKEND_URL", value_name = "URL")]
    pub(crate) backend_url: Option<String>,

    /// The server's model for requests that ask for a Claude model. By default the loaded one.
    #[arg(long, env = "ANYCLAUDE_MODEL")]
    pub(crate) model: Option<String>,

    /// The address to listen on. Others than loopback need an inbound token.
    #[arg(long, env = "ANYCLAUDE_HOST", default_value = "127.0.0.1", value_name = "ADDRESS")]
    pub(crate) host: IpAddr,

    /// The port to listen on; 0 for any free one.
    #[arg(long, env = "ANYCLAUDE_PORT", default_value_t = DEFAULT_PORT)]
    pub(crate) port: u16,

    /// The most tokens that any answer may have.
    #[arg(long, env = "ANYCLAUDE_MAX_OUTPUT_TOKENS", value_name = "TOKENS")]
    pub(crate) max_output_tokens: Option<u64>,

    /// The environment variable that holds the token clients must send.
    #[arg(long, value_name = "NAME")]
    pub(crate) inbound_token_env: Option<String>,

    /// A Host header to take beside those of loopback; may be given again.
    #[arg(long, value_name = "HOST")]
    pub(crate) allowed_host: Vec<String>,

    /// An Origin header (a web page) to take; may be given again.
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) allowed_origin: Vec<String>,

    /// How long a stream may wait for the server before its head is sent.
    #[arg(long, default_value = "1s", value_parser = humantime::parse_duration, value_name = "TIME")]
    pub(crate) commit_after: Duration,

    /// How often a silent stream gets a ping.
    #[arg(long, default_value = "5s", value_parser = humantime::parse_duration, value_name = "TIME")]
    pub(crate) ping_interval: Duration,

    /// How long connecting to the server may take.
    #[arg(long, default_value = "5s", value_parser = humantime::parse_duration, value_name = "TIME")]
    pub(crate) connect_timeout: Duration,

    /// How long the server may be silent before its first byte. By default for ever.
    #[arg(long, value_parser = humantime::parse_duration, value_name = "TIME")]
    pub(crate) first_byte_timeout: Option<Duration>,

    /// How long the server may be silent in the middle of an answer; 0s is for ever.
    #[arg(long, default_value = "120s", value_parser = humantime::parse_duration, value_name = "TIME")]
    pub(crate) stall_timeout: Duration,

    /// How long a client may take to send the head of a request.
    #[arg(long, default_value = "30s", value_parser = humantime::parse_duration, value_name = "TIME")]
    pub(crate) header_timeout: Duration,

    /// How long a client may take to send a body.
    #[arg(long, default_value = "60s", value_parser = humantime::parse_duration, value_name = "TIME")]
    pub(crate) body_timeout: Duration,

    /// The largest request body that is taken, in MiB.
    #[arg(long, default_value_t = 64, value_name = "MIB", value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub(crate) max_body_mib: u16,

    /// Log more: -v for every request, -vv for what was dropped or renamed.
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// Where the proxy listens unless told otherwise.
pub(crate) const DEFAULT_PORT: u16 = 4141;

impl Default for Serve {
    /// What `anyclaude serve` means, environment included.
    fn default() -> Self {
        match Args::try_parse_from(["anyclaude", "serve"]).map(|args| args.command) {
            Ok(Some(Command::Serve(serve))) => *serve,
            Ok(_) => unreachable!("the arguments name the command"),
            Err(error) => error.exit(),
        }
    }
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Convert {
    /// The file to read; `-` is standard input.
    pub(crate) file: PathBuf,

    /// The kind of server that the request is for, or that the stream is from.
    #[arg(long, env = "ANYCLAUDE_BACKEND", default_value = "openai")]
    pub(crate) backend: String,

    /// The server's model for requests that ask for a Claude model.
    #[arg(long, env = "ANYCLAUDE_MODEL")]
    pub(crate) model: Option<String>,
}
