//! The longest common prefix of two prompts.

use serde::Serialize;

use super::difference::{self, Difference};
use super::prompt::Prompt;

/// What a prompt shares with an earlier one.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Comparison {
    /// Bytes from the start that are the same.
    pub shared_bytes: u64,
    /// Bytes of the earlier prompt.
    pub of_bytes: u64,
    /// About how many tokens the shared bytes are.
    pub shared_tokens_estimate: u64,
    /// The first difference; `None` where one of the two is the beginning of the other.
    pub difference: Option<Difference>,
}

/// Bytes that are compared at once.
const STEP: usize = 4 << 10;

/// How many bytes two prompts have in common from their start.
pub(super) fn shared(a: &[u8], b: &[u8]) -> usize {
    let mut at = 0;
    for (a, b) in a.chunks(STEP).zip(b.chunks(STEP)) {
        if a != b {
            return at + a.iter().zip(b).take_while(|(a, b)| a == b).count();
        }
        at += a.len();
    }
    at.min(a.len()).min(b.len())
}

/// Compares a prompt with an earlier one; `tokens` estimates tokens of bytes, `mask` takes secrets out of a text.
pub(crate) fn compare(
    before: &Prompt,
    now: &Prompt,
    tokens: &dyn Fn(u64) -> u64,
    mask: &dyn Fn(&str) -> String,
) -> Comparison {
    let bytes = shared(before.text(), now.text());
    let is_beginning = bytes == before.text().len() || bytes == now.text().len();
    Comparison {
        shared_bytes: bytes as u64,
        of_bytes: before.text().len() as u64,
        shared_tokens_estimate: tokens(bytes as u64),
        difference: (!is_beginning).then(|| difference::find(before, now, bytes, mask)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_what_byte_by_byte_gives(a in proptest::collection::vec(0u8..2, 0..9000), cut in 0usize..9000, flip in 0usize..9000) {
            let mut b = a.get(..cut.min(a.len())).unwrap().to_vec();
            if let Some(byte) = b.get_mut(flip) {
                *byte ^= 1;
            }
            let plain = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
            prop_assert_eq!(shared(&a, &b), plain);
        }
    }
}
