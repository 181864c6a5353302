//! Arguments. The settings among them are made from the core's list, so that no flag can be forgotten.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand};

use crate::settings::Flags;

/// Claude Code on any local model server.
///
/// Without a command: launches Claude Code, if this is a terminal, Claude Code is installed and a model
/// server is found; otherwise serves.
#[derive(Debug, Parser)]
#[command(name = "anyclaude", version, about, max_term_width = 100, args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    #[command(flatten)]
    pub(crate) proxy: Proxy,
}

/// What a proxy is started with.
#[derive(Debug, Default, ClapArgs)]
pub(crate) struct Proxy {
    #[command(flatten)]
    pub(crate) flags: Flags,

    /// Log more: -v for every request, -vv for what was dropped or renamed.
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the proxy until a signal.
    Serve(Proxy),
    /// Launch Claude Code with a proxy of its own.
    Claude(Claude),
    /// Give a running proxy another backend; Claude Code goes on as it is.
    Use(Use),
    /// Show the proxies that are running.
    Status(Output),
    /// Show the models of the backend.
    Models(Look),
    /// Find out what is there, what is wrong and what to do.
    Doctor(Doctor),
    /// Measure how much of a prompt the server need not read again.
    Bench(Bench),
    /// Check, show or describe the settings.
    Config(Config),
    /// Look at the traces of requests.
    Trace(Trace),
    /// Tell what prompts shared with those before them, where they differ, and why.
    WhyMiss(WhyMiss),
    /// Print the chat-completions request for a Messages request.
    Translate(Convert),
    /// Print the Messages stream for a chat-completions stream.
    Stream(Convert),
    /// Print the text, the thinking and the tool calls in what a model has written.
    ParseTools(ParseTools),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Claude {
    #[command(flatten)]
    pub(crate) proxy: Proxy,

    /// Claude Code's own arguments.
    #[arg(last = true, value_name = "ARGS")]
    pub(crate) args: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, ClapArgs)]
pub(crate) struct Output {
    /// Print JSON, for programs.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Use {
    /// The kind of server: one of the words of `--backend`.
    pub(crate) kind: String,

    /// Where it is; by default where its kind usually listens.
    #[arg(long, value_name = "URL")]
    pub(crate) backend_url: Option<String>,

    /// Its model for requests that ask for a Claude model.
    #[arg(long)]
    pub(crate) model: Option<String>,

    /// Use the server's own Messages API instead of chat completions.
    #[arg(long, value_name = "API", value_parser = ["chat", "messages"])]
    pub(crate) backend_api: Option<String>,

    /// How its model gets its tools.
    #[arg(long, value_name = "HOW", value_parser = ["auto", "on", "text", "off"])]
    pub(crate) tools: Option<String>,

    /// Which format of tool calls is looked for in its text: `auto`, `off` or a format's name.
    #[arg(long, value_name = "FORMAT")]
    pub(crate) tool_format: Option<String>,

    /// Whether its prompts end in the marker that opens thinking.
    #[arg(long, value_name = "WHETHER", value_parser = ["auto", "on", "off"])]
    pub(crate) prompt_opens_thinking: Option<String>,

    /// Whether it is asked for streams.
    #[arg(long, value_name = "WHETHER", value_parser = ["auto", "on", "off"])]
    pub(crate) backend_stream: Option<String>,

    /// The environment variable that holds its key. By default none is sent, but to Anthropic's own address that
    /// of ANTHROPIC_API_KEY, and to the server that the settings name its own.
    #[arg(long, value_name = "NAME")]
    pub(crate) key_env: Option<String>,

    /// The proxy to switch, where several are running.
    #[arg(long, value_name = "URL")]
    pub(crate) proxy: Option<String>,

    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Look {
    #[command(flatten)]
    pub(crate) flags: Flags,

    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) flags: Flags,

    /// Let the backend answer, call a tool, stream, cancel and repeat a prompt.
    #[arg(long)]
    pub(crate) live: bool,

    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Bench {
    #[command(subcommand)]
    pub(crate) command: BenchCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// Send what a Claude Code with subagents sends, and see how soon the answers begin.
    Prefix(Prefix),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Prefix {
    #[command(flatten)]
    pub(crate) flags: Flags,

    /// How often everything is measured; medians are shown.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=100))]
    pub(crate) rounds: u64,

    /// About how many tokens the first prompt has.
    #[arg(long, value_name = "N", default_value_t = 7_700, value_parser = clap::value_parser!(u64).range(2_000..=1_000_000))]
    pub(crate) tokens: u64,

    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Config {
    #[command(subcommand)]
    pub(crate) command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Say whether the settings make sense.
    Check(Look),
    /// Show each setting and where it comes from.
    Show(Look),
    /// Print the JSON Schema of the settings, for editors.
    Schema(Output),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Trace {
    #[command(subcommand)]
    pub(crate) command: TraceCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TraceCommand {
    /// List the traces, newest first.
    List(Look),
    /// Show a trace.
    Show(TraceFile),
    /// Send the recorded request again, or convert the recorded answer again.
    Replay(Replay),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct TraceFile {
    /// The file, or the name or request id that `trace list` shows; `last` is the newest.
    pub(crate) file: PathBuf,

    #[command(flatten)]
    pub(crate) look: Look,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Replay {
    #[command(flatten)]
    pub(crate) file: TraceFile,

    /// Convert the recorded answer of the backend again; nothing is sent.
    #[arg(long)]
    pub(crate) offline: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct WhyMiss {
    /// The session, by the beginning of its id; by default all of them.
    #[arg(default_value = "")]
    pub(crate) session: String,

    /// Show every request, not only those that were read again.
    #[arg(long)]
    pub(crate) all: bool,

    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Convert {
    /// The file to read; `-` is standard input.
    pub(crate) file: PathBuf,

    /// The kind of server that the request is for, or that the stream is from.
    #[arg(long, default_value = "openai")]
    pub(crate) backend: String,

    /// The server's model for requests that ask for a Claude model.
    #[arg(long)]
    pub(crate) model: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ParseTools {
    /// The only format to look for.
    #[arg(long, conflicts_with = "model")]
    pub(crate) format: Option<String>,

    /// The model that wrote the text: its formats are looked for first.
    #[arg(long)]
    pub(crate) model: Option<String>,

    /// A file with the tool definitions of the request, a JSON array; without tools there are no calls.
    #[arg(long, value_name = "FILE")]
    pub(crate) tools: Option<PathBuf>,

    /// Feed so many characters at a time, as a stream would.
    #[arg(long, value_name = "N")]
    pub(crate) chunk: Option<NonZeroUsize>,

    /// The prompt ended in the marker that opens thinking.
    #[arg(long)]
    pub(crate) prompt_opens_thinking: bool,
}
