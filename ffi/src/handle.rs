//! What crosses the border, and who owns it. The only file with unsafe blocks.
//!
//! Signatures say the ownership and the compiler keeps to it: `Option<&T>` is a pointer that the
//! caller lends and that may be NULL, `Option<NonNull<T>>` the same where C sees no `const`: only one
//! thread at a time may use it, which `Exclusive` sees to, as no `&mut` could. `Option<Box<T>>` is one
//! that changes hands, and `Option<&mut MaybeUninit<_>>` a place for a result that holds nothing yet.
//! All are plain pointers to C.

use std::ffi::c_void;
use std::mem::{MaybeUninit, size_of};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, TryLockError};

use crate::error::Error;
use crate::log::{FreeUserdata, Log};

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

    /// The text that C lends.
    pub(crate) fn text(&self, name: &str) -> Result<&str, Error> {
        std::str::from_utf8(self.get(name)?).map_err(|error| Error::not_text(name, error))
    }
}

/// Token ids that the caller lends for the call.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Tokens {
    /// The first, aligned as a `uint32_t` is. May be NULL if `len` is 0.
    pub ptr: *const u32,
    /// The number of tokens, not of bytes.
    pub len: usize,
}

impl Tokens {
    /// The tokens that C lends; `name` is the argument's name.
    pub(crate) fn get(&self, name: &str) -> Result<&[u32], Error> {
        if self.len == 0 {
            return Ok(&[]);
        }
        if self.ptr.is_null() {
            return Err(Error::null(name));
        }
        // A pointer that is not aligned points to no tokens, however many are said to be there.
        if self.len > isize::MAX as usize / size_of::<u32>() || !self.ptr.is_aligned() {
            return Err(Error::bad_length(name));
        }
        // SAFETY: not NULL, aligned and not too long, as just checked. By the contract in the header, `len` tokens are
        // there and stay unchanged during the call, which `self` does not outlive.
        Ok(unsafe { slice::from_raw_parts(self.ptr, self.len) })
    }
}

/// The value of an argument that must not be NULL.
pub(crate) fn required<T>(argument: Option<T>, name: &str) -> Result<T, Error> {
    argument.ok_or_else(|| Error::null(name))
}

/// The object of an argument that must not be NULL.
pub(crate) fn lent<'call, T: Sync>(argument: Option<NonNull<T>>, name: &str) -> Result<&'call T, Error> {
    let pointer = required(argument, name)?;
    // SAFETY: not NULL. By the contract in the header it came from this library and is freed after the
    // call only. Other threads may be in a call on it, wrongly: `T` is `Sync`, so that nothing comes of it.
    Ok(unsafe { pointer.as_ref() })
}

/// Hands an object over to C. What the place held before is not looked at: C does not initialise it.
pub(crate) fn hand_over<T>(place: &mut MaybeUninit<Option<Box<T>>>, object: T) {
    place.write(Some(Box::new(object)));
}

/// An object that any number of threads call. It takes no more calls after a panic in one: its state may
/// be half changed.
pub(crate) struct Shared<T> {
    value: T,
    poisoned: AtomicBool,
}

impl<T> Shared<T> {
    pub(crate) fn new(value: T) -> Self {
        Shared { value, poisoned: AtomicBool::new(false) }
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

/// An object that one thread at a time calls. A second thread is refused, never waited for; after a panic
/// in a call, everybody is.
pub(crate) struct Exclusive<T>(Mutex<T>);

impl<T> Exclusive<T> {
    pub(crate) fn new(value: T) -> Self {
        Exclusive(Mutex::new(value))
    }

    /// Calls into the object.
    pub(crate) fn call<R>(&self, call: impl FnOnce(&mut T) -> Result<R, Error>) -> Result<R, Error> {
        let mut value = self.0.try_lock().map_err(|refused| match refused {
            TryLockError::WouldBlock => Error::busy(),
            TryLockError::Poisoned(_) => Error::poisoned(),
        })?;
        // The lock is dropped inside, by which a panic poisons it.
        catch_unwind(AssertUnwindSafe(move || call(&mut value))).unwrap_or_else(|payload| Err(Error::panic(&*payload)))
    }
}

/// The log that C describes, as far as it knew the struct; `None` for NULL.
pub(crate) fn log_of<'call>(log: *const Log) -> Result<Option<&'call Log>, Error> {
    let Some(log) = NonNull::new(log.cast_mut()) else { return Ok(None) };
    // SAFETY: not NULL, and by the contract in the header it begins with its size.
    let size = unsafe { log.cast::<usize>().read() };
    if size < size_of::<Log>() {
        return Err(Error::struct_size("log", size, size_of::<Log>()));
    }
    // SAFETY: not NULL, as large as it has to be, and unchanged during the call.
    Ok(Some(unsafe { log.as_ref() }))
}

/// What a callback's owner wants back with each call, freed when it is dropped.
pub(crate) struct Host {
    userdata: *mut c_void,
    free: FreeUserdata,
}

// SAFETY: only the owner's functions look at what is behind the pointer. The header says on which threads
// they are called, and one call at a time is made.
unsafe impl Send for Host {}

impl Host {
    pub(crate) fn new(userdata: *mut c_void, free: FreeUserdata) -> Self {
        Host { userdata, free }
    }

    pub(crate) fn userdata(&self) -> *mut c_void {
        self.userdata
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(free) = self.free {
            free(self.userdata);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{
        ANYCLAUDE_BAD_LENGTH, ANYCLAUDE_BUSY, ANYCLAUDE_NULL_ARGUMENT, ANYCLAUDE_PANIC, ANYCLAUDE_POISONED,
    };

    #[test]
    fn a_panic_poisons_the_object() {
        let object = Shared::new(7);
        assert_eq!(object.call(|value| Ok(*value)).ok(), Some(7));
        let error = object.call::<()>(|_| panic!("a defect")).err().unwrap();
        assert_eq!(error.code, ANYCLAUDE_PANIC);
        assert!(error.message.contains("a defect"));
        assert_eq!(object.call(|value| Ok(*value)).err().unwrap().code, ANYCLAUDE_POISONED);
    }

    #[test]
    fn one_thread_at_a_time() {
        let object = Exclusive::new(7);
        let inner = object.call(|_| Ok(object.call(|value| Ok(*value)).err().unwrap().code));
        assert_eq!(inner.ok(), Some(ANYCLAUDE_BUSY));
        assert_eq!(object.call(|value| Ok(*value)).ok(), Some(7));
        assert_eq!(object.call::<()>(|_| panic!("a defect")).err().unwrap().code, ANYCLAUDE_PANIC);
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
