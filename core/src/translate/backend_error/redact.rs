//! Takes keys and passwords out of a sentence before it reaches a client, a log or a screen.
//!
//! Servers quote the key they refused ("Incorrect API key provided: sk-..."), and gateways quote
//! whole URLs and headers. Words that merely look odd stay: the sentence must remain readable.

/// What stands in place of a secret.
const MASK: &str = "[redacted]";

/// The text with everything that looks like a credential replaced by `[redacted]`.
pub(super) fn redact(text: &str) -> String {
    replaced(text, ANNOUNCING, false, &|word| looks_like_key(word) || is_opaque(word))
}

/// The same for bodies of requests and answers, in which long runs of letters and digits are images, hashes
/// and source code more often than keys: these stay. So do numbers, which stand bare in JSON: a body must be
/// JSON afterwards, so that it can be sent again.
pub(crate) fn redact_body(text: &str) -> String {
    let announcing: Vec<&str> = ANNOUNCING.iter().copied().filter(|word| *word != THINKING_SIGNATURE).collect();
    replaced(text, &announcing, true, &looks_like_key)
}

/// Announces a secret in an error; in a body it is what proves a thinking block.
const THINKING_SIGNATURE: &str = "signature";

fn replaced(text: &str, announcing: &[&str], is_json: bool, looks_secret: &dyn Fn(&str) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    // Set after a word such as "Bearer": the next word is the secret.
    let mut next_is_secret = false;
    for piece in text.split_inclusive(is_break) {
        let (word, end) = piece
            .char_indices()
            .next_back()
            .filter(|(_, c)| is_break(*c))
            .map_or((piece, ""), |(at, _)| piece.split_at(at));
        if word.is_empty() {
            out.push_str(end);
            continue;
        }
        let stays = is_json && is_number(word) && !end.starts_with('"');
        let secret = looks_secret(word) || (next_is_secret && may_be_secret(word) && !stays);
        // A name keeps announcing the secret over "=", ":" and quotes, not over other words.
        next_is_secret = announces(word, announcing) && !end.starts_with(',');
        out.push_str(if secret { MASK } else { word });
        out.push_str(end);
    }
    without_url_passwords(&out)
}

/// Characters that never stand inside a key.
fn is_break(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            '=' | ':'
                | ','
                | ';'
                | '"'
                | '\''
                | '`'
                | '('
                | ')'
                | '['
                | ']'
                | '{'
                | '}'
                | '<'
                | '>'
                | '&'
                | '?'
                | '|'
                | '\\'
        )
}

fn announces(word: &str, announcing: &[&str]) -> bool {
    let word = word.trim_start_matches('-').to_ascii_lowercase().replace('-', "_");
    announcing.contains(&word.as_str())
}

/// After `key:` or `Bearer` a secret follows, but so does prose ("key is missing", "token limit") and the
/// name of a parameter ("unknown key top_k").
fn may_be_secret(word: &str) -> bool {
    let is_name = word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    let mixed = word.chars().any(|c| c.is_ascii_digit() || matches!(c, '*' | '_' | '+' | '/'));
    word.len() >= MIN_ANNOUNCED_CHARS && ((mixed && !is_name) || (word.len() >= MIN_BARE_CHARS && !word.contains('_')))
}

/// A number as JSON writes it.
fn is_number(word: &str) -> bool {
    word.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | 'e' | 'E'))
}

/// Begins as keys of known services do.
fn looks_like_key(word: &str) -> bool {
    let word = word.trim_end_matches(['.', '!']);
    PREFIXES.iter().any(|prefix| word.strip_prefix(prefix).is_some_and(|rest| rest.len() >= MIN_KEY_REST_CHARS))
}

/// Long unbroken runs of letters and digits mixed are keys or hashes; neither is worth showing in an error.
/// Names of models are broken up by dots and dashes.
fn is_opaque(word: &str) -> bool {
    word.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|run| {
        run.len() >= MIN_OPAQUE_CHARS
            && run.chars().filter(char::is_ascii_digit).count() >= 4
            && run.chars().any(|c| c.is_ascii_lowercase())
            && run.chars().any(|c| c.is_ascii_uppercase())
    })
}

