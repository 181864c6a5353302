//! From what a model writes to text, thinking and calls, while it comes.

mod answer;

use std::sync::Arc;

use serde_json::Value;

use crate::toolcall::choice::Selection;
use crate::toolcall::format::{Mark, Pair, Verdict};
use crate::toolcall::given::Choice;
use crate::toolcall::lead::{Lead, after_blank, lead};
use crate::toolcall::live::{Live, Seen, Target};
use crate::toolcall::out::{Flow, Out, Piece, Voice};
use crate::toolcall::payload::{Fate, Payload};
use crate::toolcall::schema::Tools;

/// Reads one answer. The pieces it gives are the same, put together, however the answer was cut.
///
/// ```
/// use anyclaude_core::toolcall::{Choice, Piece, ToolParser};
///
/// let tools = serde_json::json!([{"name": "find_ferry", "input_schema": {"type": "object"}}]);
/// let mut parser = ToolParser::new(Choice::Model("qwen3-8b"), tools.as_array().unwrap(), false);
/// let mut calls = Vec::new();
/// let mut sink = |piece: Piece<'_>| {
///     if let Piece::CallStart(name) = piece {
///         calls.push(name.to_owned());
///     }
/// };
/// parser.push("<tool_call>\n{\"name\": \"find_", &mut sink);
/// parser.push("ferry\", \"arguments\": {}}\n</tool_call>", &mut sink);
/// parser.finish(&mut sink);
/// assert_eq!(calls, ["find_ferry"]);
/// ```
#[derive(Debug)]
pub struct ToolParser {
    live: Arc<Live>,
    tools: Tools,
    flow: Flow,
    /// What came and was not looked at, or cannot be decided yet.
    pending: String,
    state: State,
    closers: Vec<&'static str>,
    /// A thought was begun by the prompt, and nothing of it has come.
    may_reopen: bool,
    /// The end of a thought may still come, although it is not open.
    closer_due: bool,
    /// How the answer was wrapped.
    wrapped: Option<&'static str>,
    /// The answer was not looked at as a whole.
    at_start: bool,
    /// Text that was no whole answer, to be looked at again.
    again: String,
    /// What a whole answer may be was looked for.
    bare_tried: bool,
    /// The last character of the text.
    last: char,
    /// What stood around the thinking.
    pair: Option<Pair>,
    /// Thinking was ended that nothing had begun.
    stray_closer: bool,
    /// Openers that the text speaks of, whose ends it will speak of, too.
    spoken: usize,
    /// A call came by another way just now: the end of its text may be left over.
    has_leftovers: bool,
}

/// The most bytes of what may become a call and is none yet. More of it is text, whatever it is: a whole file in
/// the arguments of a call without a marker is far below.
const MAX_HELD: usize = 8 << 20;

#[derive(Debug)]
enum State {
    Words,
    Payload {
        inside: Box<dyn Payload>,
        /// The payload and its marker, until a call is known.
        raw: String,
        /// How many calls there were before it.
        calls: usize,
        /// It began without a marker.
        is_bare: bool,
    },
}

impl ToolParser {
    /// A parser for one answer to a request with these tools: definitions as the Messages API has them.
    /// `prompt_opens_thinking` says that the prompt ended in the marker that opens thinking.
    pub fn new(choice: Choice<'_>, tools: &[Value], prompt_opens_thinking: bool) -> Self {
        let null = Value::Null;
        let named = |tool| Some((Value::as_str(Value::get(tool, "name")?)?, tool.get("input_schema").unwrap_or(&null)));
        let tools = Tools::new(tools.iter().filter_map(named));
        let selection = match choice {
            Choice::Any => Selection::default(),
            Choice::Format(format) => Selection::named(format),
            Choice::Model(name) => Selection::by_model(name),
        };
        ToolParser::with(&selection, tools, prompt_opens_thinking)
    }

    /// A parser for formats that have been decided on.
    pub(crate) fn with(selection: &Selection, tools: Tools, prompt_opens_thinking: bool) -> Self {
        let live = Live::of(selection, !tools.is_empty());
        let mut flow = Flow::new();
        let mut closers = Vec::new();
        if prompt_opens_thinking {
            flow.turn_to(Voice::Thinking);
            closers.clone_from(&live.closers);
        }
        ToolParser {
            live,
            tools,
            flow,
            pending: String::new(),
            state: State::Words,
            closers,
            may_reopen: prompt_opens_thinking,
            closer_due: !prompt_opens_thinking,
            wrapped: None,
            at_start: true,
            again: String::new(),
            bare_tried: false,
            last: '\n',
            pair: None,
            stray_closer: false,
            spoken: 0,
            has_leftovers: false,
        }
    }

