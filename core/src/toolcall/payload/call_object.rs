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

/// Keys that bare calls begin with.
const FIRST: [&str; 9] = ["name", "tool_name", "function", "arguments", "parameters", "args", "input", "type", "id"];

/// Reads one call object as it comes.
#[derive(Debug)]
pub(super) struct CallObject {
    json: Json,
    members: Members,
    rules: CallRules,
    /// The client was told of the call.
    started: bool,
    /// It calls no tool, and says so.
    is_silent: bool,
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
    /// The object began with a key that no call begins with.
    is_other: bool,
    has_member: bool,
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
            let first = !std::mem::replace(&mut self.has_member, true);
            self.is_other |= first && !FIRST.contains(&key);
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
            && self.encoded.is_none()
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
                self.encoded = (kind != Kind::Object).then(String::new);
            }
        }
        if depth > 0
            && self.member == Member::Arguments
            && self.encoded.is_none()
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
            && self.encoded.is_none()
            && let Some(typed) = &mut self.typed
        {
            typed.end(depth - 1);
        }
        if depth != 1 {
            return;
        }
        self.in_value = false;
        if self.member == Member::Name {
            // A name that is no string is none, nor is an ellipsis; some models write {"function": {"name": ..}}.
            match serde_json::from_str(&self.name) {
                Ok(Value::String(name)) if name.contains(char::is_alphanumeric) => self.named(name),
                Ok(Value::Object(inner)) => self.nested(&inner),
                _ => self.name.clear(),
            }
        }
        if let (Member::Arguments, Some(encoded)) = (self.member, self.encoded.take()) {
            self.early = object(&encoded);
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

/// Arguments that came as something else than an object: as a string that holds one, fenced or not, or as nothing.
pub(in crate::toolcall) fn object(json: &str) -> String {
    let value = serde_json::from_str(json).unwrap_or(Value::Null);
    let text = match &value {
        Value::String(text) => text.trim(),
        Value::Null => "",
        Value::Array(items) if items.is_empty() => "",
        _ => json,
    };
    let text = text.strip_prefix("```json").or_else(|| text.strip_prefix("```")).unwrap_or(text).trim_start();
    match text {
        "" | "null" | "None" => "{}".to_owned(),
        object if object.starts_with('{') => object.to_owned(),
        _ => {
            Value::from_iter([("value", if value.is_string() { Value::from(text) } else { value.clone() })]).to_string()
        }
    }
}

/// Which calls an object may be.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::toolcall) struct CallRules {
    /// Objects are `{"NAME": {arguments}}`.
    pub(in crate::toolcall) keyed: bool,
    /// Only of declared tools: everything else is text.
    pub(in crate::toolcall) declared: bool,
    /// The name of no tool at all, by which a model says that it calls none.
    pub(in crate::toolcall) none: &'static str,
}

impl CallRules {
    /// Whatever has a name is a call.
    pub(in crate::toolcall) const NONE: Self = CallRules { keyed: false, declared: false, none: "" };
}

/// How reading went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// More must come.
    Open,
    /// The object ended as JSON does.
    Whole,
    /// It ended in the middle, or with something that is no JSON.
    Cut,
    /// It is no call.
    NoCall,
}

impl CallObject {
    pub(super) fn new(rules: CallRules, tools: &Tools) -> Self {
        let members = Members { keyed: rules.keyed, tools: tools.clone(), ..Members::default() };
        CallObject { json: Json::new(Dialect::default()), members, rules, started: false, is_silent: false }
    }

    /// Reads on; gives the bytes read, and how it went.
    pub(super) fn read(&mut self, input: &str, end: bool, out: &mut Out<'_>) -> (usize, Progress) {
        let read = self.json.read(input, end, &mut self.members);
        let is_over = read.done || end;
        let is_cut = is_over && (!read.done || self.json.is_broken());
        // Where the arguments have ended, only the object around them is cut.
        let is_cut_inside = is_cut && end && self.members.in_value;
        if is_cut && !(is_cut_inside && self.started && !out.closes_cut()) {
            self.json.close(&mut self.members);
        }
        if !self.tell(out) || (is_over && !self.started && !self.is_silent) {
            return (read.bytes, Progress::NoCall);
        }
        if is_over && self.started {
            if !self.members.has_arguments {
                out.arguments("{}");
            }
            if is_cut_inside { out.end_cut() } else { out.end() }
        }
        let progress = if is_cut {
            Progress::Cut
        } else if is_over {
            Progress::Whole
        } else {
            Progress::Open
        };
        (read.bytes, progress)
    }

    /// Tells what can be told by now; false for what is no call.
    fn tell(&mut self, out: &mut Out<'_>) -> bool {
        let members = &mut self.members;
        if !members.name_is_known || self.is_silent {
            return !(self.rules.declared && members.is_other);
        }
        if !self.started {
            if self.rules.declared && !out.tools.declares(&members.name) {
                return false;
            }
            if members.name == self.rules.none {
                self.is_silent = true;
                return true;
            }
            self.started = true;
            out.start(&members.name);
        }
        let Some(typed) = &mut members.typed else { return true };
        let early = std::mem::take(&mut members.early);
        if !early.is_empty() && !members.in_value {
            let mut json = Json::new(Dialect::default());
            json.read(&early, true, typed);
            json.close(typed);
        } else {
            members.early = early;
        }
        typed.flush(out);
        true
    }
}