/// `https://user:password@host` keeps only the host.
fn without_url_passwords(text: &str) -> String {
    const MARK: &str = "://";
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once(MARK) {
        out.push_str(before);
        out.push_str(MARK);
        let end = behind.find(|c: char| c.is_whitespace() || matches!(c, '/' | '"' | '\'')).unwrap_or(behind.len());
        let (authority, tail) = behind.split_at(end);
        match authority.rsplit_once('@') {
            Some((_, host)) => out.extend([MASK, "@", host]),
            None => out.push_str(authority),
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// How keys of known services begin.
const PREFIXES: &[&str] = &[
    "sk-",
    "sk_",
    "pk-",
    "rk-",
    "gsk_",
    "hf_",
    "xai-",
    "AIza",
    "ghp_",
    "gho_",
    "github_pat_",
    "glpat-",
    "pplx-",
    "fw_",
    "nvapi-",
    "r8_",
    "tgp_",
    "csk-",
    "eyJ",
    "AKIA",
    "ya29.",
];

/// Names after which a secret stands.
const ANNOUNCING: &[&str] = &[
    "bearer",
    "basic",
    "key",
    "api_key",
    "apikey",
    "x_api_key",
    "authorization",
    "token",
    "access_token",
    "auth_token",
    "password",
    "passwd",
    "pwd",
    "secret",
    "client_secret",
    "signature",
];

/// After a known beginning this many characters make a key ("sk-..." alone is an example).
const MIN_KEY_REST_CHARS: usize = 6;
/// An announced secret with a digit or a star in it.
const MIN_ANNOUNCED_CHARS: usize = 6;
/// An announced secret of letters only; longer than the words of prose that follow "token".
const MIN_BARE_CHARS: usize = 20;
/// An unannounced run of letters and digits.
const MIN_OPAQUE_CHARS: usize = 32;

#[cfg(test)]
mod tests {
    use super::redact;

    #[test]
    fn many_addresses_are_no_burden() {
        let text = "see http://a.b/c ".repeat(200_000);
        assert_eq!(redact(&text), text);
    }

    #[test]
    fn bodies_stay_json() {
        for body in [
            r#"{"input":{"key":1234567,"token":-1.5e10},"signature":"EqQBCkYIBBgCKkA1"}"#,
            r#"{"key":true,"password":null}"#,
        ] {
            assert_eq!(super::redact_body(body), body);
        }
        let masked = super::redact_body(r#"{"key":"abc123def456","u":"https://me:pw@h/x"}"#);
        assert_eq!(masked, r#"{"key":"[redacted]","u":"https://[redacted]@h/x"}"#);
    }

    #[test]
    fn keys_are_taken_out() {
        for (text, want) in [
            ("Incorrect API key provided: sk-abc12****wxyz. You can", "Incorrect API key provided: [redacted] You can"),
            ("header 'Authorization: Bearer abc123def456'", "header 'Authorization: Bearer [redacted]'"),
            ("GET /v1?key=A1b2C3d4&x=1", "GET /v1?key=[redacted]&x=1"),
            ("{\"api_key\": \"0123456789\"}", "{\"api_key\": \"[redacted]\"}"),
            ("x-api-key: abcdefghijklmnopqrstuvwxyz", "x-api-key: [redacted]"),
            ("token hf_abcdefgh", "token [redacted]"),
            ("at https://me:pw@host:1/x and http://a/b", "at https://[redacted]@host:1/x and http://a/b"),
            ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx.abc", "[redacted]"),
        ] {
            assert_eq!(redact(text), want);
        }
    }

    #[test]
    fn prose_stays() {
        for text in [
            "prompt key is missing, the token limit is 8192 tokens",
            "unknown key chat_template_kwargs",
            "The model `mlx-community/Qwen2.5-Coder-32B-Instruct-4bit` does not exist",
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
            "Repository Not Found for url: https://huggingface.co/api/models/claude-sonnet-4-5/revision/main.",
            "",
            "ключ: неверный",
        ] {
            assert_eq!(redact(text), text);
        }
    }
}
