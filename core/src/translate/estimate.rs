//! Token estimates, for where no tokenizer is at hand.
//!
//! Measured against the byte-pair tokenizers of current models, English prose and code take about one
//! token for four bytes of ASCII, other scripts about one for three bytes of UTF-8.

use super::request::{Options, RequestMeta, Translator};
use crate::backend::BackendSpec;
use crate::error::Result;
use crate::wire::anthropic::MessagesRequest;

/// Tokens that one image counts for: what Anthropic charges for a picture of about a megapixel.
const TOKENS_PER_IMAGE: u64 = 1_500;

/// Tokens of text; at least one.
fn tokens_of(text: &[u8]) -> u64 {
    // Eight bytes at a time: this runs over every request.
    let (words, rest) = text.as_chunks::<8>();
    let high_bits = |word: &[u8; 8]| u64::from((u64::from_ne_bytes(*word) & 0x8080_8080_8080_8080).count_ones());
    let other = words.iter().map(high_bits).sum::<u64>() + rest.iter().filter(|byte| **byte >= 0x80).count() as u64;
    let ascii = text.len() as u64 - other;
    (ascii.div_ceil(4) + other.div_ceil(3)).max(1)
}

/// Tokens of a prompt of which this much is written: text, and images that count by number.
pub(crate) fn prompt_tokens(written: &[u8], images: u64, image_bytes: u64) -> u64 {
    let text = if images == 0 { tokens_of(written) } else { (written.len() as u64).saturating_sub(image_bytes) / 4 };
    text + images * TOKENS_PER_IMAGE
}

/// Tokens of this many bytes of output; none for none.
pub(crate) fn tokens_of_output(bytes: u64) -> u64 {
    bytes.div_ceil(4)
}

/// Estimates the prompt tokens of a request as `backend` would be sent it. Starts no inference.
///
/// # Errors
/// As [`Translator::request`].
pub fn count_tokens(backend: BackendSpec, request: MessagesRequest<'_>) -> Result<u64> {
    let translated = Translator::new(backend, Options::default()).request(request, &RequestMeta::default())?;
    Ok(translated.context.estimated_input_tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_script() {
        assert_eq!(tokens_of(b""), 1);
        assert_eq!(tokens_of(b"abcdefgh"), 2);
        assert_eq!(tokens_of("你好".as_bytes()), 2);
    }
}
