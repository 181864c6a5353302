//! Bytes that C owns.

use crate::guard::free;
use crate::handle::Bytes;

/// Bytes that a function made. Owned by whoever passed the pointer for it; give it to
/// `anyclaude_buffer_free`. One thread at a time.
pub struct Buffer(pub(crate) Vec<u8>);

/// The bytes of a buffer. They live until it is freed or given to a function that adds to it; no
/// bytes for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_buffer_bytes(buffer: Option<&Buffer>) -> Bytes {
    buffer.map_or(Bytes::none(), |buffer| Bytes::lend(&buffer.0))
}

/// Frees a buffer. NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_buffer_free(buffer: Option<Box<Buffer>>) {
    free(buffer);
}
