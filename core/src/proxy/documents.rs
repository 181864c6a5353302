//! The text of documents, read off the async threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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
}

/// Reads nothing, and notes that there was something to read: a translation on an async thread that
/// meets a document is done again where it may take its time.
#[derive(Debug, Default)]
pub(super) struct Unread {
    met: AtomicBool,
}

impl Unread {
    pub(super) fn met(&self) -> bool {
        self.met.load(Ordering::Relaxed)
    }
}

impl DocumentText for Unread {
    fn text(&self, media_type: &str, _base64: &str) -> Option<Result<Arc<str>, String>> {
        let is_read = cfg!(feature = "pdf") && media_type == PDF;
        self.met.fetch_or(is_read, Ordering::Relaxed);
        None
    }
}

/// The documents of one request, which share its time.
pub(super) struct Reading<'d> {
    #[cfg_attr(not(feature = "pdf"), expect(dead_code, reason = "nothing is read"))]
    documents: &'d Documents,
    #[cfg(feature = "pdf")]
    deadline: std::time::Instant,
}

impl<'d> Reading<'d> {
    pub(super) fn begin(documents: &'d Documents) -> Self {
        Reading {
            documents,
            #[cfg(feature = "pdf")]
            deadline: std::time::Instant::now() + PATIENCE,
        }
    }
}

#[cfg(feature = "pdf")]
impl DocumentText for Reading<'_> {
    fn text(&self, media_type: &str, base64: &str) -> Option<Result<Arc<str>, String>> {
        use base64::Engine as _;
        if media_type != PDF {
            return None;
        }
        let Ok(bytes) = base64::engine::general_purpose::STANDARD.decode(base64) else {
            return Some(Err("its base64 is not sound".to_owned()));
        };
        let time = self.deadline.saturating_duration_since(std::time::Instant::now());
        if time.is_zero() {
            return Some(Err("reading the documents of this request took too long".to_owned()));
        }
        let read = self.documents.cache.get_or_extract(&bytes, crate::pdf::PdfLimits::default(), time);
        Some(read.map(|pdf| Arc::from(pdf.text.as_str())).map_err(|error| error.to_string()))
    }
}

#[cfg(not(feature = "pdf"))]
impl DocumentText for Reading<'_> {
    fn text(&self, _media_type: &str, _base64: &str) -> Option<Result<Arc<str>, String>> {
        None
    }
}

/// The type of document that is read.
const PDF: &str = "application/pdf";

/// The most text kept: a conversation sends its documents again with every turn.
#[cfg(feature = "pdf")]
const MAX_CACHE_BYTES: usize = 16 << 20;

/// How long the documents of one request may take. The client's stream has no head yet, so this is well below its
/// own patience.
#[cfg(feature = "pdf")]
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);
