//! Whether the arguments of calls are what the schemas of their tools ask for.

mod cost;
mod words;

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use jsonschema::{PatternOptions, ValidationOptions, Validator};
use lru::LruCache;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Schemas that are kept compiled; Claude Code has a few dozen tools, with MCP servers some hundred.
const MAX_SCHEMAS: usize = 256;

/// Longer schemas are not checked; the longest of Claude Code's have some ten thousand bytes.
const MAX_SCHEMA_BYTES: usize = 64 << 10;

/// Violations that are told of one call: the first ones say what is wrong.
const MAX_VIOLATIONS: usize = 5;

/// Steps back that a pattern with look-around may take over one string; all others are matched in linear time.
const MAX_BACKTRACKS: usize = 10_000;

/// The most bytes that one compiled pattern may take.
const MAX_PATTERN_BYTES: usize = 256 << 10;

/// Compiled schemas, by what they say: a tool whose schema has changed is another key, and the old one ages out.
pub(crate) struct SchemaCache(Mutex<LruCache<[u8; 32], Option<Arc<Validator>>>>);

impl std::fmt::Debug for SchemaCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SchemaCache").finish_non_exhaustive()
    }
}

impl Default for SchemaCache {
    fn default() -> Self {
        let capacity = NonZeroUsize::new(MAX_SCHEMAS).unwrap_or(NonZeroUsize::MIN);
        SchemaCache(Mutex::new(LruCache::new(capacity)))
    }
}

impl SchemaCache {
    /// What an input does against its schema: a few short sentences with the place, the kind of value that stands
    /// there and what is asked for, never the value. Empty where it does nothing, and where that cannot be told: a
    /// schema that is none, refers to other documents, or takes too much work.
    pub(crate) fn violations(&self, schema: &str, input: &Value) -> Vec<String> {
        if schema.len() > MAX_SCHEMA_BYTES {
            return Vec::new();
        }
        let Some(validator) = self.validator(schema) else { return Vec::new() };
        let Ok(read) = serde_json::from_str(schema) else { return Vec::new() };
        if !cost::is_bounded(&read, Some(input)) || validator.is_valid(input) {
            return Vec::new();
        }
        validator.iter_errors(input).filter_map(|error| words::sentence(&error)).take(MAX_VIOLATIONS).collect()
    }

    fn validator(&self, schema: &str) -> Option<Arc<Validator>> {
        let key: [u8; 32] = Sha256::digest(schema.as_bytes()).into();
        if let Some(known) = self.lock().get(&key) {
            return known.clone();
        }
        // Not under the lock: compiling takes milliseconds.
        let compiled = compile(schema).map(Arc::new);
        self.lock().put(key, compiled.clone());
        compiled
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, LruCache<[u8; 32], Option<Arc<Validator>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A schema of the draft that it names, 2020-12 as a rule. Nothing is fetched from anywhere.
fn compile(schema: &str) -> Option<Validator> {
    let schema: Value = serde_json::from_str(schema).ok()?;
    if !cost::is_bounded(&schema, None) {
        return None;
    }
    // Tools use look-ahead, which the engine without backtracking does not know.
    let patterns = PatternOptions::fancy_regex()
        .backtrack_limit(MAX_BACKTRACKS)
        .size_limit(MAX_PATTERN_BYTES)
        .dfa_size_limit(MAX_PATTERN_BYTES);
    ValidationOptions::default().offline().with_pattern_options(patterns).build(&schema).ok()
}

#[cfg(test)]
mod tests;
