//! Messages with a header that says what they are: thinking, text or a call.

use super::{Fate, Machine, Payload, Taken, run};
use crate::toolcall::arguments::Typed;
use crate::toolcall::json::{Dialect, Json};
use crate::toolcall::lead::{Found, Lead, MAX_NAME, after_blank, lead_any, scan_near};
use crate::toolcall::out::{Out, Voice};

/// The words of headers.
#[derive(Clone, Copy, Debug)]
pub(in crate::toolcall) struct HeaderSpec {
    /// What ends a header.
    pub(in crate::toolcall) body: &'static [&'static str],
    /// What ends it, too, and is read next.
    pub(in crate::toolcall) next: &'static [&'static str],
    /// Words of headers whose messages are thinking.
    pub(in crate::toolcall) thinking: &'static [&'static str],
    /// Receivers that are the user.
    pub(in crate::toolcall) user: &'static [&'static str],
    /// What may stand behind the arguments of a call.
    pub(in crate::toolcall) after: &'static [&'static str],
}

/// Reads a header, and the call below it if it is one.
#[derive(Debug)]
pub(in crate::toolcall) struct Header {
    spec: HeaderSpec,
    state: State,
}

#[derive(Debug)]
pub(super) enum State {
    Header,
    Arguments(Box<(Json, Typed)>),
    After,
}

impl Header {
    /// Begins behind what opens a header.
    pub(in crate::toolcall) fn new(spec: HeaderSpec) -> Self {
        Header { spec, state: State::Header }
    }

    fn header(&mut self, rest: &str, end: bool, out: &mut Out<'_>) -> Taken {
        let ends: Vec<&str> = self.spec.body.iter().chain(self.spec.next).copied().collect();
        let (at, which) = match scan_near(rest, &ends, end) {
            Found::At(at, which) if at <= MAX_NAME => (at, which),
            Found::Hold(at) if at <= MAX_NAME && !end => return Taken::more(0),
            _ => return Taken::text(0),
        };
        if which >= self.spec.body.len() {
            out.flow.open_channel(Voice::Text);
            return Taken::over(at);
        }
        let taken = at + ends.get(which).map_or(0, |body| body.len());
        let words = rest.get(..taken).unwrap_or_default();
        let to = words.split_once("to=").map(|(_, to)| to.split([' ', '<', '\n']).next().unwrap_or_default());
        let of = |list: &[&str]| list.iter().any(|word| to == Some(word) || (to.is_none() && words.contains(word)));
        if of(self.spec.thinking) {
            out.flow.open_channel(Voice::Thinking);
            return Taken::over(taken);
        }
        let Some(name) = to.filter(|to| !self.spec.user.contains(to)) else {
            out.flow.open_channel(Voice::Text);
            return Taken::over(taken);
        };
        let name = name.strip_prefix("functions.").unwrap_or(name);
        if out.tools.is_empty() || name.is_empty() {
            return Taken::text(0);
        }
        // What is no object is a message to a tool of the model's own.
        let Some((blank, body)) = after_blank(rest.get(taken..).unwrap_or_default(), end) else {
            return Taken::more(0);
        };
        let ends = lead_any(body, self.spec.after, end);
        if !body.starts_with('{') && !body.is_empty() && !matches!(ends, Lead::Full(_)) {
            if ends == Lead::Partial && !end {
                return Taken::more(0);
            }
            out.flow.open_channel(Voice::Text);
            return Taken::over(taken);
        }
        out.flow.open_channel(Voice::Text);
        out.start(name);
        if body.starts_with('{') {
            let typed = Typed::new(out.tools.properties(name));
            self.state = State::Arguments(Box::new((Json::new(Dialect::default()), typed)));
        } else {
            out.arguments("{}");
            out.end();
            self.state = State::After;
        }
        Taken::more(taken + blank)
    }
}

impl Machine for Header {
    type Mark = std::mem::Discriminant<State>;

    fn mark(&self) -> Self::Mark {
        std::mem::discriminant(&self.state)
    }

    fn step(&mut self, rest: &str, end: bool, out: &mut Out<'_>) -> Taken {
        match &mut self.state {
            State::Header => self.header(rest, end, out),
            State::Arguments(inside) => {
                let (json, typed) = &mut **inside;
                let read = json.read(rest, end, typed);
                if read.done {
                    json.close(typed);
                }
                typed.flush(out);
                if read.done {
                    out.end();
                    self.state = State::After;
                }
                Taken::more(read.bytes)
            }
            State::After => {
                let Some((blank, behind)) = after_blank(rest, end) else { return Taken::more(0) };
                match lead_any(behind, self.spec.after, end) {
                    Lead::Full(length) => Taken::over(blank + length),
                    Lead::Partial if !end => Taken::more(0),
                    _ => Taken::over(0),
                }
            }
        }
    }

    fn at_end(&mut self, out: &mut Out<'_>) -> Fate {
        match &mut self.state {
            State::Header => Fate::Text,
            State::Arguments(inside) => {
                if out.closes_cut() {
                    inside.0.close(&mut inside.1);
                }
                inside.1.flush(out);
                out.end_cut();
                Fate::Over
            }
            State::After => Fate::Over,
        }
    }
}

impl Payload for Header {
    fn take(&mut self, input: &str, end: bool, out: &mut Out<'_>) -> Taken {
        run(self, input, end, out)
    }
}
