//! Tool calls and thinking that models write as text.
//!
//! [`ToolParser`] takes what a model writes, as it comes, and gives [`Piece`]s: text, thinking and calls. What only
//! looks like a call is text, byte for byte. The formats are data, one file each; the readers of payloads that they
//! share are written once.

mod arguments;
#[cfg(feature = "schemas")]
pub(crate) mod check;
mod format;
mod formats;
mod json;
mod lead;
mod live;
mod out;
mod parser;
mod payload;
pub(crate) mod schema;

pub use arguments::NativeArguments;
pub use format::Format;
pub use formats::{by_name, for_model, formats};
pub use out::Piece;
pub use parser::{Choice, Collector, Parsed, ToolParser, parse};
