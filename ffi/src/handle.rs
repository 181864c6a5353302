//! What crosses the border, and who owns it. The only file with unsafe blocks.
//!
//! Signatures say the ownership and the compiler keeps to it: `Option<&T>` is a pointer that the
//! caller lends and that may be NULL, `Option<Box<T>>` one that changes hands, and
//! `Option<&mut MaybeUninit<_>>` a place for a result that holds nothing yet. All three are plain
//! pointers to C.

use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::slice;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::Error;

/// Bytes that somebody else owns. Texts are UTF-8 and end where `len` says, not with a NUL.
///
/// Bytes given to a function are read during the call only. Bytes got from one live as long as the
/// object they came from.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Bytes {
    /// The first byte. May be NULL if `len` is 0.
    pub ptr: *const u8,
    /// The number of bytes.
    pub len: usize,
}

impl Bytes {
    /// Lends bytes to C.
    pub(crate) fn lend(bytes: &[u8]) -> Self {
        Bytes { ptr: bytes.as_ptr(), len: bytes.len() }
    }

    /// No bytes.
    pub(crate) fn none() -> Self {
        Bytes { ptr: std::ptr::null(), len: 0 }
    }

    /// The bytes that C lends; `name` is the argument's name.
    pub(crate) fn get(&self, name: &str) -> Result<&[u8], Error> {
        if self.len == 0 {
            return Ok(&[]);
        }
        if self.ptr.is_null() {
            return Err(Error::null(name));
        }
        if isize::try_from(self.len).is_err() {
            return Err(Error::bad_length(name));
        }
        // SAFETY: not NULL and not too long, as just checked. By the contract in the header, `len`
        // bytes are there and stay unchanged during the call, which `self` does not outlive.
        Ok(unsafe { slice::from_raw_parts(self.ptr, self.len) })
    }
}

/// The value of an argument that must not be NULL.
pub(crate) fn required<T>(argument: Option<T>, name: &str) -> Result<T, Error> {
    argument.ok_or_else(|| Error::null(name))
}

/// Hands an object over to C. What the place held before is not looked at: C does not initialise it.
pub(crate) fn hand_over<T>(place: &mut MaybeUninit<Option<Box<T>>>, object: T) {
    place.write(Some(Box::new(object)));
}

/// An object that takes no more calls after a panic in one: its state may be half changed.
pub(crate) struct Guarded<T> {
    value: T,
    poisoned: AtomicBool,
}

impl<T> Guarded<T> {
    pub(crate) fn new(value: T) -> Self {
        Guarded { value, poisoned: AtomicBool::new(false) }
    }

    /// Calls into the object.
    pub(crate) fn call<R>(&self, call: impl FnOnce(&T) -> Result<R, Error>) -> Result<R, Error> {
        if self.poisoned.load(Ordering::Acquire) {
            return Err(Error::poisoned());
        }
        catch_unwind(AssertUnwindSafe(|| call(&self.value))).unwrap_or_else(|payload| {
            self.poisoned.store(true, Ordering::Release);
            Err(Error::panic(&*payload))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{ANYCLAUDE_BAD_LENGTH, ANYCLAUDE_NULL_ARGUMENT, ANYCLAUDE_PANIC, ANYCLAUDE_POISONED};

    #[test]
    fn a_panic_poisons_the_object() {
        let object = Guarded::new(7);
        assert_eq!(object.call(|value| Ok(*value)).ok(), Some(7));
        let error = object.call::<()>(|_| panic!("a defect")).err().unwrap();
        assert_eq!(error.code, ANYCLAUDE_PANIC);
        assert!(error.message.contains("a defect"));
        assert_eq!(object.call(|value| Ok(*value)).err().unwrap().code, ANYCLAUDE_POISONED);
    }

    #[test]
    fn bytes_that_cannot_be_are_refused() {
        assert_eq!(Bytes::none().get("x").ok(), Some(&[][..]));
        let code = |len| Bytes { ptr: std::ptr::null(), len }.get("x").err().unwrap().code;
        assert_eq!(code(1), ANYCLAUDE_NULL_ARGUMENT);
        let far = Bytes { ptr: b"x".as_ptr(), len: usize::MAX };
        assert_eq!(far.get("x").err().unwrap().code, ANYCLAUDE_BAD_LENGTH);
    }
}
