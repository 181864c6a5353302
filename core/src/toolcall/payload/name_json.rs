//! A name in plain text, then its arguments as JSON.

use super::{Payload, Taken};
use crate::toolcall::arguments::Typed;
use crate::toolcall::json::{Dialect, Json};
use crate::toolcall::lead::{Lead, held, lead, lead_any, space};
use crate::toolcall::out::{Out, Piece};

/// The longest name.
pub(in crate::toolcall) const MAX_NAME: usize = 256;

/// What stands around name and arguments.
#[derive(Clone, Copy, Debug)]
pub(in crate::toolcall) struct NameSpec {
    /// What ends the name; `{` always does.
    pub(in crate::toolcall) name_end: &'static [&'static str],
    /// What may stand between the name's end and the arguments: all of it is left out.
    pub(in crate::toolcall) between: &'static [&'static str],
    /// Ends of a call; may be left out.
    pub(in crate::toolcall) close: &'static [&'static str],
    /// The tool's name in what was read as name, such as an id that holds it.
    pub(in crate::toolcall) name_of: fn(&str) -> &str,
    /// How strings are quoted.
    pub(in crate::toolcall) dialect: Dialect,
}

impl NameSpec {
    pub(in crate::toolcall) const PLAIN: NameSpec = NameSpec {
        name_end: &[],
        between: &[],
        close: &[],
        name_of: str::trim,
        dialect: Dialect { raw_quote: None },
    };
}

/// Reads one call.
#[derive(Debug)]
pub(in crate::toolcall) struct NameJson {
    spec: NameSpec,
    state: State,
    /// The marker and the name, until the call begins: it may be text after all.
    taken: String,
    name_from: usize,
}

#[derive(Debug)]
enum State {
    Name,
    Between(String),
    Arguments(Box<(Json, Typed)>),
    Close,
    Skip,
}

impl NameJson {
    /// Begins behind a marker, which is `opener` in the text.
    pub(in crate::toolcall) fn new(spec: NameSpec, opener: &str) -> Self {
        NameJson { spec, state: State::Name, taken: opener.to_owned(), name_from: opener.len() }
    }

    fn text(&mut self, out: &mut Out<'_>) {
        (out.sink)(Piece::Text(&std::mem::take(&mut self.taken)));
    }

