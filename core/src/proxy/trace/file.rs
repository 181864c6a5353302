//! The files of traces: written in order, readable by their owner alone, removed when old.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::{Duration, SystemTime};

use crate::secret::Secrets;

/// Makes the fields of a record, a JSON object on one line, without the secrets it is given.
pub(super) type Fields = Box<dyn FnOnce(&Secrets) -> String + Send>;

/// What the writer is told.
pub(super) enum Message {
    /// A request begins; these secrets are masked in all of its records.
    Begin { number: u64, request_id: String, secrets: Secrets },
    /// A line of its file, and how many bytes of memory it held while it waited.
    Record { number: u64, ms: f64, stage: &'static str, bytes: usize, fields: Fields },
    /// It has ended.
    End { number: u64 },
    /// Somebody waits until all that was sent before is written.
    Flush(SyncSender<()>),
}

/// The end of a trace's file name.
pub(super) const ENDING: &str = "jsonl";

/// After this many traces the folder is looked at again.
const CLEAN_EVERY: u64 = 32;

/// And after this part of the bytes that it may hold.
const CLEAN_PART: u64 = 8;

/// Owns the folder.
pub(super) struct Keeper {
    folder: PathBuf,
    max_bytes: u64,
    max_age: Duration,
    open: HashMap<u64, Open>,
    waiting: Arc<AtomicUsize>,
    traces_since: u64,
    bytes_since: u64,
}

/// A trace that is being written.
struct Open {
    file: File,
    path: PathBuf,
    secrets: Secrets,
    bytes: u64,
}

impl Keeper {
    pub(super) fn open(folder: PathBuf, max_bytes: u64, max_age: Duration) -> io::Result<Self> {
        crate::proxy::private::create_folder(&folder)?;
        let mut keeper = Keeper {
            folder,
            max_bytes,
            max_age,
            open: HashMap::new(),
            waiting: Arc::default(),
            traces_since: 0,
            bytes_since: 0,
        };
        keeper.clean();
        Ok(keeper)
    }

    /// How many bytes wait to be written.
    pub(super) fn waiting(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.waiting)
    }

    /// Writes until every sender is gone.
    pub(super) fn run(mut self, messages: &Receiver<Message>) {
        while let Ok(message) = messages.recv() {
            if let Err(error) = self.take(message) {
                tracing::warn!(%error, "a trace could not be written");
            }
        }
    }

    fn take(&mut self, message: Message) -> io::Result<()> {
        match message {
            Message::Begin { number, request_id, secrets } => self.begin(number, &request_id, secrets)?,
            Message::Record { number, ms, stage, bytes, fields } => {
                let written = self.write(number, ms, stage, fields);
                self.waiting.fetch_sub(bytes, Ordering::Relaxed);
                if written.is_err() {
                    // One warning for a trace is enough.
                    self.open.remove(&number);
                }
                written?;
            }
            // Whoever waited may have given up.
            Message::Flush(waiting) => _ = waiting.try_send(()),
            Message::End { number } => {
                self.open.remove(&number);
                self.traces_since += 1;
            }
        }
        if self.traces_since >= CLEAN_EVERY || self.bytes_since > self.max_bytes / CLEAN_PART {
            self.clean();
        }
        Ok(())
    }

    fn begin(&mut self, number: u64, request_id: &str, secrets: Secrets) -> io::Result<()> {
        let now = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
        // Colons are no part of file names everywhere.
        let path = self.folder.join(format!("{}-{request_id}.{ENDING}", now.replace(':', "")));
        let mut options = OpenOptions::new();
        options.create_new(true).append(true);
        let file = crate::proxy::private::open(&mut options, &path)?;
        self.open.insert(number, Open { file, path, secrets, bytes: 0 });
        Ok(())
    }

