//! What a format is, as data.

use super::lead::{Lead, after_blank, front, is_name, lead_any, may_name};
use super::out::Flow;
use super::payload::{
    Header, HeaderSpec, JsonCalls, JsonSpec, NameJson, NameSpec, Nested, NestedSpec, Payload, Python, PythonSpec,
    TagSpec, Tags, Whole,
};
use super::schema::Tools;

/// A way of writing tool calls and thinking.
#[derive(Debug)]
#[non_exhaustive]
pub struct Format {
    /// Its name, as users write it.
    pub name: &'static str,
    /// Patterns of the names of models that write it.
    pub models: &'static [&'static str],
    /// What opens its calls.
    pub(super) marks: &'static [Mark],
    /// What opens calls without a marker, or with one that ordinary text may hold.
    pub(super) bare: &'static [Mark],
    /// How its models mark thinking, beside `<think>`.
    pub(super) thinking: &'static [Pair],
    /// What may stand around the answer.
    pub(super) wraps: &'static [Pair],
    /// The ids that calls must have when they go back to the model.
    pub(crate) ids: CallIds,
}

/// The ids that a family's chat templates want calls to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallIds {
    /// Whatever they are.
    Any,
    /// Nine letters and digits.
    Nine,
    /// `functions.NAME:NUMBER`, counted over the whole dialogue.
    Numbered,
}

/// A format that says nothing of its own.
pub(super) const PLAIN: Format =
    Format { name: "", models: &[], marks: &[], bare: &[], thinking: &[], wraps: &[], ids: CallIds::Any };

/// Two markers with something between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) open: &'static str,
    pub(super) close: &'static str,
    /// Ordinary text may hold the opener: only the family's own models mean it.
    pub(super) prose: bool,
    /// The opener is one wherever it stands.
    pub(super) anywhere: bool,
}

impl Pair {
    pub(super) const fn new(open: &'static str, close: &'static str) -> Self {
        Pair { open, close, prose: false, anywhere: false }
    }
}

/// What most models put around their thinking.
pub(super) const THINK: Pair = Pair::new("<think>", "</think>");

/// A marker, what makes it one, and how to read on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    /// Empty for what stands at the start of an answer.
    pub(super) text: &'static str,
    pub(super) begins: Begins,
    pub(super) reads: Reads,
}

/// How a payload begins.
#[derive(Clone, Copy, Debug)]
pub(super) enum Begins {
    /// With one of these characters; white space or a fence may come first.
    Json(&'static str),
    /// With one of these tags; white space may come first.
    Tag(&'static [&'static str]),
    /// With a name that one of these ends.
    Name(&'static [&'static str]),
    /// With a list of objects, at once.
    List,
    /// With a list of calls of declared tools, as Python writes them.
    Python,
    /// With a name that the first ends, behind which the second stands.
    NameThen(&'static str, &'static str),
    /// With one of these tags, and then a name.
    TagName(&'static [&'static str], &'static [&'static str]),
    /// With a name on a line of its own, and one of these tags below it.
    Line(&'static [&'static str]),
    /// With the name of a declared tool or one of these words on a line of its own.
    Recipient(&'static [&'static str]),
    /// In whatever way, behind a header.
    Message,
    /// In whatever way.
    Anything,
}

/// How a payload is read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reads {
    Json(JsonSpec),
    /// As the whole output or not at all.
    WholeJson(JsonSpec),
    Name(NameSpec),
    Tags(TagSpec),
    /// Tags, the first of which is the marker itself.
    TagsAtName(TagSpec),
    Python(PythonSpec),
    WholePython(PythonSpec),
    Header(HeaderSpec),
    Nested(NestedSpec),
    /// Not at all: the marker ends a message.
    Nothing,
}

/// Whether a marker is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Yes,
    No,
    /// More must come first.
    Open,
}

impl Mark {
    pub(super) const fn new(text: &'static str, begins: Begins, reads: Reads) -> Self {
        Mark { text, begins, reads }
    }

    /// Whether it is about the voice of the model, not about calls.
    pub(super) fn is_structural(&self) -> bool {
        matches!(self.reads, Reads::Header(_) | Reads::Nothing)
    }

    /// Whether what stands behind the marker makes it one.
    pub(super) fn begins(&self, behind: &str, end: bool, tools: &Tools, flow: &Flow) -> Verdict {
        match self.begins {
            Begins::Message if !flow.has_channels => return Verdict::No,
            Begins::Message | Begins::Anything => return Verdict::Yes,
            _ => {}
        }
        let Some((_, text)) = after_blank(behind, end) else { return Verdict::Open };
        match self.begins {
            Begins::List if behind.is_empty() && !end => Verdict::Open,
            Begins::List if behind.starts_with('[') => json(behind, "[", end),
            Begins::List => Verdict::No,
            Begins::Python => python(text, end, tools),
            Begins::Json(firsts) => json(text, firsts, end),
            Begins::Tag(tags) => verdict(lead_any(text, tags, end)),
            Begins::Name(ends) => name(text, ends, end),
            Begins::NameThen(close, next) => match name(text, &[close], end) {
                Verdict::Yes => {
                    let behind = text.split_once(close).map_or("", |(_, behind)| behind);
                    match after_blank(behind, end) {
                        Some((_, behind)) => verdict(lead_any(behind, &[next], end)),
                        None => Verdict::Open,
                    }
                }
                found => found,
            },
            Begins::TagName(tags, ends) => match lead_any(text, tags, end) {
                Lead::Full(length) => match after_blank(text.get(length..).unwrap_or_default(), end) {
                    None => Verdict::Open,
                    Some((_, text)) => name(text, ends, end),
                },
                Lead::Partial => Verdict::Open,
                Lead::No => name(text, ends, end),
            },
            Begins::Line(tags) => line(text, tags, end, tools),
            Begins::Recipient(words) => recipient(behind, words, end, tools),
            Begins::Message | Begins::Anything => Verdict::Yes,
        }
    }

