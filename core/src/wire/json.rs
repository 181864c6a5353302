//! JSON text in its escaped form, and a writer that appends to a byte buffer.
//!
//! A Claude Code request is 50 to 130 KB of prose. Unescaping every string and escaping it again
//! costs more than all other work of the translator together, so strings stay as they are on the
//! wire and are decoded only where their meaning is needed.

use std::borrow::Cow;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde_json::value::RawValue;

/// The inside of a JSON string: escapes as on the wire, without the quotes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JsonText<'a>(Cow<'a, str>);

impl<'a> JsonText<'a> {
    /// Takes text that is already escaped, such as a literal without special characters.
    pub const fn escaped(text: &'a str) -> Self {
        JsonText(Cow::Borrowed(text))
    }

    /// Escapes plain text.
    pub fn from_plain(text: &str) -> JsonText<'static> {
        let mut out = Vec::with_capacity(text.len() + 16);
        push_escaped(&mut out, text);
        // Escaping turns UTF-8 into UTF-8, so nothing is replaced here.
        JsonText(Cow::Owned(String::from_utf8_lossy(&out).into_owned()))
    }

    /// The string value of a raw JSON value, or `None` when it is something else.
    pub fn from_raw(raw: &'a RawValue) -> Option<Self> {
        let inner = raw.get().strip_prefix('"')?.strip_suffix('"')?;
        Some(JsonText(Cow::Borrowed(inner)))
    }

    /// The escaped form, without quotes.
    pub fn as_escaped(&self) -> &str {
        &self.0
    }

    /// A shorter-lived copy that borrows.
    pub fn borrowed(&self) -> JsonText<'_> {
        JsonText(Cow::Borrowed(&self.0))
    }

    /// A copy that owns its bytes.
    pub fn into_owned(self) -> JsonText<'static> {
        JsonText(Cow::Owned(self.0.into_owned()))
    }

    /// The text itself. Unpaired surrogates become U+FFFD; borrowed when nothing is escaped.
    pub fn decode(&self) -> Cow<'_, str> {
        let mut rest: &str = &self.0;
        let mut out = String::new();
        // What stands between escapes is copied as it is.
        while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
            if out.capacity() == 0 {
                out.reserve(rest.len());
            }
            let (plain, escape) = rest.split_at_checked(at).unwrap_or((rest, ""));
            out.push_str(plain);
            let mut chars = DecodedChars::new(escape);
            out.extend(chars.next());
            rest = chars.rest.as_str();
        }
        if out.capacity() == 0 {
            return Cow::Borrowed(&self.0);
        }
        out.push_str(rest);
        Cow::Owned(out)
    }

    /// The characters of the text, decoded one by one.
    pub fn chars(&self) -> DecodedChars<'_> {
        DecodedChars::new(&self.0)
    }

    /// Splits the escape of a first half of a surrogate pair off the end.
    pub(crate) fn split_surrogate(&self) -> (&str, &str) {
        let whole = (self.as_escaped(), "");
        let Some(at) = self.0.len().checked_sub(6) else { return whole };
        let Some((head, tail)) = self.0.split_at_checked(at) else { return whole };
        let is_half =
            matches!(tail.as_bytes(), [b'\\', b'u', b'd' | b'D', b'8' | b'9' | b'a' | b'b' | b'A' | b'B', ..]);
        // An even number of backslashes before it are escapes of their own.
        let before = head.bytes().rev().take_while(|&byte| byte == b'\\').count();
        if is_half && before % 2 == 0 { (head, tail) } else { whole }
    }

    /// Whether nothing stands here at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the text holds nothing but white space.
    pub fn is_blank(&self) -> bool {
        self.chars().all(char::is_whitespace)
    }

    /// Whether the decoded text is exactly `plain`.
    pub fn is(&self, plain: &str) -> bool {
        self.0 == plain || (self.0.len() > plain.len() && self.decode() == plain)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for JsonText<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&'a RawValue>::deserialize(deserializer)?;
        JsonText::from_raw(raw).ok_or_else(|| D::Error::custom(format_args!("expected a string, got {}", shape(raw))))
    }
}

/// Iterator over the decoded characters of escaped JSON text.
pub struct DecodedChars<'a> {
    rest: std::str::Chars<'a>,
}

impl<'a> DecodedChars<'a> {
    fn new(escaped: &'a str) -> Self {
        DecodedChars { rest: escaped.chars() }
    }

    fn hex4(&mut self) -> Option<u32> {
        let mut ahead = self.rest.clone();
        let mut value = 0;
        for _ in 0..4 {
            value = value * 16 + ahead.next()?.to_digit(16)?;
        }
        self.rest = ahead;
        Some(value)
    }

    /// Reads a `\uXXXX` that must be a low surrogate, or leaves the text as it stands.
    fn low_surrogate(&mut self) -> Option<u32> {
        let before = self.rest.clone();
        let is_escape = self.rest.next() == Some('\\') && self.rest.next() == Some('u');
        if is_escape && let Some(low @ 0xDC00..=0xDFFF) = self.hex4() {
            return Some(low);
        }
        self.rest = before;
        None
    }
}

