//! Text that changes from request to request and says nothing: it costs a server its cache.

use crate::wire::JsonText;

/// Claude Code's countdown of the tokens that are left.
const OPENING: &str = "<total_tokens>";
const CLOSING: &str = "</total_tokens>";

/// What stands around lines in escaped text.
const LINE_END: &str = "\\n";

/// The text without its countdown; `None` where there is none to take out.
///
/// Only whole lines that are nothing but a countdown go: whoever writes about one is understood.
pub(super) fn without_countdown(text: &JsonText<'_>) -> Option<JsonText<'static>> {
    let escaped = text.as_escaped();
    memchr::memmem::find(escaped.as_bytes(), OPENING.as_bytes())?;
    let lines = lines(escaped);
    let kept: Vec<&str> = lines.iter().copied().filter(|line| !is_countdown(line)).collect();
    if kept.len() == lines.len() {
        return None;
    }
    let left = kept.join(LINE_END);
    let bare = left.replace("<system-reminder>", "").replace("</system-reminder>", "");
    // A reminder of nothing goes, too.
    let left = if JsonText::escaped(&bare).is_blank() { "" } else { &left };
    Some(JsonText::escaped(left).into_owned())
}

/// The lines of escaped text. A backslash and an `n` that the text itself has are no line end.
fn lines(escaped: &str) -> Vec<&str> {
    let bytes = escaped.as_bytes();
    let (mut lines, mut start, mut at) = (Vec::new(), 0, 0);
    while let Some(found) = memchr::memchr(b'\\', bytes.get(at..).unwrap_or_default()) {
        let escape = at + found;
        if bytes.get(escape + 1) == Some(&b'n') {
            lines.push(escaped.get(start..escape).unwrap_or_default());
            start = escape + LINE_END.len();
        }
        // The escaped character is no beginning of another escape.
        at = escape + 2;
    }
    lines.push(escaped.get(start..).unwrap_or_default());
    lines
}

/// Whether a text is a countdown and nothing else.
pub(super) fn is_only_countdown(text: &JsonText<'_>) -> bool {
    is_countdown(text.as_escaped())
}

fn is_countdown(line: &str) -> bool {
    let line = line.trim();
    // A reminder on one line, with nothing else in it.
    let line =
        line.strip_prefix("<system-reminder>").and_then(|line| line.strip_suffix("</system-reminder>")).unwrap_or(line);
    let inside = line.trim().strip_prefix(OPENING).and_then(|line| line.strip_suffix(CLOSING));
    inside.is_some_and(|inside| {
        inside.starts_with(|c: char| c.is_ascii_digit()) && inside.ends_with("left") && !inside.contains('<')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_countdown_goes() {
        let gone = |text: &str| without_countdown(&JsonText::escaped(text)).map(|left| left.as_escaped().to_owned());
        let line = "<total_tokens>12345 tokens left</total_tokens>";
        assert_eq!(gone(line).as_deref(), Some(""));
        assert_eq!(gone(&format!(r"a\n{line}\nb")).as_deref(), Some(r"a\nb"));
        assert_eq!(gone(&format!(r"<system-reminder>\n{line}\n</system-reminder>")).as_deref(), Some(""));
        assert_eq!(gone(&format!("<system-reminder>{line}</system-reminder>")).as_deref(), Some(""));
        assert_eq!(
            gone(&format!(r"<system-reminder>\nThe skills:\n{line}\n</system-reminder>")).as_deref(),
            Some(r"<system-reminder>\nThe skills:\n</system-reminder>")
        );
        // Backslashes of the text's own are no line ends.
        assert_eq!(gone(&format!(r"a\\n{line}")), None);
        assert_eq!(gone(&format!(r"a\\\n{line}\nb")).as_deref(), Some(r"a\\\nb"));
        for kept in [
            "no countdown",
            "Why is <total_tokens>5 tokens left</total_tokens> there?",
            "<total_tokens>many tokens left</total_tokens>",
            "<total_tokens>",
            "<total_tokens>5 tokens left</total_tokens> <b>",
        ] {
            assert_eq!(gone(kept), None, "{kept}");
        }
    }
}
