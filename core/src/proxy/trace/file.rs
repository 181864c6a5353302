//! The files of traces: written in order, readable by their owner alone, removed when old.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::{Duration, SystemTime};

/// What the writer is told.
#[derive(Debug)]
pub(super) enum Message {
    /// A request begins.
    Begin { number: u64, request_id: String },
    /// A line of its file; `fields` is a JSON object on one line.
    Record { number: u64, ms: f64, stage: &'static str, fields: String },
    /// It has ended.
    End { number: u64 },
    /// Somebody waits until all that was sent before is written.
    Flush(SyncSender<()>),
}

/// The end of a trace's file name.
pub(super) const ENDING: &str = "jsonl";

/// After this many traces the folder is looked at again.
const CLEAN_EVERY: u64 = 32;

/// Owns the folder.
#[derive(Debug)]
pub(super) struct Keeper {
    folder: PathBuf,
    max_bytes: u64,
    max_age: Duration,
    open: HashMap<u64, File>,
    written: u64,
}

impl Keeper {
    pub(super) fn open(folder: PathBuf, max_bytes: u64, max_age: Duration) -> io::Result<Self> {
        crate::proxy::private::create_folder(&folder)?;
        let keeper = Keeper { folder, max_bytes, max_age, open: HashMap::new(), written: 0 };
        keeper.clean();
        Ok(keeper)
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
            Message::Begin { number, request_id } => {
                let now = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
                // Colons are no part of file names everywhere.
                let name = format!("{}-{request_id}.{ENDING}", now.replace(':', ""));
                let mut options = OpenOptions::new();
                options.create_new(true).append(true);
                let file = crate::proxy::private::open(&mut options, &self.folder.join(name))?;
                self.open.insert(number, file);
            }
            Message::Record { number, ms, stage, fields } => {
                let Some(file) = self.open.get_mut(&number) else { return Ok(()) };
                let mut line = format!("{{\"ms\":{ms:.3},\"stage\":\"{stage}\"");
                // The fields are an object: its members go behind ours.
                if let Some(members) = fields.strip_prefix('{').filter(|members| members.len() > 1) {
                    line.push(',');
                    line.push_str(members);
                } else {
                    line.push('}');
                }
                line.push('\n');
                file.write_all(line.as_bytes())?;
            }
            // Whoever waited may have given up.
            Message::Flush(waiting) => _ = waiting.try_send(()),
            Message::End { number } => {
                self.open.remove(&number);
                self.written += 1;
                if self.written.is_multiple_of(CLEAN_EVERY) {
                    self.clean();
                }
            }
        }
        Ok(())
    }

    /// Removes files that are too old, then the oldest until the rest is small enough.
    fn clean(&self) {
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
            let is_old = modified.elapsed().is_ok_and(|age| age > self.max_age);
            if (is_old || bytes > self.max_bytes) && fs::remove_file(&path).is_ok() {
                bytes -= size;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn files_are_private_and_old_ones_go() {
        let folder = std::env::temp_dir().join(format!("anyclaude-traces-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        let (sender, receiver) = channel();
        for number in 0..3 {
            sender.send(Message::Begin { number, request_id: format!("req_{number}") }).unwrap();
            let fields = format!("{{\"data\":\"{}\"}}", "x".repeat(1000));
            sender.send(Message::Record { number, ms: 0.5, stage: "backend", fields }).unwrap();
            sender.send(Message::Record { number, ms: 1.0, stage: "timing", fields: "{}".to_owned() }).unwrap();
            sender.send(Message::End { number }).unwrap();
        }
        drop(sender);
        Keeper::open(folder.clone(), u64::MAX, Duration::from_secs(60)).unwrap().run(&receiver);
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
        Keeper::open(folder.clone(), 2500, Duration::from_secs(60)).unwrap();
        assert_eq!(count(), 2, "the oldest went, by size");
        Keeper::open(folder.clone(), u64::MAX, Duration::ZERO).unwrap();
        assert_eq!(count(), 0, "all went, by age");
        fs::remove_dir_all(&folder).unwrap();
    }
}
