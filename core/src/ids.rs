//! Message and tool-use ids in Anthropic's shape, made from a seed that the caller brings.

/// What makes one request's ids unique. The runtime draws it at random; tests fix it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seed(pub u128);

/// Random characters in an id, as many as Anthropic's own ids have.
const ID_CHARS: usize = 24;

impl Seed {
    /// A seed from the system's source of randomness. Only uniqueness is asked of it; should that source fail, the
    /// clock stands in.
    #[cfg(feature = "proxy")]
    pub fn random() -> Self {
        let mut bytes = [0; 16];
        if getrandom::fill(&mut bytes).is_err() {
            let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            return Seed(since_epoch.map_or(0, |since| since.as_nanos()));
        }
        Seed(u128::from_le_bytes(bytes))
    }

    /// The id of the answer to the request.
    pub fn message_id(self) -> String {
        self.id("msg_", u64::MAX)
    }

    /// The id of the answer's `ordinal`th tool call.
    ///
    /// Ids of backends are not passed on: some servers count from zero in every answer, and Claude
    /// Code drops a call whose id it has seen before.
    pub fn tool_use_id(self, ordinal: u64) -> String {
        self.id("toolu_", ordinal)
    }

    /// The value of the `request-id` header.
    pub fn request_id(self) -> String {
        self.id("req_", u64::MAX - 1)
    }

    fn id(self, prefix: &str, ordinal: u64) -> String {
        const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        // Truncation is meant: both halves of the seed are mixed in.
        let (low, high) = (self.0 as u64, (self.0 >> 64) as u64);
        let mut state = split_mix(low ^ split_mix(ordinal.wrapping_add(split_mix(high))));
        let mut id = String::with_capacity(prefix.len() + ID_CHARS);
        id.push_str(prefix);
        for _ in 0..ID_CHARS {
            state = split_mix(state);
            let digit = ALPHABET.get((state % 62) as usize).copied().unwrap_or(b'0');
            id.push(char::from(digit));
        }
        id
    }
}

/// `SplitMix64` (Steele, Lea and Flood, 2014): one step of a small mixing generator.
fn split_mix(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_by_seed_and_ordinal() {
        let mut seen = std::collections::HashSet::new();
        for seed in [0, 1, 1 << 64, u128::MAX] {
            for ordinal in 0..100 {
                assert!(seen.insert(Seed(seed).tool_use_id(ordinal)));
            }
            assert!(seen.insert(Seed(seed).message_id()));
        }
        assert!(seen.iter().all(|id| id.split('_').nth(1).unwrap().len() == ID_CHARS));
    }
}
