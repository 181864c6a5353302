//! Puts tool calls together from the pieces that servers send them in.
//!
//! Servers leave out the index, the id or both, repeat them, send arguments before the name, mix the
//! pieces of parallel calls, send a call piece by piece and then once more whole. Clients of the
//! Messages API may see one open block at a time, so one call streams and the others wait.

use super::arguments::{ArgumentsTracker, as_object_text};
use crate::event::{Event, EventSink};
use crate::wire::JsonText;
use crate::wire::openai::{ToolCallDelta, number, text};

/// The most calls in one answer. Models make a dozen at most; the bound stops a server in a loop.
pub(super) const MAX_CALLS: usize = 256;

/// The most bytes that all arguments of one answer may take, waiting ones included. A call that writes
/// a whole file is far below.
pub(super) const MAX_ARGUMENT_BYTES: usize = 32 << 20;

/// The calls of one answer.
#[derive(Debug, Default)]
pub(super) struct ToolCalls {
    calls: Vec<Call>,
    /// Calls before this position have been sent whole.
    done: usize,
    /// The call at `done` has been begun on the client's side.
    open: bool,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Call {
    index: Option<u64>,
    id: Option<String>,
    /// Escaped.
    name: String,
    /// Escaped; all that came.
    arguments: String,
    /// How much of `arguments` has gone out.
    sent: usize,
    tracker: ArgumentsTracker,
}

/// The answer makes more calls, or longer ones, than any model does.
#[derive(Debug)]
pub(super) struct TooLarge;

impl ToolCalls {
    /// Takes a piece of a call and sends what can go out.
    pub(super) fn piece(&mut self, delta: &ToolCallDelta<'_>, sink: &mut dyn EventSink) -> Result<(), TooLarge> {
        let function = delta.function.as_ref();
        let name = text(function.and_then(|f| f.name));
        let arguments = function.and_then(|f| f.arguments).and_then(|raw| match JsonText::from_raw(raw) {
            Some(text) => Some(text),
            // An object instead of its text: some servers forget to encode it.
            None if raw.get() == "null" => None,
            None => Some(JsonText::from_plain(raw.get())),
        });
        let id = text(delta.id).map(|id| id.decode().into_owned());
        let index = delta.index.and_then(number);
        let Some(at) = self.find_or_add(index, id.as_deref(), name.as_ref(), arguments.as_ref())? else {
            return Ok(());
        };
        let Some(call) = self.calls.get_mut(at) else { return Ok(()) };
        call.id = call.id.take().or(id);
        if let Some(name) = &name {
            // A name in pieces is joined; a name that is repeated with each piece is not.
            if call.name.is_empty() || (!call.tracker.begun() && call.name != name.as_escaped()) {
                call.name.push_str(name.as_escaped());
            }
        }
        // Some servers open a call with an empty object and then stream the real one.
        if call.is_empty_object()
            && arguments.as_ref().is_some_and(|text| text.as_escaped().trim_start().starts_with('{'))
        {
            call.arguments.clear();
            call.tracker = ArgumentsTracker::default();
        }
        // After the end of the object only repetitions of it come.
        if let Some(arguments) = arguments.filter(|_| !call.tracker.complete()) {
            self.bytes += arguments.as_escaped().len();
            if self.bytes > MAX_ARGUMENT_BYTES {
                return Err(TooLarge);
            }
            call.tracker.feed(&arguments);
            call.arguments.push_str(arguments.as_escaped());
        }
        self.pump(false, sink);
        Ok(())
    }

    /// The backend's answer is over: whatever waits goes out.
    pub(super) fn finish(&mut self, sink: &mut dyn EventSink) {
        self.pump(true, sink);
    }

    /// A call has begun and its arguments have not ended, so nothing else may be sent now.
    pub(super) fn is_busy(&self) -> bool {
        self.done < self.calls.len()
    }

    /// There are calls, and each has its name and all of its arguments.
    pub(super) fn all_complete(&self) -> bool {
        !self.calls.is_empty() && self.calls.iter().all(|call| call.tracker.complete() && !call.name.is_empty())
    }

