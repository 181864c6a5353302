//! One file a command.

mod backend;
mod bench;
mod claude;
mod config;
mod convert;
mod doctor;
mod live;
mod models;
mod parse_tools;
mod serve;
mod status;
mod switch;
mod trace;
mod why_miss;

use crate::args::{Args, BenchCommand, Command, ConfigCommand, TraceCommand};
use crate::failure::Failure;

/// Runs what the arguments say.
pub(crate) fn run(args: Args) -> Result<u8, Failure> {
    let Some(command) = args.command else { return claude::launch_or_serve(&args.proxy) };
    match command {
        Command::Serve(proxy) => serve::run(&proxy),
        Command::Claude(launch) => return claude::run(&launch),
        Command::Use(choice) => switch::run(&choice),
        Command::Status(output) => status::run(output),
        Command::Models(look) => models::run(&look),
        Command::Doctor(doctor) => doctor::run(&doctor),
        Command::Bench(bench) => match bench.command {
            BenchCommand::Prefix(prefix) => bench::prefix(&prefix),
        },
        Command::Config(config) => match config.command {
            ConfigCommand::Check(look) => config::check(&look),
            ConfigCommand::Show(look) => config::show(&look),
            ConfigCommand::Schema(_) => config::schema(),
        },
        Command::Trace(trace) => match trace.command {
            TraceCommand::List(look) => trace::list(&look),
            TraceCommand::Show(file) => trace::show(&file),
            TraceCommand::Replay(replay) => trace::replay(&replay),
        },
        Command::WhyMiss(args) => why_miss::run(&args),
        Command::Translate(file) => convert::translate(&file),
        Command::Stream(file) => convert::stream(&file),
        Command::ParseTools(args) => parse_tools::run(&args),
    }?;
    Ok(0)
}
