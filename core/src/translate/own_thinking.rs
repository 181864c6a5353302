//! Cuts our own thinking out of a request that goes to Anthropic as it came.

use std::ops::Range;

use crate::encode::SIGNATURE;
use crate::wire::scan::{ScanError, Scanner};

type Cuts = Vec<Range<usize>>;

/// Cuts the thinking blocks of this library out of a Messages request for the real Anthropic API, which
/// refuses signatures that are not its own.
///
/// `None` when there is nothing to cut, or the body is no request that can be read: send it as it is.
/// Each such block of a message goes with one comma, a message that would be left without content goes
/// whole, and every other byte stays. A signature is looked for as clients echo it, not escaped.
///
/// ```
/// use anyclaude_core::{SIGNATURE, cut_own_thinking};
///
/// let thinking = format!(r#"{{"type":"thinking","thinking":"Hm.","signature":"{SIGNATURE}"}}"#);
/// let answer = |content: &str| format!(r#"{{"messages":[{{"role":"assistant","content":[{content}]}}]}}"#);
/// let text = r#"{"type":"text","text":"Hi"}"#;
/// let cut = cut_own_thinking(answer(&format!("{thinking},{text}")).as_bytes());
/// assert_eq!(cut, Some(answer(text).into_bytes()));
/// assert_eq!(cut_own_thinking(answer(text).as_bytes()), None);
/// ```
pub fn cut_own_thinking(body: &[u8]) -> Option<Vec<u8>> {
    memchr::memmem::find(body, SIGNATURE.as_bytes())?;
    let text = simdutf8::basic::from_utf8(body).ok()?;
    let cuts = find(&mut Scanner::new(text)).ok().filter(|cuts| !cuts.is_empty())?;
    let mut out = Vec::with_capacity(body.len());
    let mut from = 0;
    for cut in cuts {
        out.extend_from_slice(body.get(from..cut.start)?);
        from = cut.end;
    }
    out.extend_from_slice(body.get(from..)?);
    Some(out)
}

/// What must go, in the order of the body. Where a key is there twice, the last counts, as for parsers.
fn find(scanner: &mut Scanner<'_>) -> Result<Cuts, ScanError> {
    let mut cuts = Cuts::new();
    scanner.object("a Messages request: an object", |key, value| {
        if key.is("messages") {
            list(value, &mut cuts, message)?;
        } else {
            value.raw()?;
        }
        Ok(())
    })?;
    scanner.end().map(|()| cuts)
}

/// Notes the elements that must go, each with its comma: the one before it, or at the head of the list
/// the one behind it. Tells whether nothing is left of a list that had something.
fn list<'a>(
    scanner: &mut Scanner<'a>,
    cuts: &mut Cuts,
    mut must_go: impl FnMut(&mut Scanner<'a>, &mut Cuts) -> Result<bool, ScanError>,
) -> Result<bool, ScanError> {
    let (mut any_kept, mut all_cut) = (false, false);
    scanner.array("an array", |item| {
        let comma = item.position().saturating_sub(1)..item.position();
        if all_cut {
            cuts.push(comma.clone());
        }
        let before = cuts.len();
        item.peek();
        let from = item.position();
        let goes = must_go(item, cuts)?;
        if goes {
            // What was cut inside of it goes with it.
            cuts.truncate(before);
            if any_kept {
                cuts.push(comma);
            }
            cuts.push(from..item.position());
        }
        any_kept |= !goes;
        all_cut = !any_kept;
        Ok(())
    })?;
    Ok(all_cut)
}

/// A message goes when nothing is left of its content.
fn message(scanner: &mut Scanner<'_>, cuts: &mut Cuts) -> Result<bool, ScanError> {
    let mut is_empty = false;
    scanner.object("a message: an object", |key, value| {
        if key.is("content") {
            let is_list = value.peek() == Some(b'[');
            is_empty =
                if is_list { list(value, cuts, |item, _| own_thinking(item))? } else { value.raw().map(|_| false)? };
        } else {
            value.raw()?;
        }
        Ok(())
    })?;
    Ok(is_empty)
}

