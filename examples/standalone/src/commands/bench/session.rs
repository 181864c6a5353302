//! A session of Claude Code: what it sends, turn by turn.

use serde_json::{Value, json};

use super::prose::Prose;
use super::world::{Persona, World};

/// Tokens of an answer: enough for a first sign of life.
const MAX_TOKENS: u64 = 16;

/// A conversation, of the main agent or of a subagent.
#[derive(Clone, Debug)]
pub(super) struct Session<'w> {
    persona: &'w Persona,
    id: String,
    agent: Option<String>,
    attribution: String,
    messages: Vec<Value>,
    /// The content of the last answer.
    answer: Vec<Value>,
}

impl<'w> Session<'w> {
    /// A session of the main agent.
    pub(super) fn new(world: &'w World, prose: &mut Prose) -> Self {
        Self::begin(world, &world.main, prose.uuid(), None, prose)
    }

    /// A subagent of the session.
    pub(super) fn subagent(&self, world: &'w World, prose: &mut Prose) -> Self {
        let agent = format!("a{}", prose.hex(16));
        Self::begin(world, &world.subagent, self.id.clone(), Some(agent), prose)
    }

    /// The request for a title of the session.
    pub(super) fn title(&self, world: &'w World, prose: &mut Prose) -> Self {
        Self::begin(world, &world.title, self.id.clone(), None, prose)
    }

    fn begin(world: &World, persona: &'w Persona, id: String, agent: Option<String>, prose: &mut Prose) -> Self {
        let words = prose.text(60);
        // Three digits that depend on the first words, as the client's do.
        let digits = words.bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into())) & 0xfff;
        let mark = if agent.is_some() { " cc_is_subagent=true;" } else { "" };
        let attribution =
            format!("x-anthropic-billing-header: cc_version=2.1.330.{digits:03x}; cc_entrypoint=cli;{mark}");
        let messages = if persona.environment.is_empty() {
            vec![json!({"role": "user", "content": [text(&words)]})]
        } else {
            vec![
                json!({"role": "user", "content": [text(&world.reminder), text(&words)]}),
                json!({"role": "system", "content": persona.environment, "output_config": {"effort": "medium"}}),
            ]
        };
        Session { persona, id, agent, attribution, messages, answer: Vec::new() }
    }

    /// Takes the content of an answer, for the turn after.
    pub(super) fn answered(&mut self, content: Vec<Value>) {
        self.answer = content;
    }

    /// The next turn: the answer as the client echoes it, a result for each call, and new words.
    pub(super) fn go_on(&mut self, prose: &mut Prose) {
        let echo = std::mem::take(&mut self.answer);
        let calls = echo.iter().filter(|block| block.get("type").is_some_and(|kind| kind == "tool_use"));
        let mut content: Vec<Value> = calls
            .map(|call| json!({"tool_use_id": call.get("id"), "type": "tool_result", "content": prose.text(100)}))
            .collect();
        content.push(text(&prose.text(60)));
        let echo = if echo.is_empty() { vec![text("(no content)")] } else { echo };
        self.messages.push(json!({"role": "assistant", "content": echo}));
        self.messages.push(json!({"role": "user", "content": content}));
    }

    /// Other words in the place of the last ones.
    pub(super) fn reword(&mut self, prose: &mut Prose) {
        let content = self.messages.last_mut().and_then(|message| message.get_mut("content"));
        if let Some(words) = content.and_then(Value::as_array_mut).and_then(|blocks| blocks.last_mut()) {
            *words = text(&prose.text(60));
        }
    }

    /// The headers that tell sessions and agents apart.
    pub(super) fn headers(&self) -> Vec<(&'static str, &str)> {
        let mut headers = vec![
            ("user-agent", "claude-cli/2.1.330 (external, cli)"),
            ("x-app", "cli"),
            ("anthropic-beta", "claude-code-20250219,interleaved-thinking-2025-05-14"),
            ("x-claude-code-session-id", self.id.as_str()),
        ];
        headers.extend(self.agent.as_deref().map(|agent| ("x-claude-code-agent-id", agent)));
        headers
    }

    /// The body of the request for the next answer.
    pub(super) fn request(&self) -> Value {
        let mut messages = self.messages.clone();
        if let Some(last) = messages.last_mut() {
            mark(last);
        }
        let cached = |words: &str| json!({"type": "text", "text": words, "cache_control": {"type": "ephemeral"}});
        let user = json!({"device_id": "0".repeat(64), "account_uuid": "", "session_id": self.id});
        json!({
            "messages": messages,
            "system": [text(&self.attribution), cached(&self.persona.identity), cached(&self.persona.prompt)],
            "tools": self.persona.tools,
            "metadata": {"user_id": user.to_string()},
            "max_tokens": MAX_TOKENS,
            "thinking": {"type": "adaptive", "display": if self.agent.is_some() { "omitted" } else { "updates" }},
            "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
            "output_config": {"effort": "medium"},
        })
    }
}

/// Puts the cache marker on a message, as on the last one of each request: its content then is a list.
fn mark(message: &mut Value) {
    let Some(content) = message.get_mut("content") else { return };
    if let Some(words) = content.as_str() {
        *content = json!([text(words)]);
    }
    let last = content.as_array_mut().and_then(|blocks| blocks.last_mut());
    if let Some(block) = last.and_then(Value::as_object_mut) {
        block.insert("cache_control".to_owned(), json!({"type": "ephemeral"}));
    }
}

fn text(words: &str) -> Value {
    json!({"type": "text", "text": words})
}