    /// More of the answer.
    pub fn push(&mut self, text: &str, sink: &mut dyn FnMut(Piece<'_>)) {
        self.pending.push_str(text);
        self.advance(false, sink);
    }

    /// Nothing more comes: what was held back goes out, and what is open is closed.
    pub fn finish(&mut self, sink: &mut dyn FnMut(Piece<'_>)) {
        self.advance(true, sink);
        self.flow.finish(sink);
    }

    fn advance(&mut self, end: bool, sink: &mut dyn FnMut(Piece<'_>)) {
        let mut pending = std::mem::take(&mut self.pending);
        let mut at = 0;
        loop {
            let rest = pending.get(at..).unwrap_or_default();
            let step = match &mut self.state {
                State::Words if rest.is_empty() => None,
                State::Words => self.words(rest, end, sink),
                State::Payload { .. } => self.payload(rest, end, sink),
            };
            let Some(step) = step else { break };
            at += step;
            if !self.again.is_empty() {
                pending.replace_range(..at, &std::mem::take(&mut self.again));
                at = 0;
            }
        }
        pending.get(at..).unwrap_or_default().clone_into(&mut self.pending);
    }

    /// Reads on in a payload; `None` when more must come.
    fn payload(&mut self, rest: &str, end: bool, sink: &mut dyn FnMut(Piece<'_>)) -> Option<usize> {
        if rest.is_empty() && !end {
            return None;
        }
        let State::Payload { inside, raw, calls, is_bare } = &mut self.state else { return None };
        let mut out = Out { tools: &self.tools, flow: &mut self.flow, sink };
        let was_thinking = out.flow.voice() == Voice::Thinking;
        let ended = out.flow.ended;
        let taken = inside.take(rest, end, &mut out);
        if self.flow.ended > ended || self.flow.calls > self.flow.ended {
            raw.clear();
            self.last = '\n';
            self.closer_due |= was_thinking;
        } else {
            raw.push_str(rest.get(..taken.bytes).unwrap_or_default());
        }
        match taken.fate {
            Fate::Open if taken.bytes == 0 => return None,
            Fate::Open if raw.len() > MAX_HELD => {
                let raw = std::mem::take(raw);
                self.state = State::Words;
                self.say(&raw, sink);
            }
            Fate::Open => {}
            Fate::Over => self.state = State::Words,
            Fate::Text => {
                let raw = std::mem::take(raw);
                let is_bare = *is_bare && self.flow.calls == *calls;
                // The end of a call that it was read with is nobody's.
                self.has_leftovers |= self.flow.calls > *calls;
                self.state = State::Words;
                if is_bare {
                    // There may be calls in it. This happens once.
                    self.again = raw;
                } else {
                    self.say(&raw, sink);
                }
            }
        }
        Some(taken.bytes)
    }

    fn say(&mut self, words: &str, sink: &mut dyn FnMut(Piece<'_>)) {
        if let Some(last) = words.chars().next_back() {
            self.last = last;
        }
        self.flow.say(words, sink);
    }

    /// Reads on in text or thinking; `None` when more must come.
    fn words(&mut self, rest: &str, end: bool, sink: &mut dyn FnMut(Piece<'_>)) -> Option<usize> {
        if self.has_leftovers
            && let Some(step) = self.leftover(rest, end)
        {
            return step;
        }
        let is_start = if self.flow.voice() == Voice::Text { self.at_start } else { self.may_reopen };
        if is_start && let Some(step) = self.start(rest, end) {
            return step;
        }
        match self.live.scan(rest, end) {
            Seen::None(0) => None,
            Seen::None(at) => {
                self.say(rest.get(..at).unwrap_or_default(), sink);
                Some(at)
            }
            Seen::At(0, marker) => self.marker(marker, rest, end, sink),
            Seen::At(at, _) => {
                self.say(rest.get(..at).unwrap_or_default(), sink);
                Some(at)
            }
        }
    }

    /// What may stand at the start of a turn. `None` when it is nothing of that, `Some(None)` when more must come.
    fn start(&mut self, rest: &str, end: bool) -> Option<Option<usize>> {
        let Some((blank, behind)) = after_blank(rest, end) else { return Some(None) };
        let is_thinking = self.flow.voice() == Voice::Thinking;
        let mut is_open = false;
        if is_thinking || !self.flow.thought() {
            for pair in &self.live.pairs {
                match lead(behind, pair.open) {
                    Lead::Full(length) => {
                        self.flow.turn_to(Voice::Thinking);
                        (self.may_reopen, self.closer_due) = (false, false);
                        self.pair = Some(*pair);
                        if !is_thinking || self.closers.is_empty() {
                            self.closers = vec![pair.close];
                        }
                        return Some(Some(blank + length));
                    }
                    Lead::Partial if !end => is_open = true,
                    _ => {}
                }
            }
        }
        if is_thinking {
            self.may_reopen = is_open;
            return is_open.then_some(None);
        }
        if self.wrapped.is_none() {
            for wrap in &self.live.wraps {
                match lead(behind, wrap.open) {
                    Lead::Full(length) => {
                        self.wrapped = Some(wrap.close);
                        return Some(Some(blank + length));
                    }
                    Lead::Partial if !end => is_open = true,
                    _ => {}
                }
            }
        }
        let bare = if self.bare_tried { Vec::new() } else { self.live.bare.clone() };
        for mark in bare {
            match mark.begins(rest, end, &self.tools, &self.flow) {
                Verdict::Yes => {
                    (self.at_start, self.bare_tried) = (false, true);
                    self.open(mark, "");
                    return Some(Some(0));
                }
                Verdict::Open => is_open = true,
                Verdict::No => {}
            }
        }
        if is_open {
            return Some(None);
        }
        self.at_start = false;
        None
    }

    fn open(&mut self, mark: &'static Mark, marker: &str) {
        if let Some(inside) = mark.open() {
            self.state =
                State::Payload { inside, raw: marker.to_owned(), calls: self.flow.calls, is_bare: marker.is_empty() };
        }
    }

    /// A marker stands at the front of `rest`.
    fn marker(
        &mut self,
        marker: &'static str,
        rest: &str,
        end: bool,
        sink: &mut dyn FnMut(Piece<'_>),
    ) -> Option<usize> {
        let behind = rest.get(marker.len()..).unwrap_or_default();
        for target in self.live.targets(marker) {
            match target {
                Target::Mark(mark) => match mark.begins(behind, end, &self.tools, &self.flow) {
                    Verdict::Yes => {
                        self.at_start = false;
                        if mark.open().is_none() {
                            self.flow.turn_to(Voice::Text);
                        }
                        self.open(mark, marker);
                        return Some(marker.len());
                    }
                    Verdict::Open => return None,
                    Verdict::No => {}
                },
                Target::Opens(pair) if self.flow.voice() == Voice::Text => {
                    self.flow.turn_to(Voice::Thinking);
                    self.closers = vec![pair.close];
                    self.pair = Some(pair);
                    return Some(marker.len());
                }
                Target::Closes if self.flow.voice() == Voice::Thinking && !self.closers.contains(&marker) => {}
                Target::Closes if self.flow.voice() == Voice::Thinking => {
                    self.flow.turn_to(Voice::Text);
                    (self.at_start, self.closer_due, self.may_reopen) = (true, false, false);
                    self.pair = self.pair.or_else(|| self.live.pair_of(marker));
                    // It may begin the answer at the same time.
                    let wrap = self.live.wraps.iter().find(|wrap| wrap.open == marker);
                    self.wrapped = wrap.map(|wrap| wrap.close).or(self.wrapped);
                    return Some(marker.len());
                }
                Target::Speaks if self.flow.voice() == Voice::Text => self.spoken += 1,
                Target::Closes if self.spoken > 0 => self.spoken -= 1,
                Target::Closes if self.flow.is_fresh() && !self.flow.has_channels => {
                    let next = behind.chars().next().or(end.then_some('\n'))?;
                    self.closer_due = false;
                    self.met_closer(marker, next);
                    self.flow.turn_to(Voice::Text);
                    return Some(marker.len());
                }
                Target::Closes if self.closer_due => {
                    let next = behind.chars().next().or(end.then_some('\n'))?;
                    if !is_mention(self.last, next) {
                        self.closer_due = false;
                        self.met_closer(marker, next);
                        return Some(marker.len());
                    }
                }
                Target::Unwraps if self.wrapped == Some(marker) => match after_blank(behind, end) {
                    None => return None,
                    Some((blank, "")) => return Some(marker.len() + blank),
                    Some((_, next)) => match self.live.scan(next, end) {
                        Seen::At(0, _) => return Some(marker.len()),
                        Seen::None(0) => return None,
                        _ => {}
                    },
                },
                _ => {}
            }
        }
        self.say(marker, sink);
        Some(marker.len())
    }

    /// A closer without an opener, and the character behind it.
    fn met_closer(&mut self, marker: &str, next: char) {
        // Behind a call it is left over from a thought that the call has ended; in a sentence it is a word.
        let is_in_sentence = matches!(next, ' ' | '.' | ',' | ';' | ':' | ')' | '?' | '!');
        if self.flow.calls == 0 && self.pair.is_none() && !is_in_sentence {
            self.stray_closer = true;
            self.pair = self.live.pair_of(marker);
        }
    }
}

/// Whether a closer between these characters is only spoken of.
fn is_mention(before: char, behind: char) -> bool {
    let is_quote = |c| matches!(c, '`' | '"' | '\'');
    is_quote(before) || is_quote(behind) || (before == ' ' && matches!(behind, ' ' | '.' | ','))
}
