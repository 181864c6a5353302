//! Run files: how `anyclaude status` and `anyclaude use` find running proxies.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::control::Control;
use super::{Config, private};
use crate::error::{Error, ErrorKind, Result};

/// What a running proxy tells of itself in its run file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RunFile {
    /// Where it listens.
    pub url: String,
    /// What lets a program control it.
    pub token: String,
    /// Its process.
    pub pid: u32,
    /// When it started, in milliseconds since the Unix epoch.
    pub started: u64,
    /// The version of this library.
    pub version: String,
}

impl RunFile {
    /// What the proxy of this file says at `/anyclaude/proof` about a nonce. Another program on its port cannot
    /// say it, so the token is shown to none.
    pub fn proof(&self, nonce: &str) -> String {
        super::control::proof(&self.token, nonce)
    }
}

/// The run files in the folder of these settings, newest first. They may be stale: a proxy that was killed
/// leaves its own behind, so each must be asked for a [proof](RunFile::proof) that it is the one.
///
/// # Errors
/// As [`Config::home_dir`].
pub fn running(config: &Config) -> Result<Vec<RunFile>> {
    let Ok(entries) = fs::read_dir(folder(config)?) else { return Ok(Vec::new()) };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut files: Vec<RunFile> = paths.filter_map(|path| read(&path)).collect();
    files.sort_by_key(|file| std::cmp::Reverse(file.started));
    Ok(files)
}

/// A run file of ours is small; what cannot be read is none.
fn read(path: &Path) -> Option<RunFile> {
    const MAX: u64 = 16 << 10;
    let is_ours = path.extension().is_some_and(|end| end == "json");
    let is_small = fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.len() <= MAX);
    serde_json::from_slice(&fs::read(path).ok().filter(|_| is_ours && is_small)?).ok()
}

fn folder(config: &Config) -> Result<PathBuf> {
    Ok(config.home_dir()?.join("run"))
}

/// The run file of this process; dropped, it is removed.
#[derive(Debug)]
pub(super) struct Kept(PathBuf);

impl Kept {
    pub(super) fn write(config: &Config, control: &Control, addr: SocketAddr) -> Result<Self> {
        let folder = folder(config)?;
        let fail = |error: std::io::Error| {
            let message =
                format!("home: no run file can be written to {}: {error}; choose another folder", folder.display());
            Error::new(ErrorKind::Io, message).with_source(error)
        };
        let pid = std::process::id();
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let file = RunFile {
            url: format!("http://{addr}"),
            token: control.token().to_owned(),
            pid,
            started: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        private::create_folder(&folder).map_err(fail)?;
        // One process may run several proxies; the port tells them apart. A file is complete when it appears.
        let path = folder.join(format!("{pid}-{}.json", addr.port()));
        let draft = path.with_extension("new");
        let _ = fs::remove_file(&draft);
        let mut options = OpenOptions::new();
        let mut out = private::open(options.write(true).create_new(true), &draft).map_err(fail)?;
        let json = serde_json::to_string(&file).unwrap_or_default();
        out.write_all(json.as_bytes()).and_then(|()| fs::rename(&draft, &path)).map_err(fail)?;
        Ok(Kept(path))
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
