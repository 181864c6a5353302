//! Reading a PDF with a limit on time, on a thread of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use super::{PdfError, PdfLimits, PdfText, extract};

/// Reads the text of a PDF on a thread of its own and waits at most `timeout` for it.
///
/// The thread has a larger stack than usual, for nested documents. One that is given up is told to
/// stop and ends soon in most cases; while too many of these still run, further calls fail with
/// [`PdfError::Busy`]. Blocks: call it off the async threads.
///
/// # Errors
/// Those of [`super::extract_text`], [`PdfError::TimedOut`] and [`PdfError::Busy`].
pub fn extract_with_deadline(bytes: Vec<u8>, limits: PdfLimits, timeout: Duration) -> Result<PdfText, PdfError> {
    if ABANDONED.load(Ordering::SeqCst) >= MAX_ABANDONED {
        return Err(PdfError::Busy);
    }
    let cancelled = Arc::new(AtomicBool::new(false));
    let state = Arc::new(AtomicU8::new(RUNNING));
    let (sender, receiver) = sync_channel(1);
    let job = {
        let (cancelled, state) = (Arc::clone(&cancelled), Arc::clone(&state));
        move || {
            let result = extract(&bytes, &limits, &cancelled);
            if state.swap(DONE, Ordering::SeqCst) == GIVEN_UP {
                ABANDONED.fetch_sub(1, Ordering::SeqCst);
            }
            // Fails only if nobody waits any more.
            let _ = sender.send(result);
        }
    };
    let spawned = thread::Builder::new().name("anyclaude-pdf".to_owned()).stack_size(STACK_BYTES).spawn(job);
    if spawned.is_err() {
        return Err(PdfError::Busy);
    }
    receiver.recv_timeout(timeout).unwrap_or_else(|error| match error {
        RecvTimeoutError::Timeout => {
            cancelled.store(true, Ordering::Relaxed);
            // Counted before it is marked, so that the thread never takes back what is not yet there.
            ABANDONED.fetch_add(1, Ordering::SeqCst);
            if state.compare_exchange(RUNNING, GIVEN_UP, Ordering::SeqCst, Ordering::SeqCst).is_err() {
                ABANDONED.fetch_sub(1, Ordering::SeqCst);
            }
            Err(PdfError::TimedOut)
        }
        RecvTimeoutError::Disconnected => Err(PdfError::Broken("its structure is damaged".to_owned())),
    })
}

/// Threads that were given up and still run, in the whole process.
static ABANDONED: AtomicUsize = AtomicUsize::new(0);

/// One keeps a core busy; a second one may be a coincidence, a third one is an attack.
const MAX_ABANDONED: usize = 2;

/// Only touched pages cost memory. The guards keep recursion below a few megabytes; the rest is
/// distance to the edge, since a stack overflow ends the whole process.
const STACK_BYTES: usize = 64 << 20;

const RUNNING: u8 = 0;
const GIVEN_UP: u8 = 1;
const DONE: u8 = 2;
