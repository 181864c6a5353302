//! Where the records of a proxy's log go.

use std::ffi::c_void;

use anyclaude_core::blocking;

use crate::error::Error;
use crate::handle::{Bytes, Host, log_of};

/// Takes one record of a log: a JSON object with `time_ms` (since the Unix epoch), `level`, `target`, `message`,
/// `request_id` and `fields`. Its bytes live during the call. Secrets are never in it, and of prompts and answers only
/// what a server quotes of a request in an error of its own.
pub type LogCallback = Option<extern "C" fn(userdata: *mut c_void, record: Bytes)>;

/// Frees what a callback was given.
pub type FreeUserdata = Option<extern "C" fn(userdata: *mut c_void)>;

/// Where the records of one proxy's log go. Nothing global is touched: no other proxy or library writes into it.
///
/// `callback` is called on threads of the proxy, and on those that start it, stop it or give it another backend; with
/// one record at a time, and not after `anyclaude_proxy_stop` or `_free` has returned. It must come back: not by
/// `longjmp`, nor by an exception. It must not wait for a thread that is in a call on the same proxy. In it,
/// `anyclaude_proxy_stop`, `_next_event` and `_set_backend` fail with `ANYCLAUDE_WOULD_DEADLOCK` and do nothing, and
/// `anyclaude_proxy_free` is forbidden; the other calls on the proxy work.
///
/// `free_userdata` is called exactly once, after the last record, on any of those threads; also when the start fails,
/// but for `ANYCLAUDE_BAD_STRUCT_SIZE`, where it cannot be read. It may call what the callback may, but nothing of a proxy that is
/// being freed.
#[repr(C)]
pub struct Log {
    /// `sizeof(anyclaude_log)`. Fields that come after what the caller knew take their default.
    pub struct_size: usize,
    /// The least that is told: `error`, `warn`, `info`, `debug` or `trace`.
    pub level: Bytes,
    /// Takes the records. Must not be NULL.
    pub callback: LogCallback,
    /// What the callback gets, whatever it is.
    pub userdata: *mut c_void,
    /// Frees `userdata`. May be NULL.
    pub free_userdata: FreeUserdata,
}

/// The log that C describes, `None` for NULL. From here on the userdata will be freed.
pub(crate) fn read(log: *const Log) -> Result<Option<blocking::Log>, Error> {
    let Some(log) = log_of(log)? else { return Ok(None) };
    let host = Host::new(log.userdata, log.free_userdata);
    let callback = log.callback.ok_or_else(|| Error::null("log.callback"))?;
    let level = log.level.text("log.level")?;
    Ok(Some(blocking::Log::new(level, move |record| callback(host.userdata(), Bytes::lend(record)))?))
}
