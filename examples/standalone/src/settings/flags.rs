//! Flags and variables, one of each for every setting.

use anyclaude_core::Config;
use anyclaude_core::proxy::Setting;
use clap::{Arg, ArgAction, ArgMatches, Command, FromArgMatches};
use serde_json::{Map, Value};

use super::{Layer, Source};
use crate::failure::Failure;

/// The settings that were given as flags.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flags(Vec<(Setting, Vec<String>)>);

/// Variables that are no settings: the log filter of developers, and what tests of this project use.
const OTHER_VARIABLES: [&str; 5] =
    ["ANYCLAUDE_LOG", "ANYCLAUDE_BLESS", "ANYCLAUDE_BINARY", "ANYCLAUDE_TEST_CACHE", "ANYCLAUDE_E2E_NETWORK"];

/// Settings that programs set, and users have no use for on the command line.
fn is_flag(setting: &Setting) -> bool {
    !setting.is_secret && !matches!(setting.key.as_str(), "run_file" | "worker_threads")
}

impl clap::Args for Flags {
    fn augment_args(command: Command) -> Command {
        Config::settings().iter().filter(|setting| is_flag(setting)).fold(command, |command, s| command.arg(arg(s)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn arg(setting: &Setting) -> Arg {
    let arg = Arg::new(setting.key.clone()).long(setting.flag());
    let default = match &setting.default {
        // Each command has its own.
        _ if setting.key == "port" => String::new(),
        Value::String(text) => format!(" [default: {text}]"),
        Value::Number(number) => format!(" [default: {number}]"),
        _ => String::new(),
    };
    let about = setting.about.trim_end_matches('.').replace('`', "");
    let arg = arg.help(format!("{about} [env: {}]{default}", setting.variable()));
    let words = |arg: Arg| if setting.words.is_empty() { arg } else { arg.value_parser(setting.words.clone()) };
    match setting.kind.as_str() {
        "boolean" => arg.num_args(0..=1).require_equals(true).default_missing_value("true").value_name("BOOL"),
        "array" => arg.action(ArgAction::Append).value_delimiter(',').value_name(value_name(&setting.key)),
        _ => words(arg.value_name(value_name(&setting.key))),
    }
}

/// What help texts call the value.
fn value_name(key: &str) -> &'static str {
    match key.rsplit('_').next().unwrap_or(key) {
        "backend" => "KIND",
        "url" => "URL",
        "model" => "MODEL",
        "api" => "API",
        "tools" | "images" => "WHEN",
        "window" | "tokens" => "TOKENS",
        "host" => "ADDRESS",
        "port" => "PORT",
        "hosts" => "HOST",
        "origins" => "ORIGIN",
        "after" | "interval" | "timeout" | "age" => "TIME",
        "bytes" => "BYTES",
        "debug" => "LEVEL",
        "home" | "path" => "PATH",
        _ => "VALUE",
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = Config::settings().into_iter().filter(is_flag).filter_map(|setting| {
            let values = matches.get_many::<String>(&setting.key)?.cloned().collect();
            Some((setting, values))
        });
        Ok(Flags(given.collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Flags {
    pub(super) fn layer(&self) -> Result<Layer, Failure> {
        let mut values = Map::new();
        for (setting, given) in &self.0 {
            let value =
                value(setting, given).map_err(|what| Failure::settings(format!("--{}: {what}", setting.flag())))?;
            values.insert(setting.key.clone(), value);
        }
        let source = |key: &str| Source::Flag(format!("--{}", key.replace('_', "-")));
        Ok(Layer { values, source: Box::new(source), of_project: false })
    }
}

/// The settings among the environment's variables. An empty one is none.
pub(super) fn variables(notes: &mut Vec<String>) -> Result<Layer, Failure> {
    let settings = Config::settings();
    let mut values = Map::new();
    for setting in &settings {
        let name = setting.variable();
        let Some(given) = std::env::var_os(&name).filter(|given| !given.is_empty()) else { continue };
        let Some(given) = given.to_str() else {
            return Err(Failure::settings(format!("{name}: it is not UTF-8")));
        };
        let given: Vec<String> = match setting.kind.as_str() {
            "array" => given.split(',').map(|part| part.trim().to_owned()).collect(),
            _ => vec![given.to_owned()],
        };
        let value = value(setting, &given).map_err(|what| Failure::settings(format!("{name}: {what}")))?;
        values.insert(setting.key.clone(), value);
    }
    for (name, _) in std::env::vars_os() {
        let Some(name) = name.to_str().filter(|name| name.starts_with("ANYCLAUDE_")) else { continue };
        if !settings.iter().any(|setting| setting.variable() == name) && !OTHER_VARIABLES.contains(&name) {
            notes.push(format!("the variable {name} is no setting's; `anyclaude config show` lists those there are"));
        }
    }
    let source = move |key: &str| {
        let setting = settings.iter().find(|setting| setting.key == key);
        Source::Variable(setting.map_or_else(|| key.to_owned(), Setting::variable))
    };
    Ok(Layer { values, source: Box::new(source), of_project: false })
}

/// A value in JSON for the text that stands on a command line.
fn value(setting: &Setting, given: &[String]) -> Result<Value, String> {
    let text = given.last().map_or("", String::as_str);
    Ok(match setting.kind.as_str() {
        "array" => given.iter().map(String::as_str).filter(|text| !text.is_empty()).collect(),
        "integer" => text.parse::<u64>().map_err(|_| format!("{text:?} is no whole number"))?.into(),
        "boolean" => match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => true.into(),
            "false" | "0" | "no" | "off" => false.into(),
            _ => return Err(format!("{text:?} is neither true nor false")),
        },
        _ => text.into(),
    })
}
