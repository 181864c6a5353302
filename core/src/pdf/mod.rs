//! PDF bytes in, text for a model out.
//!
//! `translate` calls this for documents that a backend cannot take as files; off the async threads,
//! through [`extract_with_deadline`] or [`PdfCache`], since a file may be slow to read.
//!
//! The parser is `pdf-extract` (MIT, pure Rust, on `lopdf`): maintained, small, and it keeps the
//! order of the content stream, which is what a model needs. `pdf_oxide` reads more layouts but is a
//! whole PDF toolkit (23 MB of source) with open reports of endless loops; `lopdf`'s own text
//! function ignores positions and runs words together; bindings of C++ engines are no pure Rust.
//!
//! A PDF in a conversation may come from anywhere, and `pdf-extract` trusts its input: it panics on
//! what it does not know and recurses without bound. So it only sees a document that was made
//! harmless: sizes are checked before anything is inflated (`inflate`), content streams are reduced
//! to well-formed text operators (`sanitize`, `content`), inherited page attributes are written into
//! the page, and what still panics is caught page by page. The host's panic hook prints such panics;
//! no hook is installed here.

mod cache;
mod content;
mod deadline;
mod error;
mod fonts;
mod inflate;
mod pages;
mod sanitize;
mod sink;

pub use cache::PdfCache;
pub use deadline::extract_with_deadline;
pub use error::PdfError;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicBool;

use pdf_extract::Document;

/// How much of a PDF is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct PdfLimits {
    /// Largest file, in bytes. Larger ones are an error.
    pub max_bytes: usize,
    /// Pages read from the start; the text tells if there are more.
    pub max_pages: usize,
    /// Largest text, in bytes; it is cut at the end of a character, and the text tells so.
    pub max_text_bytes: usize,
}

impl Default for PdfLimits {
    /// 32 MiB and 100 pages are what Anthropic's API takes. 200,000 bytes are some 50,000 tokens:
    /// about what a local model can take beside a conversation.
    fn default() -> Self {
        Self { max_bytes: 32 << 20, max_pages: 100, max_text_bytes: 200_000 }
    }
}

impl PdfLimits {
    /// Limits with these figures.
    #[must_use]
    pub fn new(max_bytes: usize, max_pages: usize, max_text_bytes: usize) -> Self {
        Self { max_bytes, max_pages, max_text_bytes }
    }
}

/// The text of a PDF.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PdfText {
    /// Headings `--- page 3 of 12 ---` and the pages' text; notes in brackets tell what is missing.
    pub text: String,
    /// Pages of the document.
    pub pages: usize,
    /// Pages whose text is in `text`, whole or in part.
    pub pages_read: usize,
    /// Whether pages or text were left out because of a limit.
    pub truncated: bool,
}

/// Reads the text of a PDF on the calling thread. Prefer [`extract_with_deadline`]: this has no limit
/// on time.
///
/// # Errors
/// See [`PdfError`]; its text is meant to be shown to the model.
pub fn extract_text(bytes: &[u8], limits: &PdfLimits) -> Result<PdfText, PdfError> {
    extract(bytes, limits, &AtomicBool::new(false))
}

/// `cancelled` ends the work at the next page or character.
fn extract(bytes: &[u8], limits: &PdfLimits, cancelled: &AtomicBool) -> Result<PdfText, PdfError> {
    if bytes.len() > limits.max_bytes {
        return Err(PdfError::TooLarge { bytes: bytes.len(), max_bytes: limits.max_bytes });
    }
    let start = bytes.get(..HEADER_SEARCH_BYTES).unwrap_or(bytes);
    if !start.windows(HEADER.len()).any(|window| window == HEADER) {
        return Err(PdfError::NotAPdf);
    }
    inflate::check_file(bytes)?;
    let document = quietly(|| load(bytes))??;
    quietly(|| pages::read(document, limits, cancelled))?
}

fn load(bytes: &[u8]) -> Result<Document, PdfError> {
    let mut document = Document::load_mem(bytes).map_err(|error| match error {
        pdf_extract::Error::Decryption(_) | pdf_extract::Error::InvalidPassword => PdfError::Encrypted,
        other => PdfError::Broken(other.to_string()),
    })?;
    // Many files are encrypted with an empty password, only to forbid printing.
    if document.is_encrypted() && document.decrypt("").is_err() {
        return Err(PdfError::Encrypted);
    }
    Ok(document)
}

/// Runs a step of the parser; a panic becomes an error.
fn quietly<T>(step: impl FnOnce() -> T) -> Result<T, PdfError> {
    catch_unwind(AssertUnwindSafe(step)).map_err(|_| PdfError::Broken("its structure is damaged".to_owned()))
}

const HEADER: &[u8] = b"%PDF-";

/// Readers accept some bytes before the header; this is the figure of Acrobat's notes.
const HEADER_SEARCH_BYTES: usize = 1024;

#[cfg(test)]
mod tests;
