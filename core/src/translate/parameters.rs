//! Limits, sampling, reasoning and format of a chat-completions request.

use super::notes::{NoteKind, Notes};
use crate::backend::{MaxTokensKey, Quirks, ReasoningParameter};
use crate::wire::anthropic::MessagesRequest;
use crate::wire::json::{Object, push_quoted};
use crate::wire::{JsonText, RawJson};

/// Thinking budgets below this many tokens are low effort, below the next medium, else high.
const LOW_BUDGET: u64 = 4_096;
const MEDIUM_BUDGET: u64 = 16_384;

/// Writes the parameters that the backend knows and notes the others.
pub(super) struct Parameters<'p, 'a> {
    pub(super) request: &'p MessagesRequest<'a>,
    pub(super) quirks: &'p Quirks,
    /// The most tokens that may be asked for.
    pub(super) cap: Option<u64>,
}

impl Parameters<'_, '_> {
    pub(super) fn push(&self, body: &mut Object<'_>, notes: &mut Notes) -> Option<u64> {
        self.response_format(body, notes);
        let max_tokens = self.max_tokens(body, notes);
        self.stop("stop", body, notes);
        self.sampling(body, notes);
        self.reasoning(body, notes);
        self.note_dropped(notes);
        max_tokens
    }

    /// Notes what no backend is told.
    pub(super) fn note_dropped(&self, notes: &mut Notes) {
        if self.request.metadata.is_some() {
            notes.add(NoteKind::Dropped, "metadata", "it names the account and stays here");
        }
        for key in &self.request.other {
            notes.add(NoteKind::Dropped, key.as_str(), "the backend has nothing like it");
        }
    }

    fn response_format(&self, body: &mut Object<'_>, notes: &mut Notes) {
        let Some(format) = self.request.output_config.as_ref().and_then(|config| config.format.as_ref()) else {
            return;
        };
        let Some(schema) = format.schema.filter(|_| format.kind.is("json_schema")) else {
            return notes.add(NoteKind::Dropped, "output_config.format", "only json_schema with a schema is known");
        };
        if !self.quirks.response_format {
            return notes.add(NoteKind::Dropped, "output_config.format", "the backend does not know response_format");
        }
        let mut object = Object::begin(body.key("response_format"));
        object.plain("type", "json_schema");
        let mut inner = Object::begin(object.key("json_schema"));
        inner.plain("name", "response").json("schema", schema.get()).json("strict", "true");
        inner.end();
        object.end();
    }

    pub(super) fn max_tokens(&self, body: &mut Object<'_>, notes: &mut Notes) -> Option<u64> {
        let asked = self.request.max_tokens?;
        let sent = asked.min(self.cap.unwrap_or(u64::MAX)).max(1);
        if sent != asked {
            notes.add(NoteKind::Clamped, "max_tokens", format!("{asked} became {sent}"));
        }
        let key = match self.quirks.max_tokens {
            MaxTokensKey::MaxTokens => "max_tokens",
            MaxTokensKey::MaxCompletionTokens => "max_completion_tokens",
        };
        body.number(key, sent);
        Some(sent)
    }

    pub(super) fn stop(&self, key: &str, body: &mut Object<'_>, notes: &mut Notes) {
        let all = self.request.stop_sequences.iter().filter(|stop| !stop.is_empty());
        let stops: Vec<&JsonText<'_>> = all.take(self.quirks.max_stop).collect();
        let asked = self.request.stop_sequences.len();
        if stops.len() < asked {
            notes.add(NoteKind::Clamped, "stop_sequences", format!("{} of {asked} are sent", stops.len()));
        }
        if !stops.is_empty() {
            let out = body.key(key);
            for (index, stop) in stops.into_iter().enumerate() {
                out.push(if index == 0 { b'[' } else { b',' });
                push_quoted(out, stop);
            }
            out.push(b']');
        }
    }

    pub(super) fn sampling(&self, body: &mut Object<'_>, notes: &mut Notes) {
        let all: [(&str, Option<RawJson<'_>>, bool); 3] = [
            ("temperature", self.request.temperature, self.quirks.temperature),
            ("top_p", self.request.top_p, self.quirks.top_p),
            ("top_k", self.request.top_k, self.quirks.top_k),
        ];
        for (key, value, known) in all {
            match value {
                Some(value) if known => _ = body.json(key, value.get()),
                Some(_) => notes.add(NoteKind::Dropped, key, "the backend does not know it"),
                None => {}
            }
        }
    }

    fn reasoning(&self, body: &mut Object<'_>, notes: &mut Notes) {
        let thinking = self.request.thinking.as_ref();
        let enabled = thinking.map(|thinking| !thinking.kind.is("disabled"));
        let effort = self.effort().filter(|_| enabled != Some(false));
        match self.quirks.reasoning {
            ReasoningParameter::None => {
                if enabled.is_some() || effort.is_some() {
                    notes.add(NoteKind::Dropped, "thinking", "the backend has no parameter for it");
                }
            }
            ReasoningParameter::Effort => {
                if let Some(effort) = effort {
                    body.plain("reasoning_effort", effort);
                }
            }
            ReasoningParameter::TemplateKwargs => {
                if enabled.is_none() && effort.is_none() {
                    return;
                }
                let mut kwargs = Object::begin(body.key("chat_template_kwargs"));
                if let Some(enabled) = enabled {
                    kwargs.json("enable_thinking", if enabled { "true" } else { "false" });
                }
                if let Some(effort) = effort {
                    kwargs.plain("reasoning_effort", effort);
                }
                kwargs.end();
            }
        }
    }

    /// Effort in OpenAI's words, from the client's word or its thinking budget.
    fn effort(&self) -> Option<&'static str> {
        let config = self.request.output_config.as_ref();
        if let Some(effort) = config.and_then(|config| config.effort.as_ref()) {
            return Some(match effort.as_escaped() {
                "low" => "low",
                "medium" => "medium",
                _ => "high", // high, xhigh, max
            });
        }
        let budget = self.request.thinking.as_ref()?.budget_tokens?;
        Some(match budget {
            0..LOW_BUDGET => "low",
            LOW_BUDGET..MEDIUM_BUDGET => "medium",
            _ => "high",
        })
    }
}
