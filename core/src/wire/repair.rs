//! Mends JSON escapes that clients really send and strict parsers refuse.
//!
//! Two kinds are seen: half of a surrogate pair (a client cut a string in the middle of an emoji),
//! which parsers and tokenizers of local servers refuse, and a backslash before a character that JSON
//! gives no escape for (a regular expression pasted into a tool description).

use std::borrow::Cow;

/// Replaces unpaired `\uD800..\uDFFF` by `\ufffd` and doubles the backslash of unknown escapes.
///
/// Borrowed when there is nothing to mend. Only escapes inside strings are touched; whether the rest
/// is JSON is the parser's business.
pub fn repair_escapes(body: &[u8]) -> Cow<'_, [u8]> {
    let mut out: Vec<u8> = Vec::new();
    let mut kept = 0;
    let mut at = 0;
    while let Some(step) = memchr::memchr(b'\\', body.get(at..).unwrap_or_default()) {
        let slash = at + step;
        let rest = body.get(slash..).unwrap_or_default();
        let (length, mended): (usize, Option<&[u8]>) = match rest.get(1) {
            Some(b'u') => match (code_unit(rest), rest.get(6..).and_then(code_unit)) {
                (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => (12, None),
                (Some(0xD800..=0xDFFF), _) => (6, Some(b"\\ufffd")),
                (Some(_), _) => (6, None),
                (None, _) => (1, Some(b"\\\\")),
            },
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => (2, None),
            _ => (1, Some(b"\\\\")),
        };
        if let Some(mended) = mended {
            out.extend_from_slice(body.get(kept..slash).unwrap_or_default());
            out.extend_from_slice(mended);
            kept = slash + length;
        }
        at = slash + length;
    }
    if kept == 0 && out.is_empty() {
        return Cow::Borrowed(body);
    }
    out.extend_from_slice(body.get(kept..).unwrap_or_default());
    Cow::Owned(out)
}

/// Whether the body holds an escape of the surrogate range at all; cheap enough for every request.
pub(crate) fn may_hold_surrogates(body: &[u8]) -> bool {
    memchr::memmem::find_iter(body, b"\\u").any(|at| matches!(body.get(at + 2), Some(b'd' | b'D')))
}

/// The code unit of a `\uXXXX` that stands at the start of `text`.
fn code_unit(text: &[u8]) -> Option<u32> {
    let digits = text.strip_prefix(b"\\u")?.get(..4)?;
    digits.iter().try_fold(0, |value, &digit| Some(value * 16 + char::from(digit).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mended(text: &str) -> String {
        String::from_utf8(repair_escapes(text.as_bytes()).into_owned()).unwrap()
    }

    #[test]
    fn leaves_sound_escapes_alone() {
        for text in [r#""\n\"\\d\u0041\ud83d\ude00""#, r#""\\ud83d""#, "", "\"plain\""] {
            assert!(matches!(repair_escapes(text.as_bytes()), Cow::Borrowed(_)), "{text}");
        }
    }

    #[test]
    fn mends_halves_of_pairs_and_unknown_escapes() {
        assert_eq!(mended(r#""a\ud83d""#), r#""a\ufffd""#);
        assert_eq!(mended(r#""\ude00\ud83dx""#), r#""\ufffd\ufffdx""#);
        assert_eq!(mended(r#""\d+\.\u12""#), r#""\\d+\\.\\u12""#);
    }
}
