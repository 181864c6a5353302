//! Claude Code, and every other client of the Anthropic Messages API, on any local model server.
//!
//! ```text
//!  client                          anyclaude-core                                backend
//!  POST /v1/messages  ──────▶  wire ▶ translate  ─────────────▶  POST /v1/chat/completions
//!  event stream       ◀──────  encode ◀ event ◀ decode  ◀──────  event stream
//! ```
//!
//! A server that has the Messages API itself can be asked by it ([`Dialect::Messages`]): the request is
//! cleaned up and the answer put in order just the same.
//!
//! The core is pure: bytes in, values out; the clock, ids and randomness are arguments.
//! [`Translator`] turns requests, [`StreamConverter`] turns answers while they stream. The feature
//! `proxy` adds [`start_proxy`], which puts both behind a socket; without default features no runtime
//! is in the dependency tree.
//!
//! # A request there and back
//! ```
//! use anyclaude_core::{Options, RequestMeta, StreamConverter, Translator, backend};
//!
//! let translator = Translator::new(*backend::by_name("mlx-lm")?, Options::default());
//! let request = br#"{"model":"claude-opus-5-5","max_tokens":100,"stream":true,
//!                    "messages":[{"role":"user","content":"Say hello"}]}"#;
//! let translated = translator.request_json(request, &RequestMeta::default())?;
//! // ... send translated.body to the backend, then feed what it answers:
//! let mut converter = StreamConverter::new(translated.context);
//! let mut out = Vec::new();
//! converter.push(b"data: {\"choices\":[{\"delta\":{\"content\":\"Hello\"}}]}\n\n", &mut out);
//! assert!(out.starts_with(b"event: message_start\n"));
//! # Ok::<(), anyclaude_core::Error>(())
//! ```
//!
//! # Ends
//! How a stream that the backend breaks off ends for the client. "Error" is an HTTP status while
//! nothing has been committed, and an `error` event afterwards: the client then tries again by itself.
//! An answer whose finish reason has come is complete, whatever happens to the connection.
//!
//! | what was sent | stream closed early | connection reset | silence | error object |
//! | --- | --- | --- | --- | --- |
//! | nothing | error | error | pings go on | error |
//! | thinking | error | error | error | error |
//! | text | error | error | error | error |
//! | a call, not all of its arguments | error | error | error | error |
//! | calls, all complete | `tool_use` | `tool_use` | `tool_use` | `tool_use` |

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::expect_used))]

pub mod backend;
pub mod cache;
mod decode;
mod door;
mod encode;
mod error;
mod event;
pub mod exchange;
mod ids;
pub mod launch;
#[cfg(feature = "pdf")]
pub mod pdf;
pub mod prefix;
#[cfg(feature = "proxy")]
pub mod proxy;
mod recover;
mod secret;
mod session;
mod stream;
pub mod toolcall;
mod translate;
pub mod wire;

pub use door::{JsonToolParser, RequestFacts, parse_tools_json, prefix_reports_json, tool_formats_json};
pub use encode::SIGNATURE;
pub use error::{Error, ErrorKind, Origin, Result};
pub use ids::Seed;
#[cfg(feature = "proxy")]
pub use proxy::{Config, ProxyHandle, blocking, start_proxy};
pub use secret::Secret;
pub use session::{MAX_SESSIONS, SessionKey, Timestamp, ToolCallRecord, TurnRecord};
pub use stream::{Progress, StreamConverter};
#[cfg(feature = "schemas")]
pub use translate::CallProblem;
pub use translate::{
    BackendFailure, DocumentText, Hints, LOCAL_MODEL, NoDocuments, Note, NoteKind, Options, RefusedParameter,
    RequestClass, RequestContext, RequestMeta, StreamFailure, ToolNames, ToolPlan, ToolSupply, Translated, Translator,
    classify, classify_stream_error, count_tokens, cut_own_thinking, is_claude_name, refused_parameter,
};
pub use wire::Dialect;

/// The README's examples are tests.
#[cfg(all(doctest, feature = "proxy"))]
#[doc = include_str!("../../README.md")]
struct Readme;