    fn write(&mut self, number: u64, ms: f64, stage: &'static str, fields: Fields) -> io::Result<()> {
        let Some(open) = self.open.get_mut(&number) else { return Ok(()) };
        // No single stream may fill the disk; how it ended is told all the same.
        if open.bytes > self.max_bytes && matches!(stage, "backend" | "client") {
            return Ok(());
        }
        let fields = fields(&open.secrets);
        let mut line = format!("{{\"ms\":{ms:.3},\"stage\":\"{stage}\"");
        // The fields are an object: its members go behind ours.
        if let Some(members) = fields.strip_prefix('{').filter(|members| members.len() > 1) {
            line.push(',');
            line.push_str(members);
        } else {
            line.push('}');
        }
        line.push('\n');
        let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
        open.bytes = open.bytes.saturating_add(length);
        self.bytes_since = self.bytes_since.saturating_add(length);
        open.file.write_all(line.as_bytes())
    }

    /// Removes files that are too old, then the oldest until the rest is small enough.
    fn clean(&mut self) {
        (self.traces_since, self.bytes_since) = (0, 0);
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        let mut files: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
        for entry in entries.filter_map(Result::ok) {
            let path = entry.path();
            let Ok(meta) = entry.metadata() else { continue };
            if meta.is_file() && path.extension().is_some_and(|end| end == ENDING) {
                files.push((meta.modified().unwrap_or(SystemTime::UNIX_EPOCH), meta.len(), path));
            }
        }
        files.sort();
        let mut bytes: u64 = files.iter().map(|(_, size, _)| size).sum();
        for (modified, size, path) in files {
            let is_open = self.open.values().any(|open| open.path == path);
            let is_old = modified.elapsed().is_ok_and(|age| age > self.max_age);
            if !is_open && (is_old || bytes > self.max_bytes) && fs::remove_file(&path).is_ok() {
                bytes -= size;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Sender, channel};

    fn write_trace(sender: &Sender<Message>, number: u64) {
        let record = |stage, bytes, fields: String| {
            let fields: Fields = Box::new(move |_| fields);
            sender.send(Message::Record { number, ms: 0.5, stage, bytes, fields }).unwrap();
        };
        let request_id = format!("req_{number}");
        sender.send(Message::Begin { number, request_id, secrets: Secrets::default() }).unwrap();
        record("backend", 1000, format!("{{\"data\":\"{}\"}}", "x".repeat(1000)));
        record("timing", 0, "{}".to_owned());
        sender.send(Message::End { number }).unwrap();
    }

    #[test]
    fn files_are_private_and_old_ones_go() {
        let folder = std::env::temp_dir().join(format!("anyclaude-traces-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        let (sender, receiver) = channel();
        for number in 0..3 {
            write_trace(&sender, number);
        }
        drop(sender);
        let keeper = Keeper::open(folder.clone(), u64::MAX, Duration::from_secs(60)).unwrap();
        let waiting = keeper.waiting();
        waiting.store(3000, Ordering::Relaxed);
        keeper.run(&receiver);
        assert_eq!(waiting.load(Ordering::Relaxed), 0);
        let count = || fs::read_dir(&folder).unwrap().count();
        assert_eq!(count(), 3);
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            assert_eq!((&lines[0]["stage"], &lines[1]["stage"]), (&"backend".into(), &"timing".into()));
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            }
        }
        let (sender, receiver) = channel();
        (3..9).for_each(|number| write_trace(&sender, number));
        drop(sender);
        Keeper::open(folder.clone(), 2500, Duration::from_secs(60)).unwrap().run(&receiver);
        assert_eq!(count(), 2, "the folder is looked at after bytes, too");
        Keeper::open(folder.clone(), 2500, Duration::from_secs(60)).unwrap();
        assert_eq!(count(), 2, "the oldest went, by size");
        Keeper::open(folder.clone(), u64::MAX, Duration::ZERO).unwrap();
        assert_eq!(count(), 0, "all went, by age");
        fs::remove_dir_all(&folder).unwrap();
    }
}