    fn find_or_add(
        &mut self,
        index: Option<u64>,
        id: Option<&str>,
        name: Option<&JsonText<'_>>,
        arguments: Option<&JsonText<'_>>,
    ) -> Result<Option<usize>, TooLarge> {
        if let Some(at) = self.find(index, id, name, arguments) {
            return Ok(Some(at));
        }
        if name.is_none() && id.is_none() && index.is_none() {
            return Ok(None); // a piece that belongs to nothing
        }
        if self.calls.len() >= MAX_CALLS {
            return Err(TooLarge);
        }
        self.calls.push(Call { index, ..Call::default() });
        Ok(Some(self.calls.len() - 1))
    }

    /// Which call a piece belongs to; `None` when it begins a new one.
    fn find(
        &self,
        index: Option<u64>,
        id: Option<&str>,
        name: Option<&JsonText<'_>>,
        arguments: Option<&JsonText<'_>>,
    ) -> Option<usize> {
        let by_id = || id.and_then(|id| self.calls.iter().rposition(|call| call.id.as_deref() == Some(id)));
        let at = match index {
            Some(index) => match self.calls.iter().rposition(|call| call.index == Some(index)) {
                Some(at) => at,
                None => by_id()?,
            },
            None => by_id()
                .or_else(|| if id.is_some() && name.is_some() { None } else { self.calls.len().checked_sub(1) })?,
        };
        let call = self.calls.get(at)?;
        let Some(name) = name else { return Some(at) };
        // A name can begin another call under an index or id that was used before, or without any.
        let same_id = match (id, call.id.as_deref()) {
            (Some(new), Some(old)) => Some(new == old),
            _ => None,
        };
        let begins_another = match same_id {
            Some(false) => call.tracker.complete() || !call.tracker.begun(),
            _ if call.name.is_empty() => false,
            _ if call.tracker.complete() => !call.repeats(name, arguments),
            Some(true) => false,
            None => index.is_none() && call.name != name.as_escaped(),
        };
        (!begins_another).then_some(at)
    }

    fn pump(&mut self, last: bool, sink: &mut dyn EventSink) {
        let total = self.calls.len();
        while let Some(call) = self.calls.get_mut(self.done) {
            let may_change = call.is_empty_object() && self.done + 1 == total;
            let ready = !call.name.is_empty() && ((call.tracker.begun() && !may_change) || last);
            if !self.open {
                if !ready {
                    if !last {
                        return;
                    }
                    // Arguments that never got a name: there is nothing a client could do with them.
                    self.done += 1;
                    continue;
                }
                sink.event(Event::ToolStart { name: JsonText::escaped(&call.name) });
                self.open = true;
            }
            if call.tracker.is_object() {
                call.send_rest(sink);
            }
            if !call.tracker.complete() && !last {
                return;
            }
            if !call.tracker.is_object() {
                call.send_odd(sink);
            }
            sink.event(Event::ToolEnd);
            self.open = false;
            self.done += 1;
            debug_assert!(self.done <= total);
        }
    }
}

impl Call {
    /// Whether a piece says again what this finished call has said.
    fn repeats(&self, name: &JsonText<'_>, arguments: Option<&JsonText<'_>>) -> bool {
        let told_before = |new: &JsonText<'_>| new.is_empty() || same_json(&self.arguments, new.as_escaped());
        self.name == name.as_escaped() && arguments.is_none_or(told_before)
    }

    fn is_empty_object(&self) -> bool {
        self.arguments == "{}" && self.sent == 0
    }

    fn send_rest(&mut self, sink: &mut dyn EventSink) {
        let rest = self.arguments.get(self.sent..).unwrap_or_default();
        if !rest.is_empty() {
            sink.event(Event::ToolArgs(JsonText::escaped(rest)));
            self.sent = self.arguments.len();
        }
    }

    fn send_odd(&mut self, sink: &mut dyn EventSink) {
        let decoded = JsonText::escaped(&self.arguments).decode().into_owned();
        match as_object_text(&decoded) {
            Some(object) => sink.event(Event::ToolArgs(JsonText::from_plain(&object))),
            None => self.send_rest(sink),
        }
    }
}

/// Whether two escaped texts hold the same JSON, white space aside.
fn same_json(a: &str, b: &str) -> bool {
    let value = |escaped| serde_json::from_str::<serde_json::Value>(&JsonText::escaped(escaped).decode()).ok();
    a == b || (value(a).is_some() && value(a) == value(b))
}
