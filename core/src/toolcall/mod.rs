//! Tool calls and thinking that models write as text.

mod arguments;
mod json;
mod lead;
mod literal;
mod out;
mod payload;
mod schema;

pub use out::Piece;
