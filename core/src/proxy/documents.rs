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
    pub(super) fn new() -> Self {
        Documents {
            #[cfg(feature = "pdf")]
            cache: crate::pdf::PdfCache::new(MAX_CACHE_BYTES),
        }
    }

    /// Whether a body may hold a document that takes time to read.
    pub(super) fn wanted(body: &[u8]) -> bool {
        cfg!(feature = "pdf") && memchr::memmem::find(body, b"application/pdf").is_some()
    }
}

#[cfg(feature = "pdf")]
impl DocumentText for Documents {
    fn text(&self, media_type: &str, base64: &str) -> Option<Result<Arc<str>, String>> {
        use base64::Engine as _;
        if media_type != "application/pdf" {
            return None;
        }
        let Ok(bytes) = base64::engine::general_purpose::STANDARD.decode(base64) else {
            return Some(Err("its base64 is not sound".to_owned()));
        };
        let read = self.cache.get_or_extract(&bytes, crate::pdf::PdfLimits::default(), PATIENCE);
        Some(read.map(|pdf| Arc::from(pdf.text.as_str())).map_err(|error| error.to_string()))
    }
}

#[cfg(not(feature = "pdf"))]
impl DocumentText for Documents {
    fn text(&self, _media_type: &str, _base64: &str) -> Option<Result<Arc<str>, String>> {
        None
    }
}

/// The most text kept: a conversation sends its documents again with every turn.
#[cfg(feature = "pdf")]
const MAX_CACHE_BYTES: usize = 16 << 20;

/// How long one document may take. The client's stream has no head yet, so this is well below its
/// own patience.
#[cfg(feature = "pdf")]
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);
