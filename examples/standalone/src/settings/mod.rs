//! Settings: flags over variables over files over defaults, read by the core's one deserializer.

mod files;
mod flags;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use anyclaude_core::Config;
use anyclaude_core::backend::{Role, by_name};
use serde_json::{Map, Value};

pub(crate) use flags::Flags;

use crate::failure::Failure;

/// Settings that must not come from a project's file: a folder that was cloned from somewhere must not
/// choose a program to run, where this one writes, or who may talk to it.
const OWNERS_ONLY: [&str; 7] =
    ["claude_path", "home", "run_file", "host", "inbound_token", "allowed_hosts", "allowed_origins"];

/// The settings and where each comes from.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) config: Config,
    pub(crate) sources: BTreeMap<String, Source>,
    /// The files that were read.
    pub(crate) files: Vec<PathBuf>,
    /// What is odd and no error.
    pub(crate) notes: Vec<String>,
}

/// Where a setting comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    Default,
    File(PathBuf),
    Variable(String),
    Flag(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Default => f.write_str("default"),
            Source::File(path) => write!(f, "{}", path.display()),
            Source::Variable(name) => f.write_str(name),
            Source::Flag(flag) => f.write_str(flag),
        }
    }
}

/// Some settings with their sources.
struct Layer {
    values: Map<String, Value>,
    source: Box<dyn Fn(&str) -> Source>,
    of_project: bool,
}

impl Settings {
    /// Reads all layers; `defaults` are those of the command.
    pub(crate) fn load(flags: &Flags, defaults: &[(&str, Value)]) -> Result<Self, Failure> {
        let mut notes = Vec::new();
        let own = defaults.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        let mut layers = vec![Layer { values: own, source: Box::new(|_| Source::Default), of_project: false }];
        let mut read = Vec::new();
        for file in files::find()? {
            read.push(file.path.clone());
            let path = file.path;
            let source = move |_: &str| Source::File(path.clone());
            layers.push(Layer { values: file.values, source: Box::new(source), of_project: file.of_project });
        }
        layers.push(flags::variables(&mut notes)?);
        layers.push(flags.layer()?);
        let mut merged = Map::new();
        let mut sources = BTreeMap::new();
        for layer in layers {
            layer.check()?;
            for (key, value) in layer.values {
                sources.insert(key.clone(), (layer.source)(&key));
                merged.insert(key, value);
            }
        }
        let json = Value::Object(merged).to_string();
        let config = Config::from_json(json.as_bytes())?;
        let settings = Settings { config, sources, files: read, notes };
        settings.check()?;
        Ok(settings)
    }

    /// Where a setting comes from.
    pub(crate) fn source(&self, key: &str) -> Source {
        self.sources.get(key).cloned().unwrap_or(Source::Default)
    }

    fn check(&self) -> Result<(), Failure> {
        self.config.validate().map_err(|error| {
            let key = error.message().split(':').next().unwrap_or_default();
            match self.source(key) {
                Source::Default => Failure::settings(error.message()),
                source => Failure::settings(format!("{} (from {source})", error.message())),
            }
        })?;
        // A key that the user has set for one server must not go to another that a project names.
        let (url, key) = (self.source("backend_url"), self.source("api_key"));
        let is_projects = matches!(&url, Source::File(path) if files::is_projects(path));
        let passes = by_name(&self.config.backend).is_ok_and(|spec| spec.role == Role::PassThrough);
        if is_projects && passes {
            return Err(Failure::settings(format!(
                "backend_url: {url} names a server for {}, which would get your login; set it in your own file, as a \
                 variable or a flag",
                self.config.backend
            )));
        }
        let is_near = self.config.backend_url.as_deref().is_some_and(is_loopback);
        if is_projects && self.config.api_key.is_some() && url != key && !is_near {
            return Err(Failure::settings(format!(
                "backend_url: {url} names a server, but the key comes from {key}: it is not sent to a server that \
                 a project's file names; set both in one place"
            )));
        }
        Ok(())
    }
}

fn is_loopback(url: &str) -> bool {
    let host = url.split("://").nth(1).unwrap_or(url);
    ["127.0.0.1", "localhost", "[::1]"]
        .iter()
        .any(|name| host.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/'])))
}

impl Layer {
    /// Each layer is checked by itself, so that an error can say where it stands.
    fn check(&self) -> Result<(), Failure> {
        if let Some(key) = OWNERS_ONLY.iter().find(|key| self.of_project && self.values.contains_key(**key)) {
            let message = "it cannot stand in a project's file; set it in your own, as a variable or a flag";
            return Err(Failure::settings(format!("{}: {key}: {message}", (self.source)(key))));
        }
        let json = Value::Object(self.values.clone()).to_string();
        let Err(error) = Config::from_json(json.as_bytes()) else { return Ok(()) };
        let message = error.message().strip_prefix("config: ").unwrap_or(error.message());
        let key = message.split(':').next().unwrap_or_default();
        let what = message.get(key.len()..).unwrap_or_default();
        Err(Failure::settings(match (self.source)(key) {
            Source::Default => message.to_owned(),
            Source::File(path) => format!("{}: {message}", path.display()),
            source => format!("{source}{what}"),
        }))
    }
}
