//! Why a PDF gave no text, in sentences for the model.

use std::fmt;

/// Why a PDF gave no text. The text of the error is meant to stand in the prompt in place of the
/// document, so that the model can tell its user.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PdfError {
    /// The bytes do not begin like a PDF.
    NotAPdf,
    /// The file is larger than the limit.
    TooLarge {
        /// Size of the file.
        bytes: usize,
        /// The limit.
        max_bytes: usize,
    },
    /// Unpacked, the file would be far larger than a document of its kind: likely an attack.
    Bomb,
    /// A password is needed.
    Encrypted,
    /// The file is damaged; the text says where.
    Broken(String),
    /// The document has pages, but no text on them: scanned images.
    NoText {
        /// Pages that were looked at.
        pages: usize,
    },
    /// Reading took longer than allowed.
    TimedOut,
    /// Too many slow documents are still being read.
    Busy,
}

impl fmt::Display for PdfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAPdf => f.write_str("[The attached file is not a PDF, so its text is not available.]"),
            Self::TooLarge { bytes, max_bytes } => {
                write!(f, "[The attached PDF has {bytes} bytes; files over {max_bytes} bytes are not read.]")
            }
            Self::Bomb => f.write_str("[The attached PDF was not read: unpacked, it would be unreasonably large.]"),
            Self::Encrypted => {
                f.write_str("[The attached PDF is encrypted and needs a password, so its text is not available.]")
            }
            Self::Broken(why) => write!(f, "[The attached PDF could not be read: {why}.]"),
            Self::NoText { pages } => write!(
                f,
                "[The attached PDF has no text on its {pages} page(s). It probably holds scanned images; text recognition is not available here.]"
            ),
            Self::TimedOut => f.write_str("[The attached PDF took too long to read, so its text is not available.]"),
            Self::Busy => f.write_str(
                "[The attached PDF was not read: other slow documents are still being read. Try again later.]",
            ),
        }
    }
}

impl std::error::Error for PdfError {}
