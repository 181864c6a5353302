//! A prompt in the order in which templates write it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;

/// Where the parts of a prompt stand in a request's body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// The system message.
    pub(crate) system: Option<Range<usize>>,
    pub(crate) tools: Vec<Range<usize>>,
    /// The messages, without the system message.
    pub(crate) messages: Vec<Range<usize>>,
    /// Some of them hold images.
    pub(crate) has_images: bool,
}

/// What part of a prompt something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    System,
    /// By its place among the tools.
    Tool(usize),
    /// By its place among the messages without the system message.
    Message(usize),
}

/// System prompt, tools and messages, one behind the other.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Prompt {
    text: Box<[u8]>,
    /// Where each part begins.
    starts: Vec<usize>,
    has_system: bool,
    tools: usize,
}

impl Prompt {
    /// Takes the parts of a body.
    pub(crate) fn new(body: &[u8], marks: &Marks) -> Self {
        let parts = || marks.system.iter().chain(&marks.tools).chain(&marks.messages);
        let mut text = Vec::with_capacity(parts().map(ExactSizeIterator::len).sum());
        let mut starts = Vec::with_capacity(marks.tools.len() + marks.messages.len() + 1);
        for range in parts() {
            starts.push(text.len());
            let part = body.get(range.clone()).unwrap_or_default();
            if marks.has_images {
                push_without_images(&mut text, part);
            } else {
                text.extend_from_slice(part);
            }
        }
        let (has_system, tools) = (marks.system.is_some(), marks.tools.len());
        Prompt { text: text.into_boxed_slice(), starts, has_system, tools }
    }

    /// A prompt of one message.
    #[cfg(test)]
    pub(crate) fn of_text(text: &[u8]) -> Self {
        let whole = 0..text.len();
        Prompt::new(text, &Marks { messages: vec![whole], ..Marks::default() })
    }

    pub(crate) fn text(&self) -> &[u8] {
        &self.text
    }

    /// The memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.text.len() + self.starts.len() * size_of::<usize>()
    }

    /// The part that a byte belongs to; behind the end, the part that would come next.
    pub(crate) fn part_at(&self, byte: usize) -> Part {
        if byte >= self.text.len() {
            return self.part(self.starts.len());
        }
        let after = self.starts.partition_point(|start| *start <= byte);
        self.part(after.saturating_sub(1))
    }

    fn part(&self, index: usize) -> Part {
        let first_tool = usize::from(self.has_system);
        match index {
            0 if self.has_system => Part::System,
            _ if index < first_tool + self.tools => Part::Tool(index - first_tool),
            _ => Part::Message(index - first_tool - self.tools),
        }
    }

    fn index(&self, part: Part) -> Option<usize> {
        let first_tool = usize::from(self.has_system);
        match part {
            Part::System => self.has_system.then_some(0),
            Part::Tool(place) => (place < self.tools).then_some(first_tool + place),
            Part::Message(place) => Some(first_tool + self.tools + place),
        }
    }

    /// The bytes of a part.
    pub(crate) fn bytes_of(&self, part: Part) -> Option<&[u8]> {
        let range = self.range_of(part)?;
        self.text.get(range)
    }

    /// Where a part stands.
    pub(crate) fn range_of(&self, part: Part) -> Option<Range<usize>> {
        let index = self.index(part)?;
        let start = *self.starts.get(index)?;
        Some(start..self.starts.get(index + 1).copied().unwrap_or(self.text.len()))
    }

    /// How many messages there are.
    pub(crate) fn messages(&self) -> usize {
        self.starts.len() - usize::from(self.has_system) - self.tools
    }

    /// The names of the tools, as they were sent.
    pub(crate) fn tool_names(&self) -> impl Iterator<Item = &str> {
        (0..self.tools).map(|place| string_of(self.bytes_of(Part::Tool(place)).unwrap_or_default(), "name"))
    }

    /// Who speaks in a message.
    pub(crate) fn role(&self, message: usize) -> &str {
        string_of(self.bytes_of(Part::Message(message)).unwrap_or_default(), "role")
    }
}

/// Runs of base64 that are this long are images.
const MIN_IMAGE: usize = 512;

