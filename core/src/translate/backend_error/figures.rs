//! A small pattern language that takes token counts out of sentences.
//!
//! A pattern is text with holes: `{p}` prompt tokens, `{l}` prompt tokens "at least", `{m}` max
//! tokens, `{t}` both together, `{w}` context window, `{o}` tokens over the window, `{c}` output
//! cap, `{n}` a number of no interest, `{*}` any text of at most [`MAX_GAP_CHARS`] characters.
//! Patterns are matched anywhere in a [`plain`] text.

/// Token counts named by a sentence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Figures {
    pub prompt: Option<u64>,
    pub prompt_at_least: Option<u64>,
    pub max_tokens: Option<u64>,
    pub total: Option<u64>,
    pub window: Option<u64>,
    pub over: Option<u64>,
    pub output_cap: Option<u64>,
}

impl Figures {
    fn set(mut self, hole: &str, value: u64) -> Self {
        let field = match hole {
            "p" => &mut self.prompt,
            "l" => &mut self.prompt_at_least,
            "m" => &mut self.max_tokens,
            "t" => &mut self.total,
            "w" => &mut self.window,
            "o" => &mut self.over,
            "c" => &mut self.output_cap,
            _ => return self,
        };
        *field = Some(value);
        self
    }
}

/// A text made easy to match: lower case, no quotes, single spaces.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\'' | '"' | '`' | '\u{2018}' | '\u{2019}' | '\u{201c}' | '\u{201d}' | '\\' => {}
            c if c.is_whitespace() => {
                if !out.ends_with(' ') {
                    out.push(' ');
                }
            }
            c => out.extend(c.to_lowercase()),
        }
    }
    out
}

/// Finds a pattern in a plain text and returns the numbers in its holes.
pub(super) fn capture(pattern: &str, text: &str) -> Option<Figures> {
    let first = pattern.split('{').next().unwrap_or_default();
    text.match_indices(first)
        .take(MAX_STARTS)
        .find_map(|(at, _)| matches_here(pattern, text.get(at..)?, Figures::default()))
}

fn matches_here(pattern: &str, text: &str, figures: Figures) -> Option<Figures> {
    let Some((literal, rest)) = pattern.split_once('{') else {
        return text.starts_with(pattern).then_some(figures);
    };
    let text = text.strip_prefix(literal)?;
    let (hole, rest) = rest.split_once('}')?;
    if hole != "*" {
        let (value, after) = number(text)?;
        return matches_here(rest, after, figures.set(hole, value));
    }
    text.char_indices().take(MAX_GAP_CHARS).find_map(|(at, _)| matches_here(rest, text.get(at..)?, figures))
}

/// A whole number at the start of a text, with `,` or `_` between groups of digits allowed.
pub(super) fn number(text: &str) -> Option<(u64, &str)> {
    let mut value = 0u64;
    let mut end = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if let Some(digit) = c.to_digit(10) {
            value = value.checked_mul(10)?.checked_add(digit.into())?;
            end = at + c.len_utf8();
        } else if !(matches!(c, ',' | '_') && end > 0 && chars.peek().is_some_and(|(_, next)| next.is_ascii_digit())) {
            break;
        }
    }
    (end > 0).then(|| Some((value, text.get(end..)?)))?
}

/// Longest text that a `{*}` skips: a clause, not a paragraph. It also bounds the work.
const MAX_GAP_CHARS: usize = 160;

/// Places at which a pattern is tried; more occurrences of its first words are an echo.
const MAX_STARTS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_take_numbers() {
        let text = plain(
            "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8,192. Given: 9000 `inputs` tokens",
        );
        let found = capture("must be <= {w}. given: {p} inputs tokens", &text).unwrap();
        assert_eq!((found.window, found.prompt), (Some(8192), Some(9000)));
        assert_eq!(capture("must be <= {w}. given: {p} outputs", &text), None);
    }

    #[test]
    fn gaps_are_short_and_shortest_first() {
        assert_eq!(
            capture("limit {*}{w} tokens", "the limit of this is 12 tokens, 13 tokens").unwrap().window,
            Some(12)
        );
        assert_eq!(capture("limit{*}{w} tokens", &format!("limit {} 5 tokens", "x".repeat(200))), None);
    }

    #[test]
    fn numbers_end_where_they_end() {
        assert_eq!(number("1,234, then"), Some((1234, ", then")));
        assert_eq!(number("12_000)"), Some((12000, ")")));
        assert_eq!(number("x"), None);
        assert_eq!(number(""), None);
        assert_eq!(number("99999999999999999999999"), None);
        assert_eq!(number("7, "), Some((7, ", ")));
    }

    #[test]
    fn long_echoes_end_soon() {
        let text = "a tokens ".repeat(500);
        assert_eq!(capture("a {*} tokens {*} tokens {*}{w} never", &text), None);
    }
}
