//! Tool calls and thinking that models write as text.
//!
//! [`ToolParser`] takes what a model writes, as it comes, and gives [`Piece`]s: text, thinking and calls. What only
//! looks like a call is text, byte for byte. The formats are data, one file each; the readers of payloads that they
//! share are written once.

mod arguments;
#[cfg(feature = "schemas")]
pub(crate) mod check;
mod choice;
mod collect;
mod format;
mod formats;
mod given;
mod json;
mod lead;
mod live;
mod out;
mod parser;
mod payload;
pub(crate) mod schema;
mod setting;

pub use choice::Chosen;
pub(crate) use choice::Selection;
pub use collect::{Collector, Parsed, parse};

pub use arguments::NativeArguments;
pub(crate) use format::CallIds;
pub use format::Format;
pub use formats::{by_name, for_model, formats};
pub use given::{Choice, read_tools};
pub use out::Piece;
pub(crate) use out::{Keeps, Voice};
pub use parser::ToolParser;
pub use setting::ToolFormat;
