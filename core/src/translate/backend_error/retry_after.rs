//! How long to wait, in whole seconds, from a header, a body field or a sentence.

use super::BackendFailure;
use super::body::Said;
use super::figures::plain;

/// The wait that the backend asked for, rounded up, at least 1; `None` if it asked for none.
///
/// There is no default: without `retry-after` Claude Code backs off by itself over about three
/// minutes, and a fixed small figure would shorten that (it makes ten tries).
pub(super) fn find(failure: &BackendFailure<'_>, said: &Said) -> Option<u32> {
    failure
        .retry_after
        // A date would need a clock, and of a server whose clock differs; the sentence may know.
        .and_then(|header| whole_seconds(header.trim().parse().ok()?))
        .or_else(|| whole_seconds(said.retry_after?))
        .or_else(|| from_sentence(&plain(&said.message)))
}

/// Reads "try again in 1.5s", "retry after 20 seconds", "in 1m30s", "in 350ms".
fn from_sentence(text: &str) -> Option<u32> {
    LEADS.iter().find_map(|lead| {
        let (_, rest) = text.split_once(lead)?;
        whole_seconds(duration(rest)?)
    })
}

fn duration(text: &str) -> Option<f64> {
    let mut rest = text.trim_start();
    let mut seconds = None;
    // hours, minutes, seconds, milliseconds
    for _ in 0..4 {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (digits, after) = rest.split_at(end);
        let Ok(value) = digits.trim_end_matches('.').parse::<f64>() else {
            break;
        };
        let unit: String = after.trim_start().chars().take_while(char::is_ascii_alphabetic).collect();
        let factor = match unit.as_str() {
            "ms" | "millisecond" | "milliseconds" => 0.001,
            "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
            "h" | "hr" | "hour" | "hours" => 3600.0,
            "" | "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
            _ => break,
        };
        seconds = Some(seconds.unwrap_or(0.0) + value * factor);
        rest = after.trim_start().strip_prefix(unit.as_str()).unwrap_or_default().trim_start();
    }
    seconds
}

/// Rounded up: a retry that comes too early is refused again. At least 1, for 0 would make the
/// client hammer.
fn whole_seconds(seconds: f64) -> Option<u32> {
    (seconds.is_finite() && seconds >= 0.0).then(|| seconds.ceil().clamp(1.0, MAX_SECONDS) as u32)
}

const LEADS: &[&str] = &["try again in ", "retry in ", "retry after ", "retry-after: ", "wait ", "available in "];

/// A day. More is a misread figure, such as a time of day in seconds.
const MAX_SECONDS: f64 = 86_400.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn found(header: Option<&str>, body: &str) -> Option<u32> {
        let mut failure = BackendFailure::new("openai", 429, body.as_bytes());
        failure.retry_after = header;
        find(&failure, &Said::read(body.as_bytes()))
    }

    #[test]
    fn headers_fields_and_sentences() {
        assert_eq!(found(Some("7"), ""), Some(7));
        assert_eq!(found(Some(" 1.2 "), ""), Some(2));
        assert_eq!(found(Some("0"), ""), Some(1));
        assert_eq!(found(Some("-3"), ""), None);
        assert_eq!(found(Some("NaN"), ""), None);
        assert_eq!(found(Some("1e30"), ""), Some(86_400));
        assert_eq!(found(Some("Wed, 21 Oct 2026 07:28:00 GMT"), "Please try again in 20ms."), Some(1));
        assert_eq!(found(None, r#"{"error":{"message":"x","retry_after":3.4}}"#), Some(4));
        assert_eq!(found(None, "Please try again in 1.512s. Visit"), Some(2));
        assert_eq!(found(None, "Please try again in 6m11.52s."), Some(372));
        assert_eq!(found(None, "retry after 20 seconds"), Some(20));
        assert_eq!(found(None, "try again in 1 minute"), Some(60));
        assert_eq!(found(None, "try again in a moment"), None);
        assert_eq!(found(None, "try again in 5 parsecs"), None);
        assert_eq!(found(None, ""), None);
    }
}
