//! Lets the other tasks run once, so that what has arrived together can be sent together.
//!
//! hyper reads the backend's connection in a task of its own, which hands over one event at a time,
//! and asks a reply's body again at once when it says "pending". So a plain yield would be over before
//! that task has run; this one tells a wake-up of its own from all others.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};

/// A turn given to the other tasks.
pub(super) struct Turn {
    over: Arc<Over>,
    /// Kept alive until its waker has been called.
    _yielding: Pin<Box<dyn Future<Output = ()> + Send>>,
}

struct Over {
    is_over: AtomicBool,
    task: Waker,
}

impl Wake for Over {
    fn wake(self: Arc<Self>) {
        self.is_over.store(true, Ordering::Release);
        self.task.wake_by_ref();
    }
}

impl Turn {
    /// Gives a turn; the task of `cx` is woken when it is over.
    pub(super) fn give(cx: &Context<'_>) -> Self {
        let over = Arc::new(Over { is_over: AtomicBool::new(false), task: cx.waker().clone() });
        let mut yielding: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(tokio::task::yield_now());
        let waker = Waker::from(Arc::clone(&over));
        if yielding.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            Arc::clone(&over).wake();
        }
        Turn { over, _yielding: yielding }
    }

    /// Whether the other tasks have run.
    pub(super) fn is_over(&self) -> bool {
        self.over.is_over.load(Ordering::Acquire)
    }
}
