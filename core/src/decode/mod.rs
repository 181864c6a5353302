//! A backend's bytes become [`Event`](crate::event::Event)s.

mod arguments;
mod chat;
mod tool_calls;

pub(crate) use chat::ChatDecoder;
