//! Calls whose parameters are tags by their own names, and whose values are trees of tags.

use serde_json::{Map, Value};

use super::{Fate, Machine, Payload, Taken, run};
use crate::toolcall::arguments::{Pairs, value_at};
use crate::toolcall::lead::{Found, Lead, MAX_NAME, after_blank, lead, may_name, scan, scan_near};
use crate::toolcall::out::Out;
use crate::toolcall::schema::{NodeId, Properties};

/// The deepest nesting that is read.
const MAX_DEPTH: usize = 64;

/// The words of the tags.
#[derive(Clone, Copy, Debug)]
pub(in crate::toolcall) struct NestedSpec {
    /// What stands before every tag.
    pub(in crate::toolcall) space: &'static str,
    /// The tag around all calls.
    pub(in crate::toolcall) all: &'static str,
    /// The tag around a call.
    pub(in crate::toolcall) call: &'static str,
    /// The tag around an item of a list.
    pub(in crate::toolcall) item: &'static str,
}

/// Reads the calls.
#[derive(Debug)]
pub(in crate::toolcall) struct Nested {
    spec: NestedSpec,
    any: bool,
    in_call: bool,
    properties: Properties,
    pairs: Pairs,
    /// Tags that are open inside of a call, the parameter's first.
    open: Vec<Node>,
    /// The text of the parameter is on its way out.
    streams: bool,
}

#[derive(Debug, Default)]
struct Node {
    tag: String,
    place: NodeId,
    text: String,
    items: Vec<Value>,
    members: Map<String, Value>,
}

impl Nested {
    /// Begins behind the tag around all calls.
    pub(in crate::toolcall) fn new(spec: NestedSpec) -> Self {
        let (properties, pairs) = (Properties::default(), Pairs::default());
        Nested { spec, any: false, in_call: false, properties, pairs, open: Vec::new(), streams: false }
    }

    fn end_call(&mut self, out: &mut Out<'_>) {
        while !self.open.is_empty() {
            self.close_tag(out);
        }
        if std::mem::take(&mut self.in_call) {
            self.pairs.end(out);
            out.end();
        }
    }

    fn open_tag(&mut self, tag: &str, out: &mut Out<'_>) {
        if self.open.is_empty() {
            self.streams = self.properties.types(tag).is_string();
            // A value that was put together from tags is JSON by now.
            self.pairs.key(tag, None, out);
        }
        let place = match self.open.last() {
            Some(list) if tag == self.spec.item => self.properties.item(list.place, list.items.len()),
            Some(object) => self.properties.member(object.place, tag),
            None => self.properties.member(self.properties.root(), tag),
        };
        self.open.push(Node { tag: tag.to_owned(), place, ..Node::default() });
    }

    fn text(&mut self, text: &str, out: &mut Out<'_>) {
        if self.streams {
            self.pairs.text(text, out);
        } else if let Some(node) = self.open.last_mut() {
            node.text.push_str(text);
        }
    }

    fn close_tag(&mut self, out: &mut Out<'_>) {
        let Some(node) = self.open.pop() else { return };
        let types = self.properties.types_at(node.place);
        let is_empty = node.text.trim().is_empty() && !types.string;
        let tree = if !node.items.is_empty() || (node.members.is_empty() && is_empty && types.array) {
            Some(Value::Array(node.items))
        } else if !node.members.is_empty() || (is_empty && types.object) {
            Some(Value::Object(node.members))
        } else {
            None
        };
        if let Some(parent) = self.open.last_mut() {
            let value = tree.unwrap_or_else(|| value_at(&self.properties, node.place, &node.text));
            if node.tag == self.spec.item {
                parent.items.push(value);
            } else {
                parent.members.insert(node.tag, value);
            }
            return;
        }
        if !self.streams {
            let text = tree.map_or(node.text, |tree| tree.to_string());
            self.pairs.text(&text, out);
        }
        self.streams = false;
        self.pairs.end_value(out);
    }

