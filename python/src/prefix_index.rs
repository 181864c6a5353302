//! The index over KV states; the states stay in Python.

use anyclaude_core::cache::{NewEntry, PrefixIndex as Core, Slot};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyString};

use crate::errors::guarded;
use crate::interpreter::sized;
use crate::json::parsed;

/// Finds the longest prefix of a prompt that an earlier one has left.
#[pyclass(frozen, module = "anyclaude")]
pub(crate) struct PrefixIndex(Core);

/// The most tokens of a prompt: more than any model reads, and an end for iterators that have none.
const MAX_TOKENS: usize = 1 << 26;

/// So many tokens have room before the first is read: what an object says of its length may be anything.
const TRUSTED_LENGTH: usize = 1 << 18;

/// A sequence of token ids.
struct Tokens(Vec<u32>);

impl<'py> FromPyObject<'_, 'py> for Tokens {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        // Both would pass for a sequence of numbers.
        if object.is_instance_of::<PyBytes>()
            || object.is_instance_of::<PyByteArray>()
            || object.is_instance_of::<PyString>()
        {
            let name = object.get_type().name()?;
            return Err(PyTypeError::new_err(format!("tokens: expected a sequence of token ids, not {name}")));
        }
        let mut tokens = Vec::with_capacity(object.len().unwrap_or(0).min(TRUSTED_LENGTH));
        for (at, token) in object.try_iter()?.enumerate() {
            if at == MAX_TOKENS {
                return Err(PyValueError::new_err(format!("tokens: more than {MAX_TOKENS}, which no model reads")));
            }
            let token = token?;
            let id: u32 = token.extract().map_err(|_| {
                let shown = token.repr().map_or_else(|_| "it".to_owned(), |shown| shown.to_string());
                PyValueError::new_err(format!("tokens[{at}]: {shown:.60} is no token id, which fits into 32 bits"))
            })?;
            tokens.push(id);
        }
        Ok(Tokens(tokens))
    }
}

impl Tokens {
    /// Their size in bytes.
    fn size(&self) -> usize {
        size_of_val(self.0.as_slice())
    }
}

#[pymethods]
impl PrefixIndex {
    #[new]
    fn new(max_bytes: u64) -> PyResult<Self> {
        guarded(|| Ok(PrefixIndex(Core::new(max_bytes))))
    }

    /// Takes in the state after `tokens`.
    #[pyo3(signature = (tokens, bytes, *, scope="", pinned=false, trimmable=true))]
    #[expect(clippy::needless_pass_by_value, reason = "arguments from Python come by value")]
    fn insert<'py>(
        &self,
        py: Python<'py>,
        tokens: Tokens,
        bytes: u64,
        scope: &str,
        pinned: bool,
        trimmable: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let entry = NewEntry { bytes, pinned, trimmable };
        let inserted = sized(py, tokens.size(), || Ok(self.0.insert(scope, &tokens.0, entry)))?;
        parsed(py, &inserted)
    }

    /// The best state for a prompt, which is then in use.
    #[pyo3(signature = (tokens, *, scope=""))]
    #[expect(clippy::needless_pass_by_value, reason = "arguments from Python come by value")]
    fn lookup<'py>(&self, py: Python<'py>, tokens: Tokens, scope: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
        let found = sized(py, tokens.size(), || Ok(self.0.lookup(scope, &tokens.0)))?;
        found.map(|found| parsed(py, &found)).transpose()
    }

    /// What `lookup` would find, which then is neither in use nor counted.
    #[pyo3(signature = (tokens, *, scope=""))]
    #[expect(clippy::needless_pass_by_value, reason = "arguments from Python come by value")]
    fn peek<'py>(&self, py: Python<'py>, tokens: Tokens, scope: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
        let found = sized(py, tokens.size(), || Ok(self.0.peek(scope, &tokens.0)))?;
        found.map(|found| parsed(py, &found)).transpose()
    }

    /// A state from `lookup` is in use no more; true when the host drops it now.
    fn release(&self, slot: u64) -> PyResult<bool> {
        guarded(|| Ok(self.0.release(Slot(slot))))
    }

    /// Takes an entry out; true when the host may drop its state now.
    fn remove(&self, slot: u64) -> PyResult<bool> {
        guarded(|| Ok(self.0.remove(Slot(slot))))
    }

    /// Pins an entry, or lets it go.
    #[pyo3(signature = (slot, pinned=true))]
    fn pin(&self, slot: u64, pinned: bool) -> PyResult<bool> {
        guarded(|| Ok(self.0.pin(Slot(slot), pinned)))
    }

    /// The tokens of an entry.
    fn tokens(&self, slot: u64) -> PyResult<Option<Vec<u32>>> {
        guarded(|| Ok(self.0.tokens(Slot(slot))))
    }

    /// Another budget; gives the states to drop.
    fn set_max_bytes(&self, max_bytes: u64) -> PyResult<Vec<u64>> {
        guarded(|| Ok(names(self.0.set_max_bytes(max_bytes))))
    }

    /// Frees so many bytes; gives the states to drop.
    fn free(&self, bytes: u64) -> PyResult<Vec<u64>> {
        guarded(|| Ok(names(self.0.free(bytes))))
    }

    /// Where in a prompt a copy of the state is worth keeping.
    #[pyo3(signature = (tokens, breakpoints, reused=0, *, scope=""))]
    #[expect(clippy::needless_pass_by_value, reason = "arguments from Python come by value")]
    fn checkpoints(
        &self,
        py: Python<'_>,
        tokens: Tokens,
        breakpoints: Vec<usize>,
        reused: usize,
        scope: &str,
    ) -> PyResult<Vec<usize>> {
        sized(py, tokens.size(), || Ok(self.0.checkpoints(scope, &tokens.0, &breakpoints, reused)))
    }

    /// Counters since the start, and what is held now.
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        parsed(py, &guarded(|| Ok(self.0.stats()))?)
    }

    fn __len__(&self) -> PyResult<usize> {
        guarded(|| Ok(self.0.stats().entries))
    }
}

fn names(slots: Vec<Slot>) -> Vec<u64> {
    slots.into_iter().map(|Slot(name)| name).collect()
}
