//! Anthropic requests become requests for a backend, and whole answers come back.

pub(crate) mod backend_error;
mod body;
mod call_ids;
#[cfg(feature = "schemas")]
mod check_calls;
mod class;
mod content;
mod context;
mod conversation;
#[cfg(feature = "proxy")]
pub(crate) mod demo;
pub(crate) mod estimate;
mod habits;
mod identity;
mod inline_thinking;
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
mod prompt_tools;
mod recovery;
mod relax;
mod replay;
mod request;
mod settings;
mod supply;
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
pub(crate) use offered_tools::OfferedTools;
pub use own_thinking::cut_own_thinking;
pub use recovery::ToolPlan;
pub use request::{Options, RequestMeta, Translated, Translator};
pub use supply::ToolSupply;
