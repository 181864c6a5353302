//! The text of documents, read off the async threads.

use std::sync::Arc;

use crate::translate::DocumentText;

/// Reads PDF documents, with a cache; knows nothing without the feature `pdf`.
#[derive(Debug)]
pub(super) struct Documents {
    #[cfg(feature = "pdf")]
    cache: crate::pdf::PdfCache,
}

impl Documents {
    #[cfg(not(feature = "pdf"))]
    pub(super) fn new() -> Self {
        Documents {}
    }

    /// Whether a body may hold a document that takes time to read.
    pub(super) fn wanted(body: &[u8]) -> bool {
        cfg!(feature = "pdf") && memchr::memmem::find(body, b"application/pdf").is_some()
    }
}

#[cfg(not(feature = "pdf"))]
impl DocumentText for Documents {
    fn text(&self, _media_type: &str, _base64: &str) -> Option<Result<Arc<str>, String>> {
        None
    }
}