/// Copies a part with a hash in the place of each image: its bytes are many, and say nothing of its tokens.
fn push_without_images(out: &mut Vec<u8>, part: &[u8]) {
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    let mut rest = part;
    // In either dialect an image ends a string.
    while let Some(end) = memchr::memchr(b'"', rest) {
        let (piece, behind) = rest.split_at(end);
        let image = piece.iter().rev().take_while(|byte| is_base64(byte)).count();
        if image >= MIN_IMAGE {
            let (before, image) = piece.split_at(piece.len() - image);
            out.extend_from_slice(before);
            let mut hasher = DefaultHasher::new();
            image.hash(&mut hasher);
            out.extend_from_slice(format!("[image {:016x}]", hasher.finish()).as_bytes());
        } else {
            out.extend_from_slice(piece);
        }
        let (quote, behind) = behind.split_at(1);
        out.extend_from_slice(quote);
        rest = behind;
    }
    out.extend_from_slice(rest);
}

/// The first string of a key in JSON that this library has written.
fn string_of<'t>(json: &'t [u8], key: &str) -> &'t str {
    let opening = format!("\"{key}\":\"");
    let Some(at) = memchr::memmem::find(json, opening.as_bytes()) else { return "" };
    let rest = json.get(at + opening.len()..).unwrap_or_default();
    let end = memchr::memchr(b'"', rest).unwrap_or(0);
    std::str::from_utf8(rest.get(..end).unwrap_or_default()).unwrap_or_default()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A prompt of a system text, tools and messages.
    pub(crate) fn prompt(system: &str, tools: &[&str], messages: &[(&str, &str)]) -> Prompt {
        let mut body = Vec::new();
        let mut marks = Marks::default();
        let mut push = |text: String| {
            let start = body.len();
            body.extend_from_slice(text.as_bytes());
            start..body.len()
        };
        marks.messages = messages
            .iter()
            .map(|(role, content)| push(format!(r#"{{"role":"{role}","content":"{content}"}}"#)))
            .collect();
        marks.tools = tools
            .iter()
            .map(|tool| push(format!(r#"{{"type":"function","function":{{"name":"{tool}","parameters":{{}}}}}}"#)))
            .collect();
        marks.system = Some(push(format!(r#"{{"role":"system","content":"{system}"}}"#)));
        Prompt::new(&body, &marks)
    }

    #[test]
    fn images_are_told_apart_by_a_hash() {
        let part =
            |image: &str| format!(r#"{{"role":"user","content":[{{"url":"data:image/png;base64,{image}"}},"words"]}}"#);
        let prompt = |image: &str, has_images| {
            let body = part(image);
            let whole = 0..body.len();
            let marks = Marks { messages: Vec::from([whole]), has_images, ..Marks::default() };
            Prompt::new(body.as_bytes(), &marks)
        };
        let (a, b) = ("A".repeat(MIN_IMAGE), "B".repeat(MIN_IMAGE));
        let shown = String::from_utf8(prompt(&a, true).text().to_vec()).unwrap();
        assert!(shown.contains("base64,[image ") && shown.ends_with(r#""words"]}"#) && shown.len() < 200, "{shown}");
        assert_eq!(prompt(&a, true), prompt(&a, true));
        assert_ne!(prompt(&a, true), prompt(&b, true));
        assert_eq!(prompt("AAAA", true).text(), part("AAAA").as_bytes());
    }

    #[test]
    fn parts_stand_in_the_order_of_templates() {
        let prompt = prompt("Be good.", &["Bash", "Read"], &[("user", "Hi"), ("assistant", "Ho")]);
        assert!(prompt.text().starts_with(br#"{"role":"system""#));
        assert_eq!(prompt.tool_names().collect::<Vec<_>>(), ["Bash", "Read"]);
        assert_eq!((prompt.messages(), prompt.role(0), prompt.role(1)), (2, "user", "assistant"));
        for part in [Part::System, Part::Tool(0), Part::Tool(1), Part::Message(0), Part::Message(1)] {
            let range = prompt.range_of(part).unwrap();
            assert_eq!((prompt.part_at(range.start), prompt.part_at(range.end - 1)), (part, part));
        }
        assert_eq!(prompt.part_at(prompt.text().len()), Part::Message(2));
        assert_eq!(prompt.range_of(Part::Message(2)), None);
    }
}
