//! A call as one JSON object: a name and arguments, by whatever keys models use for them.

use serde_json::Value;

use crate::toolcall::arguments::Typed;
use crate::toolcall::json::{Dialect, Json, JsonSink, Kind};
use crate::toolcall::out::Out;
use crate::toolcall::schema::Tools;

/// Keys of the tool's name.
const NAMES: [&str; 3] = ["name", "tool_name", "function"];

/// Keys of the arguments.
const ARGUMENTS: [&str; 4] = ["arguments", "parameters", "args", "input"];

/// Reads one call object as it comes.
#[derive(Debug)]
pub(super) struct CallObject {
    json: Json,
    members: Members,
    started: bool,
}

#[derive(Debug, Default)]
struct Members {
    tools: Tools,
    /// The object is `{"NAME": {arguments}}`.
    keyed: bool,
    member: Member,
    in_value: bool,
    name: String,
    name_is_known: bool,
    /// Arguments, as JSON, that came before the name.
    early: String,
    /// Arguments that stream.
    typed: Option<Typed>,
    /// Arguments as a string that holds JSON.
    encoded: Option<String>,
    has_arguments: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Member {
    Name,
    Arguments,
    #[default]
    Other,
}

impl JsonSink for Members {
    fn key(&mut self, depth: usize, key: &str) {
        if depth == 1 {
            self.member = match key {
                _ if self.keyed && !self.name_is_known => {
                    self.named(key.to_owned());
                    Member::Arguments
                }
                key if NAMES.contains(&key) && !self.name_is_known => Member::Name,
                key if ARGUMENTS.contains(&key) && !self.has_arguments => Member::Arguments,
                _ => Member::Other,
            };
        } else if self.member == Member::Arguments
            && let Some(typed) = &mut self.typed
        {
            typed.key(depth - 1, key);
        }
    }

    fn begin(&mut self, depth: usize, kind: Kind) {
        if depth == 1 {
            self.in_value = true;
            if self.member == Member::Arguments {
                self.has_arguments = true;
                self.encoded = (kind == Kind::String).then(String::new);
            }
        }
        if depth > 0
            && self.member == Member::Arguments
            && let Some(typed) = &mut self.typed
        {
            typed.begin(depth - 1, kind);
        }
    }

    fn text(&mut self, depth: usize, json: &str) {
        if !self.in_value {
            return;
        }
        match self.member {
            Member::Name => self.name.push_str(json),
            Member::Arguments => match (&mut self.encoded, &mut self.typed) {
                (Some(encoded), _) => encoded.push_str(json),
                (None, Some(typed)) => typed.text(depth.saturating_sub(1), json),
                (None, None) => self.early.push_str(json),
            },
            Member::Other => {}
        }
    }

    fn end(&mut self, depth: usize) {
        if self.member == Member::Arguments
            && depth > 0
            && let Some(typed) = &mut self.typed
        {
            typed.end(depth - 1);
        }
        if depth != 1 {
            return;
        }
        self.in_value = false;
        if self.member == Member::Name {
            // A name that is no string is none; some models write {"function": {"name": ..}}.
            match serde_json::from_str(&self.name) {
                Ok(Value::String(name)) if !name.is_empty() => self.named(name),
                Ok(Value::Object(inner)) => self.nested(&inner),
                _ => self.name.clear(),
            }
        }
        if let (Member::Arguments, Some(encoded)) = (self.member, self.encoded.take()) {
            let text: String = serde_json::from_str(&encoded).unwrap_or_default();
            self.early = match text.trim() {
                "" => String::new(),
                object if object.starts_with('{') => object.to_owned(),
                other => Value::from_iter([("value", other)]).to_string(),
            };
        }
        self.member = Member::Other;
    }
}

impl Members {
    fn named(&mut self, name: String) {
        self.typed = Some(Typed::new(self.tools.properties(&name)));
        (self.name, self.name_is_known) = (name, true);
    }

    /// `{"function": {"name": .., "arguments": ..}}`, OpenAI's own form.
    fn nested(&mut self, inner: &serde_json::Map<String, Value>) {
        self.name.clear();
        if let Some(Value::String(name)) = inner.get("name") {
            self.named(name.clone());
        }
        if let Some(arguments) = ARGUMENTS.iter().find_map(|key| inner.get(*key)) {
            self.has_arguments = true;
            self.early = match arguments {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
        }
    }
}

/// How a call object ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// As JSON does.
    Whole,
    /// In the middle, or with something that is no JSON.
    Cut,
}

impl CallObject {
    pub(super) fn new(keyed: bool, tools: &Tools) -> Self {
        let members = Members { keyed, tools: tools.clone(), ..Members::default() };
        CallObject { json: Json::new(Dialect::default()), members, started: false }
    }

    /// Whether the client was told of the call.
    pub(super) fn has_started(&self) -> bool {
        self.started
    }

    /// Reads on; gives the bytes read, and how it ended if it did.
    pub(super) fn read(&mut self, input: &str, end: bool, out: &mut Out<'_>) -> (usize, Option<Ended>) {
        let read = self.json.read(input, end, &mut self.members);
        let is_over = read.done || (end && read.bytes == input.len());
        let ended = is_over.then(|| if read.done && !self.json.is_broken() { Ended::Whole } else { Ended::Cut });
        if ended == Some(Ended::Cut) {
            self.json.close(&mut self.members);
        }
        self.tell(out);
        if ended.is_some() && self.started {
            self.finish(out);
        }
        (read.bytes, ended)
    }

    /// Tells what can be told by now.
    fn tell(&mut self, out: &mut Out<'_>) {
        let members = &mut self.members;
        if !members.name_is_known {
            return;
        }
        if !std::mem::replace(&mut self.started, true) {
            out.start(&members.name);
        }
        let Some(typed) = &mut members.typed else { return };
        let early = std::mem::take(&mut members.early);
        if !early.is_empty() {
            let mut json = Json::new(Dialect::default());
            json.read(&early, true, typed);
            json.close(typed);
        }
        typed.flush(out);
    }

    fn finish(&mut self, out: &mut Out<'_>) {
        if !self.members.has_arguments {
            out.arguments("{}");
        }
        out.end();
    }
}
