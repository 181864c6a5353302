//! The model that a request names, and another in its place: every other byte stays.

use std::ops::Range;

use crate::wire::scan::{ScanError, Scanner};

/// The model that a Messages request names; `None` when it names none or cannot be read.
pub(crate) fn named_model(body: &[u8]) -> Option<String> {
    find(body).map(|(name, _)| name)
}

/// The request with another model's name.
pub(crate) fn with_model(body: &[u8], name: &str) -> Option<Vec<u8>> {
    let (_, place) = find(body)?;
    let mut out = Vec::with_capacity(body.len() + name.len());
    out.extend_from_slice(body.get(..place.start)?);
    out.extend_from_slice(serde_json::to_string(name).ok()?.as_bytes());
    out.extend_from_slice(body.get(place.end..)?);
    Some(out)
}

/// The name and where it stands, quotes included. Of a key that is there twice the last counts, as for parsers.
fn find(body: &[u8]) -> Option<(String, Range<usize>)> {
    let text = simdutf8::basic::from_utf8(body).ok()?;
    let mut found = None;
    let mut read = |scanner: &mut Scanner<'_>| -> Result<(), ScanError> {
        scanner.object("a Messages request: an object", |key, value| {
            if key.is("model") {
                value.peek();
                let from = value.position();
                let name = value.string()?.decode().into_owned();
                found = Some((name, from..value.position()));
            } else {
                value.raw()?;
            }
            Ok(())
        })?;
        scanner.end()
    };
    read(&mut Scanner::new(text)).ok()?;
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_name_is_replaced() {
        let body = br#"{ "max_tokens":1.0 , "model" : "qwen3\u002d8b","messages":[{"model":"x"}] }"#;
        assert_eq!(named_model(body).as_deref(), Some("qwen3-8b"));
        let wanted = br#"{ "max_tokens":1.0 , "model" : "claude-\"x\"","messages":[{"model":"x"}] }"#;
        assert_eq!(with_model(body, "claude-\"x\"").unwrap(), wanted);
        for odd in [&b"{}"[..], b"[1]", b"{\"model\":7}", b"\xff", b"{\"model\":\"x\""] {
            assert_eq!((named_model(odd), with_model(odd, "y")), (None, None));
        }
    }
}