    /// A tag, without its brackets; false where the calls are over.
    fn tag(&mut self, tag: &str, out: &mut Out<'_>) -> bool {
        let (name, is_end) = tag.strip_prefix('/').map_or((tag, false), |name| (name, true));
        let name = name.trim();
        if let Some(attributes) =
            name.strip_prefix(self.spec.call).filter(|rest| rest.is_empty() || rest.starts_with(' '))
        {
            if self.open.is_empty() || !is_end {
                self.end_call(out);
                if !is_end && let Some(name) = attributes.split('"').nth(1).filter(|name| may_name(name)) {
                    (self.any, self.in_call) = (true, true);
                    out.start(name);
                    self.properties = out.tools.properties(name);
                    self.pairs = Pairs::new(self.properties.clone());
                }
            } else {
                self.end_call(out);
            }
        } else if is_end && name == self.spec.all {
            self.end_call(out);
            return false;
        } else if is_end {
            // Closers that were left out come with the one of a tag around them.
            if let Some(at) = self.open.iter().rposition(|node| node.tag == name) {
                while self.open.len() > at {
                    self.close_tag(out);
                }
            }
        } else if self.in_call && self.open.len() < MAX_DEPTH {
            self.open_tag(name, out);
        }
        true
    }
}

impl Machine for Nested {
    type Mark = ();

    fn mark(&self) {}

    fn step(&mut self, rest: &str, end: bool, out: &mut Out<'_>) -> Taken {
        let at = if self.open.is_empty() {
            let Some((blank, behind)) = after_blank(rest, end) else { return Taken::more(0) };
            match lead(behind, self.spec.space) {
                Lead::Full(_) => blank,
                Lead::Partial if !end => return Taken::more(0),
                _ if !self.in_call => return if self.any { Taken::over(0) } else { Taken::text(0) },
                // Words between parameters say nothing.
                _ => match scan(rest, &[self.spec.space], end) {
                    Found::At(at, _) => at,
                    Found::Hold(at) => return Taken::more(at),
                },
            }
        } else {
            match scan(rest, &[self.spec.space], end) {
                Found::At(at, _) => at,
                Found::Hold(at) => {
                    self.text(rest.get(..at).unwrap_or_default(), out);
                    return Taken::more(at);
                }
            }
        };
        let inside = at + self.spec.space.len();
        let behind = rest.get(inside..).unwrap_or_default();
        let close = match (behind.strip_prefix('<'), scan_near(behind, &[">"], end)) {
            (Some(_), Found::At(close, _)) if close <= MAX_NAME => close,
            (Some(_), Found::Hold(length)) if length <= MAX_NAME && !end => {
                return self.before(rest, at, out);
            }
            (None, _) if behind.is_empty() && !end => return self.before(rest, at, out),
            // No tag at all.
            _ => {
                self.text(rest.get(..inside).unwrap_or_default(), out);
                return Taken::more(inside);
            }
        };
        if at > 0 {
            return self.before(rest, at, out);
        }
        let tag = behind.get(1..close).unwrap_or_default();
        let taken = inside + close + 1;
        if self.tag(tag, out) { Taken::more(taken) } else { Taken::over(taken) }
    }

    fn at_end(&mut self, out: &mut Out<'_>) -> Fate {
        if self.open.is_empty() || out.closes_cut() {
            out.flow.cut |= !self.open.is_empty();
            self.end_call(out);
        } else if std::mem::take(&mut self.in_call) {
            out.end_cut();
        }
        if self.any { Fate::Over } else { Fate::Text }
    }
}

impl Nested {
    /// Takes what stands before a tag.
    fn before(&mut self, rest: &str, at: usize, out: &mut Out<'_>) -> Taken {
        self.text(rest.get(..at).unwrap_or_default(), out);
        Taken::more(at)
    }
}

impl Payload for Nested {
    fn take(&mut self, input: &str, end: bool, out: &mut Out<'_>) -> Taken {
        run(self, input, end, out)
    }
}
