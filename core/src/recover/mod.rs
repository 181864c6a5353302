//! Calls and thinking that an answer holds as text, found on the way from decoder to encoder.
//!
//! Servers pass on what models write: calls as text beside the server's own calls, thinking in the text, calls in
//! the thinking. [`Recovery`] is a sink that feeds a sink, so whatever lies behind it sees one kind of answer.

mod echo;
mod native;
mod pieces;
mod plan;

use crate::event::{Event, EventSink, Stop};
use crate::session::KeptText;
use crate::toolcall::{ToolParser, Voice};
use crate::translate::RequestContext;
use crate::wire::JsonText;
use echo::{Echoes, Origin};
use native::NativeCall;
use pieces::Pieces;
pub(crate) use plan::RecoveryPlan;

/// Looks through one answer.
#[derive(Debug)]
pub(crate) struct Recovery {
    plan: RecoveryPlan,
    /// Reads the text; `None` where it is passed on as it is.
    text: Option<ToolParser>,
    /// Reads thinking that the server has told from text itself, as long as it goes on.
    thinking: Option<ToolParser>,
    said_text: bool,
    echoes: Echoes,
    /// Thinking that came while a call was open.
    late: KeptText,
    /// The text as it came, escaped, where it is wanted.
    came: KeptText,
    /// What was taken for thinking because the prompt seemed to open it, escaped.
    guessed: KeptText,
    /// The answer met its limit.
    is_long: bool,
    /// The server makes calls of its own.
    is_native: bool,
    /// The one that comes now.
    call: Option<NativeCall>,
    /// Calls found in text: begun and ended.
    begun: usize,
    ended: usize,
    found: Found,
}

/// What an answer has shown of its model and its server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Thinking was ended that nothing had begun: the prompt opens it.
    pub(crate) prompt_opened: bool,
    /// Thinking that the prompt was said to open never ended.
    pub(crate) never_closed: bool,
    /// What stood around thinking that came as text.
    pub(crate) pair: Option<(&'static str, &'static str)>,
    /// The server told thinking from text itself.
    pub(crate) separate: bool,
    /// The last call that came as text was cut off.
    pub(crate) cut: bool,
    /// Thinking that the prompt was said to open ended with a call, and in no other way.
    pub(crate) ended_by_call: bool,
    /// What was taken for thinking was the answer, and was told as text once more.
    pub(crate) was_no_thought: bool,
}

impl Recovery {
    pub(crate) fn new(context: &RequestContext) -> Self {
        Recovery {
            text: context.recovery.parser(&context.tools),
            plan: context.recovery.clone(),
            thinking: None,
            said_text: false,
            echoes: Echoes::default(),
            late: KeptText::default(),
            came: KeptText::default(),
            guessed: KeptText::default(),
            is_long: false,
            is_native: false,
            call: None,
            begun: 0,
            ended: 0,
            found: Found::default(),
        }
    }

