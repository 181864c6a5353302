//! Status codes. A number is never given out twice: a retired one stays reserved.

use anyclaude_core::ErrorKind;

/// What became of a call: `ANYCLAUDE_OK` or one of the codes from 9000.
///
/// New codes may come with any version; treat one that you do not know as a failure.
pub type Status = i32;

/// The call did what it says.
pub const ANYCLAUDE_OK: Status = 0;

/// A pointer that must not be NULL is NULL.
pub const ANYCLAUDE_NULL_ARGUMENT: Status = 9000;
/// A length is larger than any object in memory can be.
pub const ANYCLAUDE_BAD_LENGTH: Status = 9001;
/// A text is not UTF-8.
pub const ANYCLAUDE_BAD_TEXT: Status = 9002;
/// A `struct_size` is less than the struct has in this version.
pub const ANYCLAUDE_BAD_STRUCT_SIZE: Status = 9003;
/// Another thread is in a call on an object that one thread at a time may use. Nothing was done.
pub const ANYCLAUDE_BUSY: Status = 9004;
/// The object has been finished and takes no more.
pub const ANYCLAUDE_FINISHED: Status = 9005;

/// A defect of this library was caught on its way out. The object that was called takes no more calls
/// but `_free`.
pub const ANYCLAUDE_PANIC: Status = 9010;
/// An earlier call on this object ended with `ANYCLAUDE_PANIC`.
pub const ANYCLAUDE_POISONED: Status = 9011;
/// A defect of this library that was noticed in time.
pub const ANYCLAUDE_INTERNAL: Status = 9012;

/// A setting is missing, unknown or of the wrong shape.
pub const ANYCLAUDE_CONFIG: Status = 9020;

/// The client's request cannot be understood.
pub const ANYCLAUDE_INVALID_REQUEST: Status = 9030;
/// The client asks for something this library does not do.
pub const ANYCLAUDE_UNSUPPORTED: Status = 9031;

/// The backend refused, failed, or answered with something that is no answer.
pub const ANYCLAUDE_BACKEND: Status = 9040;

/// A socket, file or thread failed.
pub const ANYCLAUDE_IO: Status = 9050;

/// Nothing came in the time given.
pub const ANYCLAUDE_TIMEOUT: Status = 9060;
/// What was called has been stopped.
pub const ANYCLAUDE_STOPPED: Status = 9061;
/// The call would wait for the thread it is made on, as in a callback.
pub const ANYCLAUDE_WOULD_DEADLOCK: Status = 9062;

/// The code of a family of the core.
pub(crate) fn of_kind(kind: ErrorKind) -> Status {
    match kind {
        ErrorKind::Config => ANYCLAUDE_CONFIG,
        ErrorKind::InvalidRequest => ANYCLAUDE_INVALID_REQUEST,
        ErrorKind::Unsupported => ANYCLAUDE_UNSUPPORTED,
        ErrorKind::Backend => ANYCLAUDE_BACKEND,
        ErrorKind::Io => ANYCLAUDE_IO,
        ErrorKind::Stopped => ANYCLAUDE_STOPPED,
        ErrorKind::WouldDeadlock => ANYCLAUDE_WOULD_DEADLOCK,
        // A family that is newer than this table.
        _ => ANYCLAUDE_INTERNAL,
    }
}
