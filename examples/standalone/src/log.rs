//! The log: to standard error, or to a file where the terminal is Claude Code's.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Logs of launches are removed after this time.
const KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The filter for a level of `debug` and of `-v`.
fn filter(debug: u8, verbose: u8) -> EnvFilter {
    let level = match debug.max(verbose) {
        0 => "warn",
        1 => "anyclaude_core=info,anyclaude=info,warn",
        _ => "anyclaude_core=debug,anyclaude=debug,info",
    };
    EnvFilter::try_from_env("ANYCLAUDE_LOG").unwrap_or_else(|_| EnvFilter::new(level))
}

/// Logs to standard error.
pub(crate) fn to_stderr(debug: u8, verbose: u8) {
    let ansi = io::stderr().is_terminal();
    let log = tracing_subscriber::fmt().with_env_filter(filter(debug, verbose)).with_writer(io::stderr).with_ansi(ansi);
    // Another subscriber is there when a host program calls us; it stays.
    let _ = log.with_target(false).try_init();
}

/// Logs to a file in `folder`, which appears with the first line.
pub(crate) fn to_file(folder: &Path, debug: u8, verbose: u8) -> LogFile {
    let file =
        LogFile(Arc::new(Lazy { path: folder.join(format!("{}.log", std::process::id())), file: Mutex::default() }));
    remove_old(folder);
    let log =
        tracing_subscriber::fmt().with_env_filter(filter(debug, verbose)).with_writer(file.clone()).with_ansi(false);
    let _ = log.with_target(false).try_init();
    file
}

/// A log file that may not be there yet.
#[derive(Clone, Debug)]
pub(crate) struct LogFile(Arc<Lazy>);

#[derive(Debug)]
struct Lazy {
    path: PathBuf,
    file: Mutex<Option<File>>,
}

impl LogFile {
    /// Its path, if anything was written.
    pub(crate) fn written(&self) -> Option<&Path> {
        let file = self.0.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.is_some().then_some(self.0.path.as_path())
    }
}

impl MakeWriter<'_> for LogFile {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

impl Write for LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut slot = self.0.file.lock().unwrap_or_else(PoisonError::into_inner);
        let file = match &mut *slot {
            Some(file) => file,
            None => slot.insert(create(&self.0.path)?),
        };
        file.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// For its owner alone: a log tells of files and models.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    let mut folder = fs::DirBuilder::new();
    folder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
        options.mode(0o600);
        folder.mode(0o700);
    }
    if let Some(parent) = path.parent() {
        folder.create(parent)?;
    }
    options.open(path)
}

fn remove_old(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
        let age = entry.metadata().ok().and_then(|meta| meta.modified().ok()).and_then(|at| at.elapsed().ok());
        if age.is_some_and(|age| age > KEPT) && entry.path().extension().is_some_and(|end| end == "log") {
            let _ = fs::remove_file(entry.path());
        }
    }
}