    /// The sink to decode into; what is found goes on to `next`.
    pub(crate) fn before<'r>(&'r mut self, context: &'r RequestContext, next: &'r mut dyn EventSink) -> Recover<'r> {
        Recover { recovery: self, context, next }
    }

    /// The answer is over: what was held back goes out.
    pub(crate) fn finish(&mut self, next: &mut dyn EventSink) {
        self.end_thinking(next);
        if let Some(mut parser) = self.text.take() {
            let is_unclosed = self.plan.prompt_opens_thinking && self.said_text && parser.thinking_pair().is_none();
            self.found.never_closed = is_unclosed && parser.is_thinking() && parser.calls() == 0 && !self.is_long;
            self.found.ended_by_call = is_unclosed && parser.calls() > 0;
            self.read(&mut parser, Read::End, Origin::Text, next);
            self.found.cut = parser.was_cut();
            self.look_at(&parser);
            // A thought that was begun by nobody and never ended was the answer, after all.
            if self.found.never_closed && self.plan.is_guess {
                self.found.was_no_thought = true;
                next.event(Event::Text(JsonText::escaped(self.guessed.get())));
            }
        }
        self.echoes.release(next);
        self.ended = self.begun;
        self.say_late(next);
    }

    /// The prompt had opened the thinking: that has shown before this answer was read again.
    pub(crate) fn knows_prompt_opened(&mut self) {
        self.found.prompt_opened = true;
    }

    /// Calls were made and each is complete. `native` tells it of the server's own.
    pub(crate) fn calls_complete(&self, native: bool) -> bool {
        let is_open = self.is_open() || self.found.cut;
        if self.begun > 0 && !self.is_native { !is_open } else { native && !is_open }
    }

    /// Something was said that is held back still.
    pub(crate) fn holds(&self) -> bool {
        self.said_text
    }

    /// The text as it came, escaped; empty where nobody wants it.
    pub(crate) fn came(&self) -> String {
        let came = self.came.get();
        let opened = self.plan.prompt_opens_thinking || self.found().prompt_opened;
        // What the prompt has begun is part of the answer once it stands in the history.
        match self.found().pair {
            Some((open, _)) if opened && !came.is_empty() && !came.starts_with(open) => format!("{open}\\n{came}"),
            _ => came.to_owned(),
        }
    }

    /// What the answer has shown so far.
    pub(crate) fn found(&self) -> Found {
        let mut found = self.found;
        if let Some(parser) = &self.text {
            found.prompt_opened |= parser.met_stray_closer();
            found.pair = found.pair.or_else(|| parser.thinking_pair());
        }
        found
    }

    fn look_at(&mut self, parser: &ToolParser) {
        self.found.prompt_opened |= parser.met_stray_closer();
        self.found.pair = self.found.pair.or_else(|| parser.thinking_pair());
    }

    fn is_open(&self) -> bool {
        self.begun > self.ended
    }

    /// A call in the text was cut off, whatever the server says of the end.
    pub(crate) fn was_cut(&self) -> bool {
        self.found.cut
    }

    fn text(&mut self, text: &JsonText<'_>, next: &mut dyn EventSink) {
        self.end_thinking(next);
        if self.plan.keeps_text {
            self.came.push(text.as_escaped());
        }
        let Some(mut parser) = self.text.take() else { return next.event(Event::Text(text.borrowed())) };
        self.said_text |= !text.is_blank();
        if self.plan.is_guess && self.plan.prompt_opens_thinking && parser.is_thinking() && !self.guess(text) {
            parser.gives_up_thinking();
        }
        match parser.passes(text.as_escaped()) {
            Some(Voice::Text) => next.event(Event::Text(text.borrowed())),
            Some(Voice::Thinking) => next.event(Event::Thinking(text.borrowed())),
            None => self.read(&mut parser, Read::More(text), Origin::Text, next),
        }
        self.text = Some(parser);
        self.say_late(next);
    }

    /// Remembers what may be no thought; false where it is too long to be told again.
    fn guess(&mut self, text: &JsonText<'_>) -> bool {
        self.guessed.push(text.as_escaped());
        !self.guessed.get().is_empty() || text.is_empty()
    }

    fn thinking(&mut self, text: &JsonText<'_>, context: &RequestContext, next: &mut dyn EventSink) {
        if self.text.is_none() {
            return next.event(Event::Thinking(text.borrowed()));
        }
        if !self.found.separate {
            self.found.separate = true;
            // The server reads the thinking: what it calls text is none.
            if !self.said_text && self.plan.prompt_opens_thinking {
                self.plan.prompt_opens_thinking = false;
                self.text = self.plan.parser(&context.tools);
            }
            if let Some(parser) = &mut self.text {
                parser.expects_no_closer();
            }
        }
        if self.is_open() && self.thinking.is_none() {
            return self.late.push(text.as_escaped());
        }
        let mut parser = match self.thinking.take() {
            Some(parser) => parser,
            None => match self.plan.thinking_parser(&context.tools) {
                Some(parser) => parser,
                None => return next.event(Event::Thinking(text.borrowed())),
            },
        };
        match parser.passes(text.as_escaped()) {
            Some(Voice::Thinking) => next.event(Event::Thinking(text.borrowed())),
            _ => self.read(&mut parser, Read::More(text), Origin::Thinking, next),
        }
        self.thinking = Some(parser);
    }

    /// The server's own call begins: whatever else is open ends here.
    fn interrupt(&mut self, next: &mut dyn EventSink) {
        self.is_native = true;
        self.end_thinking(next);
        if let Some(mut parser) = self.text.take() {
            self.read(&mut parser, Read::Interrupt, Origin::Text, next);
            self.text = Some(parser);
        }
        self.say_late(next);
    }

    fn end_call(&mut self, next: &mut dyn EventSink) {
        if let Some(call) = self.call.take() {
            let (rest, written) = call.finish();
            self.echoes.arguments(&rest, next);
            self.echoes.written = written;
        }
        self.echoes.end(next);
    }

    fn end_thinking(&mut self, next: &mut dyn EventSink) {
        if let Some(mut parser) = self.thinking.take() {
            self.read(&mut parser, Read::End, Origin::Thinking, next);
        }
    }

    fn say_late(&mut self, next: &mut dyn EventSink) {
        if !self.late.get().is_empty() && !self.is_open() {
            let late = std::mem::take(&mut self.late);
            next.event(Event::Thinking(JsonText::escaped(late.get())));
        }
    }

    fn read(&mut self, parser: &mut ToolParser, read: Read<'_, '_>, from: Origin, next: &mut dyn EventSink) {
        let mut pieces = Pieces::new(from, &mut self.echoes, &mut self.late, next);
        let mut sink = |piece: crate::toolcall::Piece<'_>| pieces.take(piece);
        match read {
            Read::More(text) => parser.push(&text.decode(), &mut sink),
            Read::Interrupt => parser.interrupt(&mut sink),
            Read::End => parser.finish(&mut sink),
        }
        let (begun, ended) = pieces.flush();
        self.begun += begun;
        self.ended += ended;
    }
}

/// What is done with a parser.
#[derive(Clone, Copy)]
enum Read<'r, 't> {
    More(&'r JsonText<'t>),
    Interrupt,
    End,
}

/// The sink between decoder and encoder.
pub(crate) struct Recover<'r> {
    recovery: &'r mut Recovery,
    context: &'r RequestContext,
    next: &'r mut dyn EventSink,
}

impl EventSink for Recover<'_> {
    fn event(&mut self, event: Event<'_>) {
        let Recover { recovery, context, next } = self;
        match event {
            Event::Text(text) => recovery.text(&text, *next),
            Event::Thinking(text) => recovery.thinking(&text, context, *next),
            Event::ToolStart { name } => {
                recovery.interrupt(*next);
                recovery.call = recovery.text.is_some().then(|| NativeCall::new(context.tools.typed(), &name));
                recovery.echoes.start(Origin::Server, &name, *next);
            }
            Event::ToolArgs(text) => {
                let text = recovery.call.as_mut().map(|call| call.push(&text)).unwrap_or(text);
                recovery.echoes.arguments(&text, *next);
            }
            Event::ToolEnd => recovery.end_call(*next),
            Event::Stop(reason) => {
                recovery.is_long |= reason == Stop::Length;
                next.event(Event::Stop(reason));
            }
            other => next.event(other),
        }
    }
}
