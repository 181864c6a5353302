//! Which conversation a request belongs to, where the client does not say.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;

use super::class::{Hints, RequestClass};
use crate::session::SessionKey;
use crate::wire::JsonText;
use crate::wire::anthropic::MessagesRequest;
use crate::wire::blocks::{Block, Content};

/// Characters of a name that count.
const MAX_NAME: usize = 128;

/// Bytes of system prompt and first message by which a conversation without a name is known.
const LEADING: usize = 4 << 10;

/// The conversation of a request: what the headers say, or the metadata, or else how the dialogue begins. What
/// comes on the side, in the name of a dialogue but with another prompt, is a conversation of its own.
pub(super) fn conversation(request: &MessagesRequest<'_>, named: &SessionKey, class: RequestClass) -> SessionKey {
    let session = if named.session.is_empty() {
        of_metadata(request).unwrap_or_else(|| beginning(request))
    } else {
        named.session.clone()
    };
    let session = bounded(&session);
    let agent = bounded(&named.agent);
    let agent = if class.is_side() { format!("{agent}~{class}") } else { agent };
    SessionKey { session, agent }
}

/// Names are kept for long, and shown on terminals; ids and kinds of agents are short and plain.
fn bounded(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(MAX_NAME).collect()
}

/// Agents of a kind have the same tools.
pub(super) fn kind<'h>(hints: &'h Hints, class: RequestClass, agent: &str) -> &'h str {
    match class {
        RequestClass::Main | RequestClass::Compaction if agent.is_empty() => "",
        class if class.is_side() => class.as_str(),
        _ => hints.agent_type.as_deref().filter(|kind| kind.len() <= MAX_NAME).unwrap_or("subagent"),
    }
}

/// The session in `metadata.user_id`, which is a JSON text in new clients and ends in `_session_ID` in old ones.
fn of_metadata(request: &MessagesRequest<'_>) -> Option<String> {
    let metadata: Value = serde_json::from_str(request.metadata?.get()).ok()?;
    let user = metadata.get("user_id")?.as_str()?;
    let named = serde_json::from_str::<Value>(user).ok();
    let named = named.as_ref().and_then(|user| user.get("session_id")?.as_str());
    let session = named.or_else(|| Some(user.rsplit_once("_session_")?.1))?;
    (!session.is_empty()).then(|| session.to_owned())
}

/// What names begin with that are made up here.
const UNNAMED: &str = "unnamed-";

/// Whether the client has named a conversation. Others may be two that begin alike.
pub(super) fn is_named(session: &str) -> bool {
    !session.starts_with(UNNAMED)
}

/// A name made of system prompt and first message, which stay the same while the dialogue grows.
fn beginning(request: &MessagesRequest<'_>) -> String {
    let mut hasher = DefaultHasher::new();
    let first = request.messages.first().map(|message| &message.content);
    for content in [request.system.as_ref(), first].into_iter().flatten() {
        let mut room = LEADING;
        let mut add = |text: &JsonText<'_>| {
            let bytes = text.as_escaped().as_bytes();
            // Its length tells long texts apart that begin alike.
            bytes.len().hash(&mut hasher);
            let taken = bytes.get(..room.min(bytes.len())).unwrap_or_default();
            room -= taken.len();
            taken.hash(&mut hasher);
        };
        match content {
            Content::Text(text) => add(text),
            Content::Blocks(blocks) => blocks.iter().for_each(|block| {
                if let Block::Text(text) = block {
                    add(text);
                }
            }),
        }
    }
    format!("{UNNAMED}{:016x}", hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::anthropic::RequestBody;

    fn key(body: &str, named: &str, class: RequestClass) -> SessionKey {
        let body = RequestBody::new(body.as_bytes()).unwrap();
        let named = SessionKey { session: named.to_owned(), agent: String::new() };
        conversation(&body.parse().unwrap(), &named, class)
    }

    #[test]
    fn a_conversation_has_a_name() {
        let body = |more: &str| format!(r#"{{"messages":[{{"role":"user","content":"Hi"}}]{more}}}"#);
        assert_eq!(key(&body(""), "abc", RequestClass::Main).session, "abc");
        assert_eq!(key(&body(""), "abc", RequestClass::Title).agent, "~title");
        let json = r#","metadata":{"user_id":"{\"session_id\":\"s-1\"}"}"#;
        assert_eq!(key(&body(json), "", RequestClass::Main).session, "s-1");
        let old = r#","metadata":{"user_id":"user_x_account__session_s-2"}"#;
        assert_eq!(key(&body(old), "", RequestClass::Main).session, "s-2");
        let unnamed = key(&body(""), "", RequestClass::Main).session;
        assert_eq!(unnamed, key(&body(r#","metadata":{"user_id":"me"}"#), "", RequestClass::Main).session);
        let grown = r#"{"messages":[{"role":"user","content":[{"type":"text","text":"Hi"}]},{"role":"assistant","content":"Ho"}]}"#;
        assert_eq!(unnamed, key(grown, "", RequestClass::Main).session);
        assert_ne!(unnamed, key(&body(r#","system":"Be good.""#), "", RequestClass::Main).session);
        assert_eq!(key(&body(""), "a\u{1b}[2Jb", RequestClass::Main).session, "a[2Jb");
        assert_ne!(unnamed, key(r#"{"messages":[{"role":"user","content":"He"}]}"#, "", RequestClass::Main).session);
    }
}
