//! How Claude Code is started for this proxy: its environment and arguments, as values.
//!
//! Nothing is spawned here; that is for the program, which owns the terminal and the signals.

mod command;
mod settings;

pub use command::{Launch, PLACEHOLDER_TOKEN, TOKEN_HEADER};
pub use settings::{Override, chooses_mode, files, overrides};
