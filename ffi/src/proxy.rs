//! The proxy.

use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::time::Duration;

use anyclaude_core::blocking::{ProxyHandle, start_proxy_with};
use anyclaude_core::proxy::BackendChoice;
use anyclaude_core::{Config, prefix_reports_json};

use crate::buffer::{Buffer, append_text};
use crate::error::Error;
use crate::guard::{free, guard};
use crate::handle::{Bytes, Shared, hand_over, required};
use crate::log::{self, Log};
use crate::status::Status;

/// A running proxy, on threads of its own. Any number of threads may use one at the same time. It cannot be used in a
/// child made by `fork`: threads do not get there.
pub struct Proxy {
    handle: Shared<ProxyHandle>,
    url: String,
    port: u16,
}

/// Starts the proxy; returns when it listens.
///
/// `config_json` is an object with any of the settings that the README lists, such as `backend`, `backend_url`,
/// `model` and `port` (0 for any free one); no variables and no files are read. `log` may be NULL. Stop it with
/// `anyclaude_proxy_stop`, free `*out` with `anyclaude_proxy_free`.
///
/// Fails with `ANYCLAUDE_CONFIG` if a setting is unknown or makes no sense, and with `ANYCLAUDE_IO` if the port is taken.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_proxy_start(
    config_json: Bytes,
    log: *const Log,
    out: Option<&mut MaybeUninit<Option<Box<Proxy>>>>,
    error: Option<&mut MaybeUninit<Option<Box<Error>>>>,
) -> Status {
    guard(error, || {
        // First, so that its userdata is freed whatever fails.
        let log = log::read(log)?;
        let out = required(out, "out")?;
        let handle = start_proxy_with(Config::from_json(config_json.get("config_json")?)?, log)?;
        let (url, port) = (handle.base_url(), handle.addr().port());
        hand_over(out, Proxy { handle: Shared::new(handle), url, port });
        Ok(())
    })
}

/// What clients set as `ANTHROPIC_BASE_URL`, such as `http://127.0.0.1:4141`. Lives as long as the proxy; no bytes for
/// NULL.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_proxy_url(proxy: Option<&Proxy>) -> Bytes {
    proxy.map_or(Bytes::none(), |proxy| Bytes::lend(proxy.url.as_bytes()))
}

/// The port that it listens on. For NULL 0.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_proxy_port(proxy: Option<&Proxy>) -> u16 {
    proxy.map_or(0, |proxy| proxy.port)
}

/// Appends the counters since the start to `out`: a JSON object with `requests`, `errors`, `cancelled`, `active`,
/// `input_tokens`, `cache_read_input_tokens`, `output_tokens` and others.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_proxy_stats(
    proxy: Option<&Proxy>,
    out: Option<NonNull<Buffer>>,
    error: Option<&mut MaybeUninit<Option<Box<Error>>>>,
) -> Status {
    told(proxy, out, error, |handle| Ok(handle.stats().to_json()))
}

/// Appends the backend that requests go to now to `out`: a JSON object with `kind`, `url`, `model` and `found`.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_proxy_backend(
    proxy: Option<&Proxy>,
    out: Option<NonNull<Buffer>>,
    error: Option<&mut MaybeUninit<Option<Box<Error>>>>,
) -> Status {
    told(proxy, out, error, |handle| Ok(handle.backend().to_json()))
}

/// Appends the last prefix reports of the sessions whose id begins with `session` (no bytes: of all) to `out`: a JSON
/// array, the oldest first.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_proxy_prefix_reports(
    proxy: Option<&Proxy>,
    session: Bytes,
    out: Option<NonNull<Buffer>>,
    error: Option<&mut MaybeUninit<Option<Box<Error>>>>,
) -> Status {
    told(proxy, out, error, |handle| Ok(prefix_reports_json(&handle.prefix_reports(session.text("session")?))))
}

/// From now on requests go to another backend; those in flight end on the one they began with.
///
/// `choice_json` is an object with `backend` (the kind of server) and the optional keys `backend_url`, `backend_api`,
/// `api_key`, `model`, `context_window`, `tools`, `tool_format`, `prompt_opens_thinking`, `backend_stream` and `images`.
///
/// Fails with `ANYCLAUDE_CONFIG` if a key or value makes no sense, with `ANYCLAUDE_STOPPED` from the stop on, and with
/// `ANYCLAUDE_WOULD_DEADLOCK` in a callback of the proxy.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_proxy_set_backend(
    proxy: Option<&Proxy>,
    choice_json: Bytes,
    error: Option<&mut MaybeUninit<Option<Box<Error>>>>,
) -> Status {
    guard(error, || {
        let proxy = required(proxy, "proxy")?;
        let choice = BackendChoice::from_json(choice_json.get("choice_json")?)?;
        proxy.handle.call(|handle| Ok(handle.set_backend(choice)?))?;
        Ok(())
    })
}

/// Waits up to `timeout_ms` milliseconds for the next thing that happens to a request, and appends it to `out`: a JSON
/// object whose `type` is `request_started`, `first_token`, `tool_call`, `done`, `error`, `cancelled`, or `missed` where
/// nobody pulled for so long that the oldest events were dropped. Each event goes to one caller.
///
/// Fails with `ANYCLAUDE_TIMEOUT` when nothing came, and with `ANYCLAUDE_STOPPED` once the proxy has stopped and all
/// events have been given; a stop wakes all who wait. Fails with `ANYCLAUDE_WOULD_DEADLOCK` in a callback of the proxy.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_proxy_next_event(
    proxy: Option<&Proxy>,
    timeout_ms: u32,
    out: Option<NonNull<Buffer>>,
    error: Option<&mut MaybeUninit<Option<Box<Error>>>>,
) -> Status {
    told(proxy, out, error, |handle| {
        let event = handle.next_event(Duration::from_millis(timeout_ms.into()))?;
        event.map(|event| event.to_json()).ok_or_else(Error::timeout)
    })
}

/// Takes no more requests, waits up to `grace_ms` milliseconds for those in flight, then breaks them off. When it
/// returns, the log is closed and the threads of the proxy have ended, but for one that looks up a name or reads a large
/// document, which nothing can break off: it waits for those up to two seconds more than `grace_ms`, and they end by
/// themselves. Again, it does nothing; from several threads, all wait for the one stop. The proxy still tells its
/// counters, and the events that nobody has pulled.
///
/// Fails with `ANYCLAUDE_WOULD_DEADLOCK` in a callback of the proxy.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_proxy_stop(
    proxy: Option<&Proxy>,
    grace_ms: u32,
    error: Option<&mut MaybeUninit<Option<Box<Error>>>>,
) -> Status {
    guard(error, || {
        let proxy = required(proxy, "proxy")?;
        proxy.handle.call(|handle| Ok(handle.stop(Duration::from_millis(grace_ms.into()))?))
    })
}

/// Frees a proxy, once no thread uses it any more; one that runs is stopped first, without any grace: what is in flight
/// is broken off, and threads that cannot be are waited for up to two seconds, as by `anyclaude_proxy_stop`. Not from a
/// callback of the proxy. NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_proxy_free(proxy: Option<Box<Proxy>>) {
    free(proxy);
}

/// Appends what the proxy tells.
fn told(
    proxy: Option<&Proxy>,
    out: Option<NonNull<Buffer>>,
    error: Option<&mut MaybeUninit<Option<Box<Error>>>>,
    tell: impl FnOnce(&ProxyHandle) -> Result<String, Error>,
) -> Status {
    guard(error, || {
        let proxy = required(proxy, "proxy")?;
        append_text(out, || proxy.handle.call(tell))
    })
}
