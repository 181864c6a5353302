//! What a failed answer's body says, whatever shape it has.
//!
//! Shapes read: `{"error":{"message"}}`, `{"error":"text"}`, `{"message"}`, `{"object":"error",
//! "message"}`, `{"detail":"text"}`, FastAPI's `{"detail":[{"loc","msg"}]}`, lists of these, JSON
//! inside a message, OpenRouter's `metadata.raw`, HTML, plain text, nothing.

use serde_json::{Map, Value};

use super::html;

/// What was found in a body. All texts are as the server wrote them: redaction and cutting happen
/// when the answer's message is made.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// The server's sentence; empty if there is none.
    pub message: String,
    /// Machine words: `code`, `type`, `error_type`, `status` as far as they are strings.
    pub words: Vec<String>,
    /// A number in `code`, `status` or `status_code` that is an HTTP error status.
    pub status: Option<u16>,
    /// `param`: which request field is meant.
    pub param: Option<String>,
    /// FastAPI validation errors: path below `body` and error type.
    pub fields: Vec<Field>,
    /// llama.cpp's figures.
    pub prompt_tokens: Option<u64>,
    /// llama.cpp's context size.
    pub window: Option<u64>,
    /// Seconds to wait, where the body has a field for it.
    pub retry_after: Option<f64>,
    /// The body was a web page; `message` is its title.
    pub html: bool,
}

/// One entry of a FastAPI validation error.
#[derive(Debug)]
pub(super) struct Field {
    /// First name below `body`, e.g. `stream_options`.
    pub name: String,
    /// Whether the entry is about that name itself and not about something inside it.
    pub top: bool,
    /// pydantic's error type, e.g. `extra_forbidden`.
    pub kind: String,
}

impl Said {
    /// Reads a body. Never fails.
    pub(super) fn read(body: &[u8]) -> Self {
        let body = body.get(..MAX_BODY_BYTES).unwrap_or(body);
        let mut said = Self::default();
        if let Ok(value) = serde_json::from_slice::<Value>(body) {
            said.take(&value, MAX_DEPTH);
        } else {
            let text = String::from_utf8_lossy(body.get(..MAX_TEXT_BYTES).unwrap_or(body));
            // Some servers frame their error as SSE although the status is no 200.
            match text.trim_start().strip_prefix("data:").map(|rest| serde_json::from_str::<Value>(rest.trim())) {
                Some(Ok(value)) => said.take(&value, MAX_DEPTH),
                _ => said.take_text(&text),
            }
        }
        said.message = said.message.trim().to_owned();
        said
    }

    /// Whether one of the machine words is `word`, in any case.
    pub(super) fn has_word(&self, word: &str) -> bool {
        self.words.iter().any(|own| own.eq_ignore_ascii_case(word))
    }

    fn take_text(&mut self, text: &str) {
        if html::is_page(text) {
            self.html = true;
            self.message = html::title(text);
        } else {
            self.message = text.to_owned();
        }
    }

    fn take(&mut self, value: &Value, depth: u8) {
        let Some(depth) = depth.checked_sub(1) else {
            return;
        };
        match value {
            Value::String(text) => self.take_string(text, depth),
            Value::Array(items) => items.iter().take(MAX_ENTRIES).for_each(|item| self.take(item, depth)),
            Value::Object(object) => self.take_object(object, depth),
            _ => {}
        }
    }

