//! Which schemas a server's grammar engine is not given again.

use std::num::NonZeroUsize;
use std::sync::Arc;

use lru::LruCache;
use sha2::{Digest, Sha256};

use super::relax;

/// Schemas that are remembered; clients have some hundred tools.
const MAX_SCHEMAS: usize = 512;

/// The most bytes of relaxed schemas that are remembered.
const MAX_BYTES: usize = 8 << 20;

/// Schemas of refused requests, with what is sent in their place. A refusal does not say which tool it is about, so
/// all that can be relaxed are; each goes on to be sent so in whatever set of tools it comes again: what the model has
/// read of it stays the same.
#[derive(Debug)]
pub(in crate::translate) struct Hostile {
    relaxed: LruCache<[u8; 32], Arc<str>>,
    bytes: usize,
}

impl Default for Hostile {
    fn default() -> Self {
        Hostile { relaxed: LruCache::new(NonZeroUsize::new(MAX_SCHEMAS).unwrap_or(NonZeroUsize::MIN)), bytes: 0 }
    }
}

impl Hostile {
    /// These schemas were refused; true when one of them will be sent otherwise from now on.
    pub(in crate::translate) fn learn<'s>(&mut self, schemas: impl Iterator<Item = &'s str>) -> bool {
        let mut is_new = false;
        for schema in schemas {
            let key = key(schema);
            if self.relaxed.get(&key).is_some() {
                continue;
            }
            let Some(relaxed) = relax(schema).filter(|relaxed| relaxed.len() <= MAX_BYTES) else { continue };
            is_new = true;
            self.bytes += relaxed.len();
            if let Some((_, old)) = self.relaxed.push(key, relaxed.into()) {
                self.bytes -= old.len();
            }
            while self.bytes > MAX_BYTES
                && let Some((_, old)) = self.relaxed.pop_lru()
            {
                self.bytes -= old.len();
            }
        }
        is_new
    }

    pub(in crate::translate) fn is_empty(&self) -> bool {
        self.relaxed.is_empty()
    }

    /// What is to be sent in place of a schema.
    pub(in crate::translate) fn relaxed(&mut self, schema: &str) -> Option<Arc<str>> {
        self.relaxed.get(&key(schema)).cloned()
    }
}

fn key(schema: &str) -> [u8; 32] {
    Sha256::digest(schema.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_schemas_are_remembered_within_bounds() {
        let mut hostile = Hostile::default();
        let (bad, good) = (r#"{"pattern":"x"}"#, r#"{"type":"string"}"#);
        assert!(hostile.learn([bad, good].into_iter()));
        assert!(!hostile.learn([bad, good].into_iter()), "the server was told already");
        assert_eq!(hostile.relaxed(bad).as_deref(), Some("{}"));
        assert!(hostile.relaxed(good).is_none());
        for number in 0..MAX_SCHEMAS + 9 {
            assert!(hostile.learn([&*format!(r#"{{"pattern":"{number}"}}"#)].into_iter()));
        }
        assert_eq!((hostile.relaxed.len(), hostile.bytes), (MAX_SCHEMAS, 2 * MAX_SCHEMAS));
        assert!(hostile.relaxed(bad).is_none());
        for number in 0..20 {
            hostile.learn([&*format!(r#"{{"pattern":"{number}","title":"{}"}}"#, "x".repeat(1 << 20))].into_iter());
        }
        assert!(hostile.bytes <= MAX_BYTES && !hostile.is_empty());
    }
}
