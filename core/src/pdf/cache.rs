//! Texts of PDFs that were read: a conversation sends the same file with every turn.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lru::LruCache;
use sha2::{Digest, Sha256};

use super::{PdfError, PdfLimits, PdfText, extract_with_deadline};

/// A thread-safe cache of results, bounded by the bytes of their texts.
///
/// Failures are kept as well, those of time included: a file that could not be read would otherwise
/// cost its whole deadline with every turn. Only [`PdfError::Busy`] is not kept.
#[derive(Debug)]
pub struct PdfCache {
    inner: Mutex<Inner>,
    max_bytes: usize,
}

#[derive(Debug)]
struct Inner {
    entries: LruCache<[u8; 32], Cached>,
    bytes: usize,
}

type Cached = Result<Arc<PdfText>, PdfError>;

impl PdfCache {
    /// A cache that holds at most about `max_bytes` of text; 0 keeps nothing.
    #[must_use]
    pub fn new(max_bytes: usize) -> Self {
        Self { inner: Mutex::new(Inner { entries: LruCache::unbounded(), bytes: 0 }), max_bytes }
    }

    /// The text of a PDF, from the cache or by [`extract_with_deadline`]. Blocks while it is read; the
    /// cache itself is not locked meanwhile.
    ///
    /// # Errors
    /// Those of [`extract_with_deadline`], of now or of the first time.
    pub fn get_or_extract(&self, bytes: &[u8], limits: PdfLimits, timeout: Duration) -> Result<Arc<PdfText>, PdfError> {
        let key = key(bytes, &limits);
        if let Some(known) = self.lock().entries.get(&key) {
            return known.clone();
        }
        let result = extract_with_deadline(bytes.to_vec(), limits, timeout).map(Arc::new);
        if result != Err(PdfError::Busy) {
            self.store(key, result.clone());
        }
        result
    }

    /// Number of results and the bytes that they take.
    #[must_use]
    pub fn usage(&self) -> (usize, usize) {
        let inner = self.lock();
        (inner.entries.len(), inner.bytes)
    }

    fn store(&self, key: [u8; 32], result: Cached) {
        let size = size(&result);
        if size > self.max_bytes {
            return;
        }
        let mut inner = self.lock();
        inner.bytes += size;
        if let Some((_, old)) = inner.entries.push(key, result) {
            inner.bytes = inner.bytes.saturating_sub(self::size(&old));
        }
        while inner.bytes > self.max_bytes
            && let Some((_, old)) = inner.entries.pop_lru()
        {
            inner.bytes = inner.bytes.saturating_sub(self::size(&old));
        }
    }

    /// A panic while the lock is held leaves at worst a wrong sum of bytes.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The limits belong to the key: other limits give another text.
fn key(bytes: &[u8], limits: &PdfLimits) -> [u8; 32] {
    let mut hash = Sha256::new();
    for limit in [limits.max_bytes, limits.max_pages, limits.max_text_bytes] {
        hash.update((limit as u64).to_le_bytes());
    }
    hash.update(bytes);
    hash.finalize().into()
}

fn size(result: &Cached) -> usize {
    result.as_ref().map_or(0, |text| text.text.len()) + ENTRY_BYTES
}

/// What an entry takes beside its text, roughly.
const ENTRY_BYTES: usize = 200;
