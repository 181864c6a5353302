//! Arguments on their way out: JSON that streams, and keys with values that have no types of their own.

mod fit;
mod native;
mod pairs;

pub(super) use fit::value_at;
pub use native::NativeArguments;
pub(super) use pairs::Pairs;

use super::json::{JsonSink, Kind};
use super::out::Out;
use super::schema::{NodeId, Properties};

/// Passes an argument object through as it comes. Only a value whose beginning contradicts the types of its place,
/// however deep inside, is held until it ends, and made to fit.
#[derive(Debug, Default)]
pub(super) struct Typed {
    properties: Properties,
    /// The containers around the value that comes, the outermost first.
    open: Vec<Container>,
    /// The place of the value whose key has come.
    place: NodeId,
    held: Option<Held>,
    /// In how many strings this is encoded.
    level: usize,
    out: String,
}

#[derive(Clone, Copy, Debug)]
struct Container {
    place: NodeId,
    /// The items so far, if it is a list.
    items: Option<usize>,
}

/// A value that does not go out before it is known.
#[derive(Debug)]
struct Held {
    json: String,
    depth: usize,
    place: NodeId,
}

impl Typed {
    pub(super) fn new(properties: Properties) -> Self {
        Self::inside(properties, 0)
    }

    fn inside(properties: Properties, level: usize) -> Self {
        let outermost = Container { place: properties.root(), items: None };
        Typed { properties, open: vec![outermost], level, ..Typed::default() }
    }

    /// What can go out by now.
    pub(super) fn flush(&mut self, out: &mut Out<'_>) {
        out.arguments(&self.out);
        self.out.clear();
    }

    /// The place of the value that begins at a depth.
    fn place_at(&mut self, depth: usize) -> NodeId {
        let Some(outside) = depth.checked_sub(1) else { return self.properties.root() };
        match self.open.get_mut(outside) {
            Some(Container { place, items: Some(items) }) => {
                *items += 1;
                self.properties.item(*place, *items - 1)
            }
            _ => self.place,
        }
    }
}

impl JsonSink for Typed {
    fn key(&mut self, depth: usize, key: &str) {
        if self.held.is_none()
            && let Some(object) = depth.checked_sub(1).and_then(|outside| self.open.get(outside))
        {
            self.place = self.properties.member(object.place, key);
        }
    }

    fn begin(&mut self, depth: usize, kind: Kind) {
        if self.held.is_some() {
            return;
        }
        let place = self.place_at(depth);
        if depth > 0 && !self.properties.types_at(place).takes(kind) {
            self.held = Some(Held { json: String::new(), depth, place });
        } else if matches!(kind, Kind::Object | Kind::Array) {
            self.open.truncate(depth);
            self.open.push(Container { place, items: (kind == Kind::Array).then_some(0) });
        }
    }

    fn text(&mut self, _: usize, json: &str) {
        match &mut self.held {
            Some(held) => held.json.push_str(json),
            None => self.out.push_str(json),
        }
    }

    fn end(&mut self, depth: usize) {
        if let Some(held) = self.held.take_if(|held| held.depth == depth) {
            self.out.push_str(&fit::fit(&self.properties, held.place, &held.json, self.level));
        }
    }
}
