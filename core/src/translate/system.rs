//! The system prompt.

use super::content::{ContentReader, Part};
use super::notes::NoteKind;
use crate::wire::JsonText;
use crate::wire::blocks::{Block, Content};

/// The system prompt without Claude Code's attribution line, which differs between sessions and would
/// be the first text of every prompt: no cache of a server could ever match.
pub(super) fn system_texts<'a>(system: Option<Content<'a>>, reader: &mut ContentReader<'_>) -> Vec<JsonText<'a>> {
    const ATTRIBUTION: &str = "x-anthropic-billing-header:";
    let mut texts = Vec::new();
    for (index, block) in system.map(Content::into_blocks).unwrap_or_default().into_iter().enumerate() {
        let mut parts = Vec::new();
        match block {
            Block::Text(text) if index == 0 && text.as_escaped().starts_with(ATTRIBUTION) => {
                let decoded = text.decode();
                if let Some((_, rest)) = decoded.split_once('\n').filter(|(_, rest)| !rest.trim().is_empty()) {
                    let rest = JsonText::from_plain(rest.trim_start_matches('\n'));
                    let rest = reader.steady(Block::Text(rest));
                    reader.parts(rest, &mut parts);
                }
            }
            other => {
                let other = reader.steady(other);
                reader.parts(other, &mut parts);
            }
        }
        let count = parts.len();
        let before = texts.len();
        texts.extend(parts.into_iter().filter_map(Part::into_text));
        if texts.len() - before < count {
            reader.notes.add(NoteKind::Dropped, "image in system", "system messages hold text only");
        }
    }
    texts
}