fn own_thinking(scanner: &mut Scanner<'_>) -> Result<bool, ScanError> {
    let (mut is_thinking, mut is_own) = (false, false);
    scanner.object("a content block: an object", |key, value| {
        let field = match key {
            key if key.is("type") => &mut is_thinking,
            key if key.is("signature") => &mut is_own,
            _ => return value.raw().map(|_| ()),
        };
        if value.peek() != Some(b'"') {
            *field = false;
            return value.raw().map(|_| ());
        }
        let text = value.string()?;
        *field = if key.is("type") { text.is("thinking") } else { text.decode().starts_with(SIGNATURE) };
        Ok(())
    })?;
    Ok(is_thinking && is_own)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `O` stands for a block of ours, in a form that only a parser recognises.
    const OWN: &str = r#"{ "signature" : "YW55Y2xhdWRlLXYx==" , "thinking":"a \"}],[{\" b", "type":"th\u0069nking" }"#;

    fn cut(body: &str) -> Option<String> {
        cut_own_thinking(body.replace('O', OWN).as_bytes()).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    fn content(content: &str) -> String {
        format!(r#"{{"n":1.0e0,"messages":[{{"role":"x"}} , {{"content":{content}}},{{"b":2,"b":3}}],"é":"\u00e9"}}"#)
    }

    #[test]
    fn the_block_and_one_comma_go_and_nothing_else() {
        for (before, after) in [
            ("[O,1]", None), // no block: not a request
            ("[O,{}]", Some("[{}]")),
            ("[ O , {} ]", Some("[   {} ]")),
            ("[\n{},\tO\n]", Some("[\n{}\t\n]")),
            ("[{} , O , {}]", Some("[{}   , {}]")),
            ("[O,O , {},O,O,{}]", Some("[  {},{}]")),
            ("[{},{\"input\":{\"x\":[O]}},O]", Some("[{},{\"input\":{\"x\":[O]}}]")),
            ("[O,{\"type\":\"tool_use\",\"id\":\"a\"}]", Some("[{\"type\":\"tool_use\",\"id\":\"a\"}]")),
        ] {
            assert_eq!(cut(&content(before)), after.map(|after| content(after).replace('O', OWN)), "{before}");
        }
    }

    #[test]
    fn a_message_of_nothing_else_goes_whole() {
        let messages = |list: &str| format!(r#"{{"messages":[{list}]}}"#);
        for (before, after) in [
            ("{\"content\":[O]}", ""),
            ("{\"content\":[ O,O ]} , {}", "  {}"),
            ("{} , {\"content\":[O]}", "{}  "),
            ("{},{\"a\":1,\"content\" : [O], \"b\":2},{}", "{},{}"),
            (
                "{\"content\":[O]},{\"content\":[O]},{},{\"content\":[O,{}]},{\"content\":[]}",
                "{},{\"content\":[{}]},{\"content\":[]}",
            ),
            ("{\"content\":[O],\"content\":\"x\"}", "{\"content\":[],\"content\":\"x\"}"),
        ] {
            assert_eq!(cut(&messages(before)), Some(messages(after)), "{before}");
        }
    }

    #[test]
    fn look_alikes_stay() {
        for text in [
            r#"[{"type":"text","text":"YW55Y2xhdWRlLXYx","signature":"YW55Y2xhdWRlLXYx"}]"#,
            r#"[{"type":"thinking","thinking":"YW55Y2xhdWRlLXYx","signature":"other"}]"#,
            r#"[{"type":"thinking","signature":"xYW55Y2xhdWRlLXYx"}]"#,
            r#"[{"type":"thinking","signature":["YW55Y2xhdWRlLXYx"]}]"#,
            r#"[{"type":"thinking","signature":"YW55Y2xhdWRlLXYx","type":"text"}]"#,
            r#"[{"type":"redacted_thinking","signature":"YW55Y2xhdWRlLXYx"}]"#,
            r#"[{"type":"tool_result","content":[O]}]"#,
            r#""YW55Y2xhdWRlLXYx""#,
            r#"{"0":O}"#,
        ] {
            assert_eq!(cut(&content(text)), None, "{text}");
        }
        assert_eq!(
            cut(r#"{"system":[O],"content":[O],"metadata":{"messages":[{"content":[O]}]},"messages":[]}"#),
            None
        );
    }

    #[test]
    fn what_cannot_be_read_stays() {
        for body in ["", "O", "[O]", "{\"messages\":O}", "{\"messages\":[[O]]}", "{\"messages\":[{\"content\":[O]}]"] {
            assert_eq!(cut(body), None, "{body}");
        }
        let sound = content("[O]").replace('O', OWN);
        assert!(cut_own_thinking(sound.as_bytes()).is_some());
        assert_eq!(cut_own_thinking(format!("{sound},").as_bytes()), None);
        assert_eq!(cut_own_thinking(&[sound.as_bytes(), b"\xff"].concat()), None);
        let deep = format!(r#"{{"a":{}{},{}"#, "[".repeat(200), "]".repeat(200), &sound[1..]);
        assert_eq!(cut_own_thinking(deep.as_bytes()), None);
    }
}
