//! The Python door of anyclaude: converts, calls one function of the core, converts back.
//!
//! Users import the package `anyclaude` around this module; `_native.pyi` describes it. No runtime is
//! in here, no thread and no socket, so that the module may be loaded before a `fork`.

#[cfg(panic = "abort")]
compile_error!("the Python module needs panic = \"unwind\": a panic must become an exception");

mod context;
mod errors;
mod json;
mod seed;
mod stream;
mod toolcall;
mod translate;

#[pyo3::pymodule(gil_used = false)]
mod _native {
    #[pymodule_export]
    use crate::context::RequestContext;
    #[pymodule_export]
    use crate::errors::_panic;
    #[pymodule_export]
    use crate::stream::StreamConverter;
    #[pymodule_export]
    use crate::toolcall::{ToolParser, parse_tools, tool_formats};
    #[pymodule_export]
    use crate::translate::{Translated, Translator};

    #[pymodule_export]
    #[expect(non_upper_case_globals, reason = "as Python writes it")]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}
