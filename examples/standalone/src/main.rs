//! The program `anyclaude`.

use std::process::ExitCode;

fn main() -> ExitCode {
    anyclaude::run(std::env::args_os())
}
