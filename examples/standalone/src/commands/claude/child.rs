//! The child that the terminal belongs to: its signals, its stops, its exit code.

use std::io;
use std::process::Command;

/// Runs the command to its end; gives the exit code that a shell would give.
///
/// The terminal stays the child's: it is in our process group, gets the terminal's signals itself, and ours
/// only keep this process alive. What is sent to this process alone goes on to the child. When the child is
/// stopped (Ctrl-Z), this process stops with it, so that the shell comes back.
#[cfg(unix)]
pub(super) async fn run(mut command: Command) -> io::Result<u8> {
    use rustix::process::{Pid, Signal, kill_process};
    use tokio::signal::unix::{SignalKind, signal};

    // Before the child is there: no signal may end this process between.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut quit = signal(SignalKind::quit())?;
    let child = command.spawn()?;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let Some(pid) = pid else { return Err(io::Error::other("the child has no process id")) };
    let mut waiting = tokio::task::spawn_blocking(move || wait(pid));
    loop {
        let sign = tokio::select! {
            code = &mut waiting => return code.map_err(io::Error::other)?,
            _ = terminate.recv() => Signal::TERM,
            _ = hangup.recv() => Signal::HUP,
            _ = interrupt.recv() => continue,
            _ = quit.recv() => continue,
        };
        // A child that is gone is what is waited for.
        let _ = kill_process(pid, sign);
    }
}

/// Waits for the end of the child, and stops when it is stopped.
#[cfg(unix)]
fn wait(pid: rustix::process::Pid) -> io::Result<u8> {
    use rustix::process::{Signal, WaitOptions, getpid, kill_process, waitpid};
    loop {
        let status = match waitpid(Some(pid), WaitOptions::UNTRACED) {
            Ok(Some((_, status))) => status,
            Ok(None) => continue,
            Err(error) if error == rustix::io::Errno::INTR => continue,
            Err(error) => return Err(error.into()),
        };
        if status.stopped() {
            // Returns when somebody continues this process.
            kill_process(getpid(), Signal::STOP)?;
            let _ = kill_process(pid, Signal::CONT);
        } else if let Some(code) = status.exit_status() {
            return Ok(u8::try_from(code).unwrap_or(u8::MAX));
        } else if let Some(sign) = status.terminating_signal() {
            return Ok(u8::try_from(128 + sign).unwrap_or(u8::MAX));
        }
    }
}

#[cfg(not(unix))]
pub(super) async fn run(mut command: Command) -> io::Result<u8> {
    let mut child = command.spawn()?;
    let status = tokio::task::spawn_blocking(move || child.wait()).await.map_err(io::Error::other)??;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}