    fn take_string(&mut self, text: &str, depth: u8) {
        // A gateway may put the other server's whole body into its own message.
        if text.trim_start().starts_with(['{', '['])
            && let Ok(inner @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str::<Value>(text)
        {
            let before = self.message.len();
            self.take(&inner, depth);
            if self.message.len() > before {
                return;
            }
        }
        if self.message.len() < MAX_TEXT_BYTES && !self.message.contains(text) {
            if !self.message.is_empty() {
                self.message.push_str("; ");
            }
            self.message.extend(text.chars().take(MAX_TEXT_BYTES));
        }
    }

    fn take_object(&mut self, object: &Map<String, Value>, depth: u8) {
        self.take_machine_parts(object);
        if let Some(loc) = object.get("loc").and_then(Value::as_array) {
            self.take_field(loc, object);
            return;
        }
        // The raw upstream text says more than the gateway's "Provider returned error".
        if let Some(raw) = object.get("metadata").and_then(|metadata| metadata.get("raw")) {
            self.take(raw, depth);
        }
        let before = self.message.len();
        for key in TEXT_KEYS {
            if let Some(value) = object.get(*key).filter(|value| !value.is_null()) {
                self.take(value, depth);
                if self.message.len() > before {
                    break;
                }
            }
        }
    }

    fn take_machine_parts(&mut self, object: &Map<String, Value>) {
        for key in ["code", "type", "error_type", "status", "status_code"] {
            match object.get(key) {
                Some(Value::String(word)) if word.len() <= MAX_WORD_BYTES => {
                    if self.status.is_none() {
                        self.status = word.parse().ok().filter(is_error_status);
                    }
                    self.words.push(word.clone());
                }
                Some(Value::Number(number)) if self.status.is_none() => {
                    self.status = number.as_u64().and_then(|n| u16::try_from(n).ok()).filter(is_error_status);
                }
                _ => {}
            }
        }
        if let Some(param) = object.get("param").and_then(Value::as_str) {
            self.param.get_or_insert_with(|| param.chars().take(MAX_WORD_BYTES).collect());
        }
        let number = |key: &str| object.get(key).and_then(Value::as_u64);
        self.prompt_tokens = self.prompt_tokens.or(number("n_prompt_tokens"));
        self.window = self.window.or(number("n_ctx"));
        let seconds = object.get("retry_after").or_else(|| object.get("retry_after_seconds"));
        self.retry_after = self.retry_after.or(seconds.and_then(Value::as_f64));
    }

    /// `input` of such an entry is never read: it repeats the request.
    fn take_field(&mut self, loc: &[Value], object: &Map<String, Value>) {
        let path: Vec<String> = loc
            .iter()
            .take(MAX_DEPTH.into())
            .map(|part| part.as_str().map_or_else(|| part.to_string(), str::to_owned))
            .collect();
        let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut below = path.iter().skip_while(|part| part.as_str() == "body");
        if let Some(name) = below.next() {
            self.fields.push(Field { name: name.clone(), top: below.next().is_none(), kind: text("type") });
        }
        self.take_string(&format!("{}: {}", path.join("."), text("msg")), 1);
    }
}

fn is_error_status(status: &u16) -> bool {
    (400..600).contains(status)
}

/// Where a sentence may stand, best first.
const TEXT_KEYS: &[&str] =
    &["error", "message", "detail", "errors", "msg", "error_message", "error_description", "reason", "title"];

/// A validation error repeats the request, which may be megabytes; more than this is not parsed.
const MAX_BODY_BYTES: usize = 4 << 20;

/// Text kept for the search for wordings. Wordings stand at the start; longer texts are echoes.
const MAX_TEXT_BYTES: usize = 4096;

/// Entries of a list that are read: the first ones name the cause.
const MAX_ENTRIES: usize = 8;

/// Nesting of gateways in gateways that is followed.
const MAX_DEPTH: u8 = 8;

/// Longest machine word or parameter name kept.
const MAX_WORD_BYTES: usize = 100;

#[cfg(test)]
mod tests {
    use super::Said;

    #[track_caller]
    fn says(body: &str, message: &str) {
        assert_eq!(Said::read(body.as_bytes()).message, message);
    }

    #[test]
    fn every_shape_is_read() {
        says(r#"{"error":{"message":"m","type":"t"}}"#, "m");
        says(r#"{"error":"m"}"#, "m");
        says(r#"{"object":"error","message":"m","code":400}"#, "m");
        says(r#"{"detail":"m"}"#, "m");
        says(
            r#"{"detail":[{"type":"missing","loc":["body","model"],"msg":"Field required","input":{"x":1}}]}"#,
            "body.model: Field required",
        );
        says(
            r#"{"object":"error","message":{"detail":[{"loc":["body",1],"msg":"a"},{"loc":["body"],"msg":"b"}]}}"#,
            "body.1: a; body: b",
        );
        says(r#"[{"error":{"code":400,"message":"m","status":"INVALID_ARGUMENT"}}]"#, "m");
        says(r#"{"error":{"message":"{\"error\":{\"message\":\"inner\"}}"}}"#, "inner");
        says(
            r#"{"error":{"message":"Provider returned error","metadata":{"raw":"{\"message\":\"inner\"}"}}}"#,
            "inner; Provider returned error",
        );
        says("data: {\"error\":\"m\"}\n\n", "m");
        says(r#"{"error":null,"message":"m"}"#, "m");
        says("plain\n", "plain");
        says("", "");
        says("{}", "");
        says("12", "");
        says("{\"error\":", "{\"error\":");
    }

    #[test]
    fn machine_parts_are_read() {
        let said = Said::read(br#"{"error":{"message":"m","type":"exceed_context_size_error","code":400,"n_prompt_tokens":7,"n_ctx":5,"param":"stop"}}"#);
        assert_eq!((said.status, said.prompt_tokens, said.window), (Some(400), Some(7), Some(5)));
        assert!(said.has_word("Exceed_Context_Size_Error"));
        assert_eq!(said.param.as_deref(), Some("stop"));
    }

    #[test]
    fn deep_and_foreign_bytes_do_no_harm() {
        let deep = format!("{}{}", "{\"error\":".repeat(100), "}".repeat(100));
        Said::read(deep.as_bytes());
        Said::read("[".repeat(100_000).as_bytes());
        Said::read(&[0xff, 0xfe, 0, 1, 2]);
        Said::read(&vec![b'\xc3'; 10_000]);
    }
}
