//! The Python door of anyclaude: converts, calls one function of the core, converts back.
//!
//! Users import the package `anyclaude` around this module; `_native.pyi` describes it. Nothing is started
//! when it is loaded, so that a `fork` may follow; only `start_proxy` and `run` have threads and sockets, and
//! none of their threads ever calls into Python.

#[cfg(panic = "abort")]
compile_error!("the Python module needs panic = \"unwind\": a panic must become an exception");

mod cli;
mod clock;
mod context;
mod errors;
mod exchange;
mod interpreter;
mod json;
mod prefix_index;
mod proxy;
mod seed;
mod stream;
mod toolcall;
mod translate;

#[pyo3::pymodule(gil_used = false)]
mod _native {
    #[pymodule_export]
    use crate::cli::run;
    #[pymodule_export]
    use crate::context::RequestContext;
    #[pymodule_export]
    use crate::errors::_panic;
    #[pymodule_export]
    use crate::exchange::{Exchange, MessagesApi, Reply};
    #[pymodule_export]
    use crate::interpreter::_detach_from;
    #[pymodule_export]
    use crate::prefix_index::PrefixIndex;
    #[pymodule_export]
    use crate::proxy::{Proxy, start_proxy};
    #[pymodule_export]
    use crate::stream::StreamConverter;
    #[pymodule_export]
    use crate::toolcall::{ToolParser, parse_tools, tool_formats};
    #[pymodule_export]
    use crate::translate::{Translated, Translator};

    #[pymodule_export]
    const COMMIT_AFTER: f64 = crate::exchange::COMMIT_AFTER;
    #[pymodule_export]
    const PING_INTERVAL: f64 = crate::exchange::PING_INTERVAL;
    #[pymodule_export]
    const STALL_TIMEOUT: f64 = crate::exchange::STALL_TIMEOUT;
    #[pymodule_export]
    const MAX_BODY_BYTES: usize = crate::exchange::MAX_BODY_BYTES;
    #[pymodule_export]
    const MAX_ANSWER_BYTES: usize = crate::exchange::MAX_ANSWER_BYTES;
    #[pymodule_export]
    const MAX_ERROR_BYTES: usize = crate::exchange::MAX_ERROR_BYTES;
    #[pymodule_export]
    #[expect(non_upper_case_globals, reason = "as Python writes it")]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}