    /// What reads on behind the marker.
    pub(super) fn open(&self) -> Option<Box<dyn Payload>> {
        Some(match self.reads {
            Reads::Json(spec) => Box::new(JsonCalls::new(spec)),
            Reads::WholeJson(spec) => Box::new(Whole::new(Box::new(JsonCalls::new(spec)))),
            Reads::Name(spec) => Box::new(NameJson::new(spec)),
            Reads::Tags(spec) => Box::new(Tags::new(spec)),
            Reads::TagsAtName(spec) => Box::new(Tags::at_name(spec)),
            Reads::Python(spec) => Box::new(Python::new(spec)),
            Reads::WholePython(spec) => Box::new(Whole::new(Box::new(Python::new(spec)))),
            Reads::Header(spec) => Box::new(Header::new(spec)),
            Reads::Nested(spec) => Box::new(Nested::new(spec)),
            Reads::Nothing => return None,
        })
    }
}

fn verdict(lead: Lead) -> Verdict {
    match lead {
        Lead::Full(_) => Verdict::Yes,
        Lead::Partial => Verdict::Open,
        Lead::No => Verdict::No,
    }
}

fn json(text: &str, firsts: &str, end: bool) -> Verdict {
    let inside = match lead_any(text, &["```json", "```JSON", "```"], end) {
        Lead::Full(length) => text.get(length..).unwrap_or_default(),
        Lead::Partial => return Verdict::Open,
        Lead::No => text,
    };
    let Some((_, inside)) = after_blank(inside, end) else { return Verdict::Open };
    let Some(first) = inside.chars().next() else { return if end { Verdict::No } else { Verdict::Open } };
    if !firsts.contains(first) {
        return Verdict::No;
    }
    if first == '{' {
        return Verdict::Yes;
    }
    // A list of calls: an object comes first, if anything does.
    match after_blank(inside.get(1..).unwrap_or_default(), end) {
        None => Verdict::Open,
        Some((_, item)) if item.starts_with(['{', ']']) || (item.is_empty() && !end) => {
            if item.is_empty() {
                Verdict::Open
            } else {
                Verdict::Yes
            }
        }
        Some(_) => Verdict::No,
    }
}

/// The longest name of a tool.
const MAX_NAME: usize = 256;

fn name(text: &str, ends: &[&str], end: bool) -> Verdict {
    let at = text.find(|c| !is_name(c)).unwrap_or(text.len());
    if at > MAX_NAME {
        return Verdict::No;
    }
    if at == text.len() {
        return if end { Verdict::No } else { Verdict::Open };
    }
    let (name, rest) = text.split_at_checked(at).unwrap_or_default();
    if !may_name(name) {
        return Verdict::No;
    }
    match (lead_any(rest, ends, end), after_blank(rest, end)) {
        (Lead::Full(_), _) => Verdict::Yes,
        (Lead::Partial, _) | (_, None) => Verdict::Open,
        (_, Some((_, rest))) => verdict(lead_any(rest, ends, end)),
    }
}

fn python(text: &str, end: bool, tools: &Tools) -> Verdict {
    let Some(inside) = text.strip_prefix('[') else {
        return if text.is_empty() && !end { Verdict::Open } else { Verdict::No };
    };
    let Some((_, inside)) = after_blank(inside, end) else { return Verdict::Open };
    match name(inside, &["("], end) {
        Verdict::Yes if !tools.declares(inside.split('(').next().unwrap_or_default().trim_end()) => Verdict::No,
        found => found,
    }
}

fn line(text: &str, tags: &[&str], end: bool, tools: &Tools) -> Verdict {
    match name(text, tags, end) {
        Verdict::No if end && tools.declares(text.trim()) => Verdict::Yes,
        found => found,
    }
}

fn recipient(text: &str, words: &[&str], end: bool, tools: &Tools) -> Verdict {
    match front(text, MAX_NAME).split_once('\n') {
        Some((line, _)) if words.contains(&line.trim()) || tools.declares(line.trim()) => Verdict::Yes,
        Some(_) => Verdict::No,
        None if end || text.len() > MAX_NAME => Verdict::No,
        None => {
            // Blanks may stand on both sides of the word.
            let begun = text.trim_start();
            let may_be = |word: &str| {
                word.starts_with(begun) || begun.strip_prefix(word).is_some_and(|rest| rest.trim().is_empty())
            };
            if words.iter().copied().chain(tools.names()).any(may_be) { Verdict::Open } else { Verdict::No }
        }
    }
}
