//! Failures as an object that C owns. Nothing about an error is kept by thread.

use std::any::Any;
use std::str::Utf8Error;

use anyclaude_core::{Error as CoreError, ErrorKind};

use crate::guard::free;
use crate::handle::Bytes;
use crate::status::{self, Status};

/// Why a call failed. Owned by whoever passed the pointer for it; give it to `anyclaude_error_free`.
/// It does not change any more, so that any thread may read it.
pub struct Error {
    pub(crate) code: Status,
    pub(crate) kind: &'static str,
    pub(crate) message: String,
    http_status: u16,
    json: Vec<u8>,
}

/// The status that the failed call returned. For NULL `ANYCLAUDE_OK`.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_error_code(error: Option<&Error>) -> Status {
    error.map_or(status::ANYCLAUDE_OK, |error| error.code)
}

/// The kind of failure as a lower-case word such as `config` or `invalid_request`. Lives as long as
/// the error; no bytes for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_error_kind(error: Option<&Error>) -> Bytes {
    error.map_or(Bytes::none(), |error| Bytes::lend(error.kind.as_bytes()))
}

/// A sentence for people. Lives as long as the error; no bytes for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_error_message(error: Option<&Error>) -> Bytes {
    error.map_or(Bytes::none(), |error| Bytes::lend(error.message.as_bytes()))
}

/// The HTTP status with which a server of the Messages API answers. For NULL 200.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_error_http_status(error: Option<&Error>) -> u16 {
    error.map_or(200, |error| error.http_status)
}

/// The JSON body that belongs to that status: `{"type":"error","error":{...}}`. Lives as long as the
/// error; no bytes for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_error_json(error: Option<&Error>) -> Bytes {
    error.map_or(Bytes::none(), |error| Bytes::lend(&error.json))
}

/// Frees an error. NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_error_free(error: Option<Box<Error>>) {
    free(error);
}

impl Error {
    /// A failure of the border itself, which the core knows nothing of.
    fn of_border(code: Status, kind: &'static str, message: impl Into<String>) -> Self {
        Error { code, kind, ..CoreError::new(ErrorKind::Internal, message).into() }
    }

    pub(crate) fn null(name: &str) -> Self {
        Self::of_border(status::ANYCLAUDE_NULL_ARGUMENT, "null_argument", format!("{name}: must not be NULL"))
    }

    pub(crate) fn bad_length(name: &str) -> Self {
        Self::of_border(status::ANYCLAUDE_BAD_LENGTH, "bad_length", format!("{name}: no object is that long"))
    }

    pub(crate) fn not_text(name: &str, why: Utf8Error) -> Self {
        let message = format!("{name}: must be UTF-8, which ends after {} bytes", why.valid_up_to());
        Self::of_border(status::ANYCLAUDE_BAD_TEXT, "bad_text", message)
    }

    pub(crate) fn struct_size(name: &str, size: usize, wanted: usize) -> Self {
        let message = format!("{name}.struct_size: {size} is less than {wanted}; set it to sizeof(anyclaude_{name})");
        Self::of_border(status::ANYCLAUDE_BAD_STRUCT_SIZE, "bad_struct_size", message)
    }

    pub(crate) fn busy() -> Self {
        let message = "another thread is in a call on this object; it may be used by one at a time";
        Self::of_border(status::ANYCLAUDE_BUSY, "busy", message)
    }

    pub(crate) fn finished(why: &str) -> Self {
        Self::of_border(status::ANYCLAUDE_FINISHED, "finished", format!("called after its end: {why}"))
    }

    pub(crate) fn timeout() -> Self {
        Self::of_border(status::ANYCLAUDE_TIMEOUT, "timeout", "nothing came in that time")
    }

    pub(crate) fn poisoned() -> Self {
        let message = "an earlier call on this object met a defect of the library; free it and make another";
        Self::of_border(status::ANYCLAUDE_POISONED, "poisoned", message)
    }

    pub(crate) fn panic(payload: &(dyn Any + Send)) -> Self {
        let literal = payload.downcast_ref::<&str>().copied();
        let told = literal.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        let message = format!("a defect of the library: {}", told.unwrap_or("no message"));
        Self::of_border(status::ANYCLAUDE_PANIC, "panic", message)
    }
}

impl From<CoreError> for Error {
    fn from(error: CoreError) -> Self {
        let api = error.to_api();
        Error {
            code: status::of_kind(error.kind()),
            kind: error.kind().as_str(),
            message: error.message().to_owned(),
            http_status: api.status,
            json: api.to_json_without_id(),
        }
    }
}