impl Iterator for DecodedChars<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        let c = self.rest.next()?;
        if c != '\\' {
            return Some(c);
        }
        Some(match self.rest.next()? {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'u' => match self.hex4() {
                Some(high @ 0xD800..=0xDBFF) => match self.low_surrogate() {
                    Some(low) => {
                        char::from_u32(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)).unwrap_or('\u{FFFD}')
                    }
                    None => '\u{FFFD}',
                },
                Some(code) => char::from_u32(code).unwrap_or('\u{FFFD}'),
                None => '\u{FFFD}',
            },
            other => other,
        })
    }
}

/// What a raw JSON value is, in words for an error message.
pub fn shape(raw: &RawValue) -> &'static str {
    match raw.get().as_bytes().first() {
        Some(b'"') => "a string",
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}

/// Appends `text` to `out` as the inside of a JSON string.
///
/// Only what RFC 8259 demands is escaped: quote, backslash and control characters.
pub fn push_escaped(out: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let bytes = text.as_bytes();
    let mut from = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        let short = match byte {
            b'"' | b'\\' => byte,
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0..=0x1F => b'u',
            _ => continue,
        };
        out.extend_from_slice(bytes.get(from..at).unwrap_or_default());
        out.extend_from_slice(&[b'\\', short]);
        if short == b'u' {
            let low = HEX.get(usize::from(byte & 15)).copied().unwrap_or(b'0');
            out.extend_from_slice(&[b'0', b'0', b'0' + (byte >> 4), low]);
        }
        from = at + 1;
    }
    out.extend_from_slice(bytes.get(from..).unwrap_or_default());
}

/// Writes one JSON object: commas and keys are its business, values the caller's.
pub(crate) struct Object<'o> {
    out: &'o mut Vec<u8>,
    first: bool,
}

impl<'o> Object<'o> {
    pub(crate) fn begin(out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        Object { out, first: true }
    }

    /// All that is in the buffer so far.
    pub(crate) fn written(&self) -> &[u8] {
        self.out
    }

    /// Writes the key; the caller writes the value to the buffer that comes back.
    pub(crate) fn key(&mut self, key: &str) -> &mut Vec<u8> {
        if !self.first {
            self.out.push(b',');
        }
        self.first = false;
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    pub(crate) fn text(&mut self, key: &str, text: &JsonText<'_>) -> &mut Self {
        push_quoted(self.key(key), text);
        self
    }

    pub(crate) fn plain(&mut self, key: &str, text: &str) -> &mut Self {
        let out = self.key(key);
        out.push(b'"');
        push_escaped(out, text);
        out.push(b'"');
        self
    }

    /// A value that is JSON already.
    pub(crate) fn json(&mut self, key: &str, json: &str) -> &mut Self {
        self.key(key).extend_from_slice(json.as_bytes());
        self
    }

    pub(crate) fn number(&mut self, key: &str, number: u64) -> &mut Self {
        push_number(self.key(key), number);
        self
    }

    pub(crate) fn end(self) {
        self.out.push(b'}');
    }
}

/// Appends escaped text in quotes.
pub(crate) fn push_quoted(out: &mut Vec<u8>, text: &JsonText<'_>) {
    out.push(b'"');
    out.extend_from_slice(text.as_escaped().as_bytes());
    out.push(b'"');
}

/// Appends a decimal number.
pub(crate) fn push_number(out: &mut Vec<u8>, number: u64) {
    // `u64::MAX` has 20 digits.
    let mut digits = [0u8; 20];
    let mut rest = number;
    let mut used = 0;
    for slot in digits.iter_mut().rev() {
        *slot = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        used += 1;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(20 - used..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn escaping_is_what_serde_json_reads_back(text in any::<String>()) {
            let escaped = JsonText::from_plain(&text);
            let json = format!("\"{}\"", escaped.as_escaped());
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text.clone());
            prop_assert_eq!(escaped.decode(), text);
        }

        #[test]
        fn decoding_agrees_with_serde_json(text in any::<String>()) {
            let json = serde_json::to_string(&text).unwrap();
            let ascii: String = json.chars().map(|c| if c.is_ascii() { c.to_string() } else {
                c.encode_utf16(&mut [0; 2]).iter().map(|u| format!("\\u{u:04x}")).collect()
            }).collect();
            let raw: &RawValue = serde_json::from_str(&ascii).unwrap();
            prop_assert_eq!(JsonText::from_raw(raw).unwrap().decode().into_owned(), text);
        }

        #[test]
        fn numbers_are_written_in_full(number in any::<u64>()) {
            let mut out = Vec::new();
            push_number(&mut out, number);
            prop_assert_eq!(String::from_utf8(out).unwrap(), number.to_string());
        }
    }

    #[test]
    fn unpaired_surrogates_become_the_replacement_character() {
        assert_eq!(JsonText::escaped(r"a\ud83db").decode(), "a\u{FFFD}b");
        assert_eq!(JsonText::escaped(r"\ud83d\ude00").decode(), "\u{1F600}");
        assert_eq!(JsonText::escaped(r"\ud83d\u0041").decode(), "\u{FFFD}A");
    }
}
