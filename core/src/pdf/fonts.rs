//! Font programs and character maps, which the parser reads with unbounded recursion and memory.

use std::collections::HashSet;

use pdf_extract::{Document, Object, ObjectId};

use super::inflate::decoded;

/// Unpacks the streams that fonts refer to, and empties those that are too large or nested.
pub(super) fn make_harmless(document: &mut Document) {
    let mut ids = HashSet::new();
    document.objects.values().for_each(|object| collect(object, &mut ids, MAX_DEPTH));
    for id in ids {
        let Some(Object::Stream(stream)) = document.objects.get_mut(&id) else { continue };
        let content =
            decoded(stream, MAX_FONT_BYTES).filter(|content| nesting(content) <= MAX_NESTING).unwrap_or_default();
        stream.dict.remove(b"Filter");
        stream.dict.remove(b"DecodeParms");
        stream.set_content(content);
    }
}

/// The streams behind the keys that the parser follows from a font.
fn collect(object: &Object, ids: &mut HashSet<ObjectId>, depth: usize) {
    let Some(depth) = depth.checked_sub(1) else { return };
    let dictionary = match object {
        Object::Dictionary(dictionary) => dictionary,
        Object::Stream(stream) => &stream.dict,
        Object::Array(items) => return items.iter().for_each(|item| collect(item, ids, depth)),
        _ => return,
    };
    for (key, value) in dictionary {
        match value {
            Object::Reference(id) if KEYS.contains(&key.as_slice()) => {
                ids.insert(*id);
            }
            other => collect(other, ids, depth),
        }
    }
}

/// The deepest nesting of brackets in the readable part of a font or map.
fn nesting(content: &[u8]) -> usize {
    let readable = memchr::memmem::find(content, b"eexec").and_then(|end| content.get(..end)).unwrap_or(content);
    // Fonts in binary formats are not read by the recursive parser.
    if !readable.starts_with(b"%")
        && !readable.starts_with(b"/")
        && memchr::memmem::find(readable, b"begincmap").is_none()
        && readable.contains(&0)
    {
        return 0;
    }
    let (mut depth, mut deepest) = (0usize, 0usize);
    for byte in readable {
        match byte {
            b'[' | b'(' | b'{' | b'<' => depth += 1,
            b']' | b')' | b'}' | b'>' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

const KEYS: &[&[u8]] =
    &[b"ToUnicode", b"Encoding", b"UseCMap", b"FontFile", b"FontFile2", b"FontFile3", b"CIDToGIDMap"];

/// Unpacked size of one font or map. Large Asian fonts have 20 MB.
const MAX_FONT_BYTES: usize = 32 << 20;

/// Real maps nest two deep.
const MAX_NESTING: usize = 64;

/// Depth of direct objects, as in the parser.
const MAX_DEPTH: usize = 100;
