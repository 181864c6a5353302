//! What a parser gives: text, thinking, and calls whose arguments come in pieces.

use super::lead::MAX_BLANK;
use super::schema::Tools;

/// A piece of what the model said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Piece<'p> {
    /// More text.
    Text(&'p str),
    /// More thinking.
    Thinking(&'p str),
    /// A call of this tool begins.
    CallStart(&'p str),
    /// More of its arguments: text of a JSON object.
    Arguments(&'p str),
    /// The call is complete.
    CallEnd,
}

/// Where parsers put the calls they find.
pub(super) struct Out<'o> {
    pub(super) tools: &'o Tools,
    pub(super) flow: &'o mut Flow,
    pub(super) sink: &'o mut dyn FnMut(Piece<'_>),
}

impl Out<'_> {
    pub(super) fn start(&mut self, name: &str) {
        self.flow.release(self.sink);
        self.flow.interrupt();
        self.flow.calls += 1;
        self.flow.said = true;
        (self.sink)(Piece::CallStart(name));
    }

    pub(super) fn arguments(&mut self, json: &str) {
        if !json.is_empty() {
            (self.sink)(Piece::Arguments(json));
        }
    }

    pub(super) fn end(&mut self) {
        self.flow.ended += 1;
        (self.sink)(Piece::CallEnd);
    }

    /// Arguments that are cut off are closed.
    pub(super) fn closes_cut(&self) -> bool {
        !self.flow.leaves_open
    }

    /// The call ends in the middle: its arguments were closed as far as they came.
    pub(super) fn end_cut(&mut self) {
        self.flow.cut = true;
        self.end();
    }
}

/// What the words of the model are at this point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Voice {
    #[default]
    Text,
    Thinking,
}

/// The text and the thinking on their way out, without the white space that only separates them.
#[derive(Debug)]
pub(super) struct Flow {
    voice: Voice,
    /// White space that belongs to the words only if more of them come.
    blank: String,
    /// Nothing but white space since the voice changed.
    fresh: bool,
    /// Something was said before that the next words stand apart from.
    pub(super) said: bool,
    /// White space behind a thought is nobody's.
    drops_blank: bool,
    /// Thinking was given.
    thought: bool,
    /// The last words were text.
    text_last: bool,
    /// The model writes messages with headers.
    pub(super) has_channels: bool,
    /// Calls so far.
    pub(super) calls: usize,
    /// Which white space is kept.
    pub(super) keeps: Keeps,
    /// A call was cut off.
    pub(super) cut: bool,
    /// Arguments that are cut off stay open: what looks like a complete command and is not must not run.
    pub(super) leaves_open: bool,
    /// Calls that have ended.
    pub(super) ended: usize,
}

/// Which white space is kept that a reader would not miss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Keeps {
    /// None.
    #[default]
    None,
    /// That between text and calls, and at the end of text.
    Text,
    /// All of it: the thinking is nothing but thinking.
    All,
}

impl Flow {
    pub(super) fn new() -> Self {
        Flow {
            voice: Voice::Text,
            blank: String::new(),
            fresh: true,
            said: false,
            drops_blank: false,
            thought: false,
            text_last: false,
            has_channels: false,
            calls: 0,
            keeps: Keeps::None,
            cut: false,
            leaves_open: false,
            ended: 0,
        }
    }

    pub(super) fn voice(&self) -> Voice {
        self.voice
    }

    /// Whether thinking was given.
    pub(super) fn thought(&self) -> bool {
        self.thought
    }

    /// Whether no words came yet since the turn, a thought or a call.
    pub(super) fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// Words would go out as they come.
    pub(super) fn flows(&self) -> bool {
        !self.fresh && self.blank.is_empty()
    }

    /// Gives the white space that waits for words, where it is kept.
    pub(super) fn release(&mut self, sink: &mut dyn FnMut(Piece<'_>)) {
        // What stands between calls and behind them separates no words.
        let is_behind_call = self.fresh && self.calls > 0;
        if self.keeps != Keeps::None && self.voice == Voice::Text && !self.blank.is_empty() && !is_behind_call {
            sink(Piece::Text(&self.blank));
            self.blank.clear();
        }
    }

    /// The words that follow are of this kind.
    pub(super) fn turn_to(&mut self, voice: Voice) {
        if self.voice == Voice::Thinking && !self.fresh {
            self.said = true;
        }
        self.blank.clear();
        self.drops_blank = true;
        self.fresh = true;
        self.voice = voice;
    }

    /// A message begins; two of them in a row stand apart.
    pub(super) fn open_channel(&mut self, voice: Voice) {
        self.has_channels = true;
        self.turn_to(voice);
        if voice == Voice::Text && self.text_last {
            self.blank.push('\n');
        }
    }

    /// A call stands here.
    pub(super) fn interrupt(&mut self) {
        self.turn_to(Voice::Text);
        (self.drops_blank, self.text_last) = (false, false);
    }

    /// More words.
    pub(super) fn say(&mut self, words: &str, sink: &mut dyn FnMut(Piece<'_>)) {
        match self.voice {
            Voice::Text => self.text(words, sink),
            Voice::Thinking => self.thinking(words, sink),
        }
    }

    fn text(&mut self, words: &str, sink: &mut dyn FnMut(Piece<'_>)) {
        let mut words = words;
        if self.fresh {
            let behind = words.trim_start();
            let blank = words.get(..words.len() - behind.len()).unwrap_or_default();
            if !self.drops_blank {
                self.keep(blank);
            }
            // Nothing waits for words forever.
            if behind.is_empty() && self.blank.len() <= MAX_BLANK {
                return;
            }
            (self.fresh, self.said, self.text_last) = (false, true, true);
            let kept = std::mem::take(&mut self.blank);
            if !kept.is_empty() {
                sink(Piece::Text(&kept));
            }
            words = behind;
        }
        if !words.is_empty() {
            sink(Piece::Text(words));
        }
    }

    fn keep(&mut self, blank: &str) {
        self.blank.push_str(blank);
    }

    fn thinking(&mut self, words: &str, sink: &mut dyn FnMut(Piece<'_>)) {
        if self.keeps == Keeps::All {
            (self.fresh, self.thought) = (false, true);
            return sink(Piece::Thinking(words));
        }
        let behind = if self.fresh { words.trim_start() } else { words };
        let whole = behind.trim_end();
        if !whole.is_empty() {
            if self.fresh && std::mem::replace(&mut self.thought, true) {
                sink(Piece::Thinking("\n"));
            }
            self.fresh = false;
            let kept = std::mem::take(&mut self.blank);
            if !kept.is_empty() {
                sink(Piece::Thinking(&kept));
            }
            sink(Piece::Thinking(whole));
        }
        if !self.fresh {
            self.keep(behind.get(whole.len()..).unwrap_or_default());
        }
    }

    /// Nothing more comes: an answer of nothing but white space is still an answer.
    pub(super) fn finish(&mut self, sink: &mut dyn FnMut(Piece<'_>)) {
        self.release(sink);
        if self.voice == Voice::Text && !self.said && !self.thought && self.calls == 0 && !self.blank.is_empty() {
            sink(Piece::Text(&self.blank));
        }
        self.blank.clear();
    }
}
