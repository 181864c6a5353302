//! Virtual time that stands still while bytes are on their way.
//!
//! A paused runtime moves its clock as soon as none of its tasks can run, and bytes that the kernel
//! has and nobody has read yet are nothing to it: on a busy machine a timeout could fire although the
//! answer is there. A blocking task counts as work, so one that only waits holds the clock. It is
//! lifted where a test or the backend's script lets time pass, which each does only when everything
//! sent so far has been read.

use std::future::Future;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How long a hold may last in real time. Then the clock runs, and what never came is missed.
const HOLD: Duration = Duration::from_secs(30);

/// How long to wait for anything, in virtual time: longer than any script.
const PATIENCE: Duration = Duration::from_secs(4 * 3600);

#[derive(Clone, Default)]
pub struct Clock {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Dropped, it ends the task that holds the clock.
    hold: Option<mpsc::Sender<()>>,
    /// How many let time pass now.
    passing: usize,
    over: bool,
    /// A hold came to its end: something waited for time that the test did not give.
    overdue: bool,
}

impl Clock {
    /// A clock that stands. The runtime must have been started with its time paused.
    pub fn held() -> Self {
        let clock = Clock::default();
        clock.change(0);
        clock
    }

    /// Lets time pass.
    pub async fn pass(&self, time: Duration) {
        self.change(1);
        let _passing = Passing(self);
        tokio::time::sleep(time).await;
    }

    /// Lets everybody work off what has been sent, in a moment of real time.
    pub async fn settle(&self) {
        tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_millis(30))).await.unwrap();
    }

    /// Lets go of the clock for good, so that a second scene of a test has it for itself.
    pub fn release(&self) {
        let overdue = {
            let mut state = self.state.lock().unwrap();
            state.over = true;
            state.overdue
        };
        self.change(0);
        assert!(!overdue || std::thread::panicking(), "something happened only when the clock was let go");
    }

    fn change(&self, by: isize) {
        let mut state = self.state.lock().unwrap();
        state.passing = state.passing.checked_add_signed(by).unwrap();
        if state.passing > 0 || state.over {
            state.hold = None;
            return;
        }
        let (hold, held) = mpsc::channel();
        state.hold = Some(hold);
        let this = Arc::clone(&self.state);
        tokio::task::spawn_blocking(move || {
            if held.recv_timeout(HOLD) == Err(mpsc::RecvTimeoutError::Timeout) {
                this.lock().unwrap().overdue = true;
            }
        });
    }
}

struct Passing<'a>(&'a Clock);

impl Drop for Passing<'_> {
    fn drop(&mut self) {
        // A script may be dropped together with the runtime, which takes no more tasks then.
        if tokio::runtime::Handle::try_current().is_ok() {
            self.0.change(-1);
        }
    }
}

/// Waits for what must happen without any time passing.
pub async fn wait<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("{what}: it did not happen"))
}
