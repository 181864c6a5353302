//! Texts and images of a user message, for both dialects.

use std::ops::Range;

use super::content::{Image, Part};
use super::conversation::UserTurn;
use crate::wire::JsonText;

/// What stands between two blocks that become one text.
const BETWEEN: &str = "\\n\\n";

/// Images written, and the bytes they take.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ImageCount {
    pub(super) images: u64,
    pub(super) bytes: u64,
}

/// A part whose text may have been made on the spot.
pub(super) enum PartRef<'p> {
    Text(JsonText<'p>),
    Image(&'p Image<'p>),
}

impl PartRef<'_> {
    fn text(&self) -> Option<JsonText<'_>> {
        match self {
            PartRef::Text(text) => Some(text.borrowed()),
            PartRef::Image(_) => None,
        }
    }
}

/// What a user message says behind its tool results: their images, then the user's own words.
pub(super) fn user_parts<'t>(turn: &'t UserTurn<'_>) -> Vec<PartRef<'t>> {
    let mut parts = Vec::new();
    for result in turn.results.iter().filter(|result| !result.images.is_empty()) {
        parts.push(PartRef::Text(JsonText::from_plain(&format!("Images of the tool result {}:", result.id.decode()))));
        parts.extend(result.images.iter().map(PartRef::Image));
    }
    parts.extend(turn.parts.iter().map(|part| match part {
        Part::Text(text) => PartRef::Text(text.borrowed()),
        Part::Image(image) => PartRef::Image(image),
    }));
    parts
}

/// Writes one image as a dialect has it.
pub(super) type PushImage = fn(&mut Vec<u8>, &Image<'_>);

/// Texts in quotes, as one.
pub(super) fn push_joined(out: &mut Vec<u8>, texts: &[JsonText<'_>]) {
    out.push(b'"');
    for (index, text) in texts.iter().enumerate() {
        if index > 0 {
            out.extend_from_slice(BETWEEN.as_bytes());
        }
        out.extend_from_slice(text.as_escaped().as_bytes());
    }
    out.push(b'"');
}

/// Content is a string where it can be: some servers and templates take nothing else.
pub(super) fn push_parts(out: &mut Vec<u8>, parts: &[PartRef<'_>], push_image: PushImage, count: &mut ImageCount) {
    if parts.iter().any(|part| matches!(part, PartRef::Image(_))) {
        out.push(b'[');
        push_blocks(out, parts, true, push_image, count);
        out.push(b']');
        return;
    }
    let texts: Vec<JsonText<'_>> = parts.iter().filter_map(PartRef::text).collect();
    push_joined(out, &texts);
}

/// Elements of an array, `first` if it has none yet. Texts side by side become one.
pub(super) fn push_blocks(
    out: &mut Vec<u8>,
    parts: &[PartRef<'_>],
    mut first: bool,
    push_image: PushImage,
    count: &mut ImageCount,
) {
    let mut texts: Vec<JsonText<'_>> = Vec::new();
    for part in parts {
        match part {
            PartRef::Text(text) => texts.push(text.borrowed()),
            PartRef::Image(image) => {
                push_text(out, &texts, &mut first);
                texts.clear();
                comma(out, &mut first);
                let before = out.len();
                push_image(out, image);
                count.images += 1;
                count.bytes += (out.len() - before) as u64;
            }
        }
    }
    push_text(out, &texts, &mut first);
}

/// A text block, if there is a text.
pub(super) fn push_text(out: &mut Vec<u8>, texts: &[JsonText<'_>], first: &mut bool) {
    if !texts.is_empty() {
        comma(out, first);
        out.extend_from_slice(b"{\"type\":\"text\",\"text\":");
        push_joined(out, texts);
        out.push(b'}');
    }
}

/// Where the elements of an array stand: each begins where its start is, and ends at the comma before the next.
pub(super) fn ranges(starts: &[usize], end: usize) -> Vec<Range<usize>> {
    let ends = starts.iter().skip(1).map(|next| next - 1).chain([end]);
    starts.iter().copied().zip(ends).map(|(start, end)| start..end).collect()
}

pub(super) fn comma(out: &mut Vec<u8>, first: &mut bool) {
    if !std::mem::take(first) {
        out.push(b',');
    }
}
