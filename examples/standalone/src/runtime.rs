//! The runtime of the commands that need one.

use tokio::runtime::{Builder, Runtime};

/// On one core, threads would only wake each other.
pub(crate) fn runtime() -> std::io::Result<Runtime> {
    let has_one_core = std::thread::available_parallelism().is_ok_and(|cores| cores.get() == 1);
    if has_one_core { Builder::new_current_thread() } else { Builder::new_multi_thread() }.enable_all().build()
}
