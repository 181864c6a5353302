//! A backend's figures for a request that was too long, and what they allow for one retry.

/// What a backend told about its limits when it refused a request, in tokens.
///
/// Figures that the backend did not give are `None`, except that `prompt` may be our estimate,
/// which `prompt_exact` tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenLimit {
    /// Tokens of the prompt.
    pub prompt: Option<u64>,
    /// Whether `prompt` is the server's own count.
    pub prompt_exact: bool,
    /// The `max_tokens` that was refused.
    pub max_tokens: Option<u64>,
    /// The context window: prompt and answer together.
    pub window: Option<u64>,
    /// The most tokens an answer may have, whatever the prompt.
    pub output_cap: Option<u64>,
}

impl TokenLimit {
    /// The largest `max_tokens` that should be accepted when the same prompt is sent again.
    ///
    /// `None` when the figures do not allow an answer worth having, or when the result would not
    /// be smaller than what was refused.
    #[must_use]
    pub fn max_tokens_for_retry(&self) -> Option<u64> {
        let room = match (self.window, self.prompt) {
            (Some(window), Some(prompt)) => {
                let margin = if self.prompt_exact { EXACT_MARGIN } else { prompt / ESTIMATE_SHARE + EXACT_MARGIN };
                Some(window.saturating_sub(prompt).saturating_sub(margin))
            }
            _ => None,
        };
        let fitting = [room, self.output_cap].into_iter().flatten().min()?;
        let smaller = self.max_tokens.is_none_or(|refused| fitting < refused);
        (fitting >= MIN_RETRY_TOKENS && smaller).then_some(fitting)
    }
}

/// Tokens left free beside an exact prompt count: templates of some servers add a few tokens after
/// they counted, and some refuse a sum that equals the window.
const EXACT_MARGIN: u64 = 16;

/// An estimated prompt may be off by this share (1/8) without the retry failing again.
const ESTIMATE_SHARE: u64 = 8;

/// Below this an answer is cut before it says or calls anything, so a retry is not worth it.
const MIN_RETRY_TOKENS: u64 = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_figure_fits_and_is_smaller() {
        let limit = |prompt, exact, max, window, cap| TokenLimit {
            prompt,
            prompt_exact: exact,
            max_tokens: max,
            window,
            output_cap: cap,
        };
        assert_eq!(limit(Some(6000), true, Some(64000), Some(32768), None).max_tokens_for_retry(), Some(26752));
        assert_eq!(limit(Some(8000), false, Some(64000), Some(32768), None).max_tokens_for_retry(), Some(23752));
        assert_eq!(limit(Some(8100), true, Some(64000), Some(8192), None).max_tokens_for_retry(), None);
        assert_eq!(limit(None, false, Some(64000), None, Some(8192)).max_tokens_for_retry(), Some(8192));
        assert_eq!(limit(None, false, Some(8000), None, Some(8192)).max_tokens_for_retry(), None);
        assert_eq!(TokenLimit::default().max_tokens_for_retry(), None);
    }
}
