//! Looking for markers in text that has not all come.

/// White space that may stand between a marker and what makes it one; behind more it is only a mention.
pub(super) const MAX_BLANK: usize = 1024;

/// The longest name, with what formats put around it.
pub(super) const MAX_NAME: usize = 512;

/// No marker is longer.
const MAX_MARKER: usize = 64;

/// How a text begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lead {
    /// With all of the marker, which has so many bytes.
    Full(usize),
    /// It has not all come yet.
    Partial,
    /// With something else.
    No,
}

/// Whether `text` begins with `marker`.
pub(super) fn lead(text: &str, marker: &str) -> Lead {
    if text.starts_with(marker) {
        Lead::Full(marker.len())
    } else if marker.starts_with(text) {
        Lead::Partial
    } else {
        Lead::No
    }
}

/// The longest of these markers with which `text` begins. `Partial` where a longer one may still come.
pub(super) fn lead_any(text: &str, markers: &[&str], end: bool) -> Lead {
    let mut found = Lead::No;
    for marker in markers {
        match lead(text, marker) {
            Lead::Partial if !end => return Lead::Partial,
            Lead::Full(length) if !matches!(found, Lead::Full(longest) if longest >= length) => {
                found = Lead::Full(length);
            }
            _ => {}
        }
    }
    found
}

/// White space at the front, and what is behind it. `None` while more white space may come.
pub(super) fn after_blank(text: &str, end: bool) -> Option<(usize, &str)> {
    let behind = text.trim_start();
    let blank = text.len() - behind.len();
    if behind.is_empty() && !end && blank <= MAX_BLANK { None } else { Some((blank, behind)) }
}

/// Where a marker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The first one: where, and which of them.
    At(usize, usize),
    /// None is there. One may have begun here; with nothing to wait for, this is the end of the text.
    Hold(usize),
}

/// The first marker in `text`: where two begin at one place, the one that is listed first.
pub(super) fn scan(text: &str, markers: &[&str], end: bool) -> Found {
    let bytes = text.as_bytes();
    let mut firsts = [false; 256];
    for marker in markers {
        if let Some(slot) = marker.bytes().next().and_then(|first| firsts.get_mut(usize::from(first))) {
            *slot = true;
        }
    }
    let mut from = 0;
    while let Some(skipped) =
        bytes.get(from..).and_then(|rest| rest.iter().position(|byte| firsts.get(usize::from(*byte)) == Some(&true)))
    {
        let at = from + skipped;
        let rest = text.get(at..).unwrap_or_default();
        for (index, marker) in markers.iter().enumerate().filter(|(_, marker)| !marker.is_empty()) {
            match lead(rest, marker) {
                Lead::Full(_) => return Found::At(at, index),
                Lead::Partial if !end => return Found::Hold(at),
                _ => {}
            }
        }
        from = at + 1;
    }
    Found::Hold(text.len())
}

/// The same near the front: behind [`MAX_NAME`] bytes a marker is too far away to belong to what stands before it, and
/// looking for it there, again and again, would take more than linear time.
pub(super) fn scan_near(text: &str, markers: &[&str], end: bool) -> Found {
    match front(text, MAX_NAME + MAX_MARKER) {
        near if near.len() < text.len() => scan(near, markers, true),
        _ => scan(text, markers, end),
    }
}

/// So many bytes of the front, or a few less where a character would be cut.
pub(super) fn front(text: &str, length: usize) -> &str {
    (0..4).find_map(|less| text.get(..length.checked_sub(less)?)).unwrap_or(text)
}

/// Whether a character may stand in a tool's name.
pub(super) fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':' | '/' | '-')
}

/// Whether this may be a tool's name. An ellipsis, as in documents, stands for one and is none.
pub(super) fn may_name(name: &str) -> bool {
    name.chars().all(is_name) && name.contains(char::is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_beginnings_of_markers_are_held() {
        let markers = ["<tool_call>", "[TOOL_CALLS]", "</think>"];
        let hold = |text| scan(text, &markers, false);
        assert_eq!((hold("a <tool"), hold("a <x"), hold("")), (Found::Hold(2), Found::Hold(4), Found::Hold(0)));
        assert_eq!((hold("é<"), hold("a</think>")), (Found::Hold(2), Found::At(1, 2)));
        assert_eq!(scan("a <tool", &markers, true), Found::Hold(7));
        assert_eq!((lead("<to", "<tool>"), lead("<tool>x", "<tool>")), (Lead::Partial, Lead::Full(6)));
    }

    #[test]
    fn white_space_is_waited_for_only_so_long() {
        assert_eq!((after_blank("  x", false), after_blank("  ", false)), (Some((2, "x")), None));
        assert_eq!(after_blank("  ", true), Some((2, "")));
        assert!(after_blank(&" ".repeat(MAX_BLANK + 1), false).is_some());
    }
}