    fn name(&mut self, rest: &str, end: bool, out: &mut Out<'_>) -> Taken {
        let brace = rest.find('{').map(|at| (at, 0));
        let ends = self.spec.name_end.iter().filter_map(|end| Some((rest.find(end)?, end.len())));
        let Some((at, length)) = ends.chain(brace).min() else {
            let too_long = self.taken.len() - self.name_from + rest.len() > MAX_NAME;
            if end || too_long {
                self.text(out);
                return Taken::over(0);
            }
            return Taken::more(0);
        };
        let name = (self.spec.name_of)(rest.get(..at).unwrap_or_default());
        let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | ':' | '/' | '-');
        if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(is_name) {
            self.text(out);
            return Taken::over(0);
        }
        self.taken.push_str(rest.get(..at + length).unwrap_or_default());
        self.state = State::Between(name.to_owned());
        Taken::more(at + length)
    }

    fn between(&mut self, rest: &str, end: bool, out: &mut Out<'_>) -> Taken {
        let State::Between(name) = &self.state else { return Taken::more(0) };
        let blank = space(rest);
        if blank > 0 {
            self.taken.push_str(rest.get(..blank).unwrap_or_default());
            return Taken::more(blank);
        }
        if rest.starts_with('{') {
            out.start(name);
            let typed = Typed::new(out.tools.properties(name));
            self.state = State::Arguments(Box::new((Json::new(self.spec.dialect), typed)));
            return Taken::more(0);
        }
        match lead_any(rest, self.spec.between) {
            Lead::Full(length) => {
                self.taken.push_str(rest.get(..length).unwrap_or_default());
                return Taken::more(length);
            }
            Lead::Partial if !end => return Taken::more(0),
            _ => {}
        }
        match lead_any(rest, self.spec.close) {
            // A call without arguments.
            Lead::Full(_) => {
                out.call(name, "{}");
                self.state = State::Close;
                Taken::more(0)
            }
            Lead::Partial if !end => Taken::more(0),
            _ => {
                self.text(out);
                Taken::over(0)
            }
        }
    }

    fn step(&mut self, rest: &str, end: bool, out: &mut Out<'_>) -> Taken {
        match &mut self.state {
            State::Name => self.name(rest, end, out),
            State::Between(_) => self.between(rest, end, out),
            State::Arguments(inside) => {
                let (json, typed) = &mut **inside;
                let read = json.read(rest, end, typed);
                if read.done {
                    let is_broken = json.is_broken();
                    json.close(typed);
                    typed.flush(out);
                    out.end();
                    self.state = if is_broken { State::Skip } else { State::Close };
                } else {
                    typed.flush(out);
                }
                Taken::more(read.bytes)
            }
            State::Close => {
                let blank = space(rest);
                let behind = rest.get(blank..).unwrap_or_default();
                if behind.is_empty() && !end {
                    return Taken::more(0);
                }
                match lead_any(behind, self.spec.close) {
                    Lead::Full(length) => Taken::over(blank + length),
                    Lead::Partial if !end && !self.spec.close.is_empty() => Taken::more(0),
                    _ => Taken::over(0),
                }
            }
            State::Skip => {
                let found = self.spec.close.iter().filter_map(|close| Some((rest.find(close)?, close.len()))).min();
                match found {
                    Some((at, length)) => Taken::over(at + length),
                    None if end || self.spec.close.is_empty() => Taken::over(0),
                    None => Taken::more(rest.len() - held(rest, self.spec.close.iter().copied())),
                }
            }
        }
    }
}

impl Payload for NameJson {
    fn take(&mut self, input: &str, end: bool, out: &mut Out<'_>) -> Taken {
        let mut at = 0;
        loop {
            let rest = input.get(at..).unwrap_or_default();
            if rest.is_empty() && !end {
                return Taken::more(at);
            }
            if rest.is_empty() {
                match &mut self.state {
                    State::Name => self.text(out),
                    // Nothing was said of arguments: there are none.
                    State::Between(_) => self.text(out),
                    State::Arguments(inside) => {
                        let (json, typed) = &mut **inside;
                        json.close(typed);
                        typed.flush(out);
                        out.end();
                    }
                    State::Close | State::Skip => {}
                }
                return Taken::over(at);
            }
            let before = std::mem::discriminant(&self.state);
            let taken = self.step(rest, end, out);
            at += taken.bytes;
            if taken.over {
                return Taken::over(at);
            }
            if taken.bytes == 0 && before == std::mem::discriminant(&self.state) {
                return Taken { bytes: at, over: end };
            }
        }
    }
}

/// Whether text behind a marker begins with a name that one of these ends; `None` while that is open.
pub(in crate::toolcall) fn begins_with_name(rest: &str, ends: &[&str]) -> Option<bool> {
    let rest = rest.trim_start();
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | ':' | '/' | '-');
    let Some(at) = rest.find(|c: char| !is_name(c)) else {
        return if rest.len() > MAX_NAME { Some(false) } else { None };
    };
    if at == 0 || at > MAX_NAME {
        return Some(false);
    }
    let behind = rest.get(at..).unwrap_or_default();
    let trimmed = behind.trim_start_matches([' ', '\t']);
    let mut open = trimmed.is_empty();
    for end in ends {
        for text in [behind, trimmed] {
            match lead(text, end) {
                Lead::Full(_) => return Some(true),
                Lead::Partial => open = true,
                Lead::No => {}
            }
        }
    }
    if open { None } else { Some(false) }
}
