//! The command line of anyclaude, as a library so that other doors can offer it too.

mod args;
mod commands;
mod control;
mod failure;
mod json;
mod log;
mod output;
mod runtime;
mod settings;

use std::ffi::OsString;

use clap::Parser;

/// Runs the command line and gives its exit code; the first argument is the program's name.
///
/// Signals are handled while it runs: a program with handlers of its own, as Python has them, puts them away before.
///
/// Exit codes: 0 for success, 1 for a failure, 2 for arguments or settings that make no sense; that of Claude
/// Code where it was launched.
pub fn run(args: impl IntoIterator<Item = OsString>) -> u8 {
    let args = match args::Args::try_parse_from(args) {
        Ok(args) => args,
        Err(error) => {
            // Help and version are "errors" too, with exit code 0.
            let code = u8::try_from(error.exit_code()).unwrap_or(2);
            return if error.print().is_ok() { code } else { FAILED };
        }
    };
    match commands::run(args) {
        Ok(code) => code,
        Err(failure) => {
            if !failure.is_told() {
                output::error(&failure);
            }
            failure.code
        }
    }
}

/// What could not even be printed.
const FAILED: u8 = 1;
