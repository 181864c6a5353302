//! Which library this is.

use std::ffi::c_char;

/// The binary interface that this header describes. It changes only when programs that were compiled
/// against an older header no longer run.
pub const ANYCLAUDE_ABI_VERSION: u32 = 1;

/// The version of the library that is loaded, such as `1.2.3`, with a NUL at its end. Static.
/// `ANYCLAUDE_VERSION` is that of the header.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// The binary interface of the library that is loaded; must equal `ANYCLAUDE_ABI_VERSION`.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_abi_version() -> u32 {
    ANYCLAUDE_ABI_VERSION
}
