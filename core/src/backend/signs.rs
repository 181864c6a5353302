//! How servers are told apart by what they answer to harmless questions.
//!
//! A server that only listens on a known port may be anything. It gets a prompt only after its answers
//! have shown what it is.

use serde_json::Value;

/// One thing that a kind of server shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sign {
    /// What is asked for with GET, below the server's root.
    pub path: &'static str,
    /// What the answer looks like.
    pub look: Look,
}

/// What an answer looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Look {
    /// This text, and nothing else.
    Text(&'static str),
    /// A JSON object with these keys.
    Keys(&'static [&'static str]),
    /// A JSON object in which this key has this text.
    Field(&'static str, &'static str),
    /// Its `server` header begins with this.
    Server(&'static str),
    /// A list in OpenAI's shape whose entries have this key; an empty list counts.
    Entries(&'static str),
    /// A list of models in OpenAI's shape, of which the first names this owner.
    OwnedBy(&'static str),
    /// A list of models in OpenAI's shape, or nothing at all.
    ListOrNothing,
}

/// An answer to one of the questions.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sighting<'a> {
    /// The HTTP status.
    pub status: u16,
    /// The `server` header.
    pub server: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
}

impl Sign {
    pub(super) const fn new(path: &'static str, look: Look) -> Self {
        Sign { path, look }
    }

    /// Whether the answer shows it.
    pub fn holds(&self, answer: &Sighting<'_>) -> bool {
        if answer.status != 200 {
            return false;
        }
        let json = || serde_json::from_slice::<Value>(answer.body).ok();
        let entries = || {
            let list = json()?;
            let is_list = list.get("object").and_then(Value::as_str) == Some("list");
            list.get("data").and_then(Value::as_array).filter(|_| is_list).cloned()
        };
        match self.look {
            Look::Text(text) => answer.body.trim_ascii() == text.as_bytes(),
            Look::Keys(keys) => json().is_some_and(|json| keys.iter().all(|key| json.get(key).is_some())),
            Look::Field(key, text) => json().is_some_and(|json| json.get(key).and_then(Value::as_str) == Some(text)),
            Look::Server(prefix) => answer.server.is_some_and(|server| server.starts_with(prefix)),
            Look::Entries(key) => entries().is_some_and(|entries| entries.iter().all(|entry| entry.get(key).is_some())),
            Look::OwnedBy(owner) => entries().is_some_and(|entries| {
                entries.first().and_then(|entry| entry.get("owned_by")).and_then(Value::as_str) == Some(owner)
            }),
            Look::ListOrNothing => answer.body.is_empty() || entries().is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(look: Look, status: u16, server: Option<&str>, body: &str) -> bool {
        Sign::new("/x", look).holds(&Sighting { status, server, body: body.as_bytes() })
    }

    #[test]
    fn signs_are_what_the_servers_show() {
        assert!(holds(Look::Text("Ollama is running"), 200, None, "Ollama is running\n"));
        assert!(holds(Look::Keys(&["total_slots"]), 200, None, r#"{"total_slots":1}"#));
        assert!(holds(Look::Field("status", "ok"), 200, None, r#"{"status": "ok"}"#));
        assert!(holds(Look::Server("BaseHTTP/"), 200, Some("BaseHTTP/0.6 Python/3.12"), ""));
        assert!(holds(Look::OwnedBy("vllm"), 200, None, r#"{"object":"list","data":[{"id":"m","owned_by":"vllm"}]}"#));
        assert!(holds(Look::Entries("state"), 200, None, r#"{"object":"list","data":[{"id":"m","state":"loaded"}]}"#));
        assert!(
            holds(Look::ListOrNothing, 200, None, "")
                && holds(Look::ListOrNothing, 200, None, r#"{"object":"list","data":[]}"#)
        );
    }

    #[test]
    fn a_stranger_shows_none() {
        let looks = [
            Look::Text("Ollama is running"),
            Look::Keys(&["version"]),
            Look::Field("status", "ok"),
            Look::Server("llama.cpp"),
            Look::Entries("state"),
            Look::OwnedBy("vllm"),
            Look::ListOrNothing,
        ];
        for look in looks {
            for body in ["<html>hello</html>", "{}", "[1]", r#"{"object":"list","data":[{"id":"m"}],"status":"no"}"#] {
                let is_list = look == Look::ListOrNothing && body.contains("list");
                assert_eq!(holds(look, 200, Some("nginx"), body), is_list, "{look:?} {body}");
            }
            assert!(!holds(look, 404, Some("llama.cpp"), "Ollama is running"), "{look:?}");
        }
    }
}
