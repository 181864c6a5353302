//! A server's sentence made fit to be shown: one line, short, without secrets.

use crate::wire::ApiError;

use super::redact::redact;

/// The sentence on one line, without secrets and cut at [`MAX_MESSAGE_CHARS`].
pub(super) fn clean(sentence: &str) -> String {
    // Cut first: redaction then has little to do, and a secret cut in two is still recognised.
    let short: String = sentence.chars().take(MAX_MESSAGE_CHARS + 1).collect();
    let line = short.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut text: String = redact(&line).chars().filter(|c| !c.is_control()).take(MAX_MESSAGE_CHARS).collect();
    if short.chars().count() > MAX_MESSAGE_CHARS {
        text.push_str("...");
    }
    text
}

/// Whether a sentence says anything.
pub(super) fn is_present(sentence: &str) -> bool {
    sentence.chars().any(char::is_alphanumeric)
}

/// `lead`, then what the server said if it said something.
pub(super) fn with_words(lead: &str, sentence: &str) -> String {
    if is_present(sentence) { format!("{lead}: {}", clean(sentence)) } else { lead.to_owned() }
}

/// The last step for every error: Claude Code gives up after three tries when it sees Anthropic's
/// word for an overload, wherever it stands.
pub(super) fn finish(mut error: ApiError) -> ApiError {
    if error.message.contains("overloaded_error") {
        error.message = error.message.replace("overloaded_error", "overloaded");
    }
    error
}

/// Longest server sentence shown. Real ones are below 400 characters; longer ones echo the request.
pub(super) const MAX_MESSAGE_CHARS: usize = 600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_become_one_short_line() {
        assert_eq!(clean(" a\n  b\tc "), "a b c");
        assert_eq!(clean("a\u{0}b\u{1b}[31m"), "ab[31m");
        let cut = clean(&"é".repeat(5000));
        assert_eq!(cut.chars().count(), MAX_MESSAGE_CHARS + 3);
        assert!(!clean(&format!("{} sk-{}", "x".repeat(590), "a1".repeat(30))).contains("a1a1"));
        assert_eq!(with_words("lead", " \n"), "lead");
    }
}
