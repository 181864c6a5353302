//! Anthropic requests become requests for a backend, and whole answers come back.

pub(crate) mod backend_error;
mod body;
#[cfg(feature = "schemas")]
mod check_calls;
mod class;
mod content;
mod context;
mod conversation;
#[cfg(feature = "proxy")]
pub(crate) mod demo;
pub(crate) mod estimate;
mod identity;
mod learning;
mod memory;
mod messages;
pub(crate) mod model;
#[cfg(feature = "proxy")]
mod named_model;
mod native;
mod notes;
mod offered_tools;
mod own_thinking;
mod parameters;
mod parts;
mod relax;
mod replay;
mod request;
mod settings;
mod system;
mod tools;
mod volatile;

pub use backend_error::{
    BackendFailure, RefusedParameter, StreamFailure, classify, classify_stream_error, refused_parameter,
};
#[cfg(feature = "schemas")]
pub use check_calls::CallProblem;
pub use class::{Hints, RequestClass};
pub use content::{DocumentText, NoDocuments};
pub use context::{RequestContext, ToolNames};
pub use estimate::count_tokens;
pub use model::{LOCAL_MODEL, is_claude_name};
#[cfg(feature = "proxy")]
pub(crate) use named_model::{named_model, with_model};
pub use notes::{Note, NoteKind};
pub use own_thinking::cut_own_thinking;
pub use request::{Options, RequestMeta, Translated, Translator};
