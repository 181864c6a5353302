//! Bytes that C owns.

use std::ptr::NonNull;

use crate::error::Error;
use crate::guard::free;
use crate::handle::{Bytes, Exclusive, lent};

/// Bytes that functions append to. Make one and use it for any number of calls, one thread at a time.
pub struct Buffer(Exclusive<Vec<u8>>);

/// Makes an empty buffer. Free it with `anyclaude_buffer_free`. Never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_buffer_new() -> Box<Buffer> {
    Box::new(Buffer(Exclusive::new(Vec::new())))
}

/// The bytes of a buffer. They live until it is freed, cleared, or given to a function that appends to it; no
/// bytes for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_buffer_bytes(buffer: Option<&Buffer>) -> Bytes {
    let lend = |buffer: &Buffer| buffer.0.call(|bytes| Ok(Bytes::lend(bytes)));
    buffer.and_then(|buffer| lend(buffer).ok()).unwrap_or(Bytes::none())
}

/// Empties a buffer and keeps its memory for what comes next. NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_buffer_clear(buffer: Option<NonNull<Buffer>>) {
    _ = lent(buffer, "buffer").and_then(|buffer| {
        buffer.0.call(|bytes| {
            bytes.clear();
            Ok(())
        })
    });
}

/// Frees a buffer. NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_buffer_free(buffer: Option<Box<Buffer>>) {
    free(buffer);
}

/// Appends what `fill` writes to the argument `out`, all or nothing.
pub(crate) fn append<R>(
    out: Option<NonNull<Buffer>>,
    fill: impl FnOnce(&mut Vec<u8>) -> Result<R, Error>,
) -> Result<R, Error> {
    lent(out, "out")?.0.call(|bytes| {
        let before = bytes.len();
        fill(bytes).inspect_err(|_| bytes.truncate(before))
    })
}

/// Appends a text that `make` gives to the argument `out`.
pub(crate) fn append_text(
    out: Option<NonNull<Buffer>>,
    make: impl FnOnce() -> Result<String, Error>,
) -> Result<(), Error> {
    append(out, |bytes| {
        bytes.extend_from_slice(make()?.as_bytes());
        Ok(())
    })
}
