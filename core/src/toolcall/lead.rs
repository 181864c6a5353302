//! Whether text begins with a marker, as far as it has come.

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

/// The first of these markers with which `text` begins. `Partial` where one may still come.
pub(super) fn lead_any(text: &str, markers: &[&str]) -> Lead {
    let mut found = Lead::No;
    for marker in markers {
        match lead(text, marker) {
            Lead::Full(length) => return Lead::Full(length),
            Lead::Partial => found = Lead::Partial,
            Lead::No => {}
        }
    }
    found
}

/// Bytes of white space at the start.
pub(super) fn space(text: &str) -> usize {
    text.len() - text.trim_start().len()
}

/// How much of the end of `text` could be the beginning of one of these markers.
pub(super) fn held<'m>(text: &str, markers: impl Iterator<Item = &'m str>) -> usize {
    let mut most = 0;
    for marker in markers {
        let longest = marker.len().saturating_sub(1).min(text.len());
        for length in (most + 1..=longest).rev() {
            let Some(tail) = text.get(text.len() - length..) else { continue };
            if marker.starts_with(tail) {
                most = length;
                break;
            }
        }
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_beginnings_of_markers_are_held() {
        let markers = ["<tool_call>", "[TOOL_CALLS]", "</think>"];
        let held = |text| held(text, markers.into_iter());
        assert_eq!((held("a <tool"), held("a <"), held("a [TOOL_CALLS"), held("a <x"), held("")), (5, 1, 11, 0, 0));
        assert_eq!(held("é<"), 1);
        assert_eq!((lead("<to", "<tool>"), lead("<tool>x", "<tool>"), lead("", "x")), (Lead::Partial, Lead::Full(6), Lead::Partial));
    }
}
