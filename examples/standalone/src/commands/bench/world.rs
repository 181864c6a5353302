//! What all sessions of one folder and day have in common, and what it weighs.

use serde_json::{Value, json};

use super::prose::Prose;
use super::tools::{Tools, scaled};

/// About so many bytes of a prompt make a token.
const BYTES_PER_TOKEN: f64 = 4.0;

/// Bytes of the texts in a request of full size.
const MAIN_PROMPT: f64 = 7000.0;
const SUBAGENT_PROMPT: f64 = 3100.0;
const REMINDER: f64 = 1200.0;
const ENVIRONMENT: f64 = 9200.0;
/// How much of the environment's text subagents get, and what they get instead of the rest.
const SHARED_ENVIRONMENT: f64 = 5500.0;
const SUBAGENT_ENVIRONMENT: f64 = 2000.0;

/// The texts that requests are made of.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) main: Persona,
    pub(super) subagent: Persona,
    /// Whoever finds titles: without tools, and with a short prompt.
    pub(super) title: Persona,
    /// The block in front of the user's first words.
    pub(super) reminder: String,
    pub(super) added_tool: Value,
}

/// Who the model is told to be.
#[derive(Clone, Debug)]
pub(super) struct Persona {
    pub(super) identity: String,
    pub(super) prompt: String,
    /// The message of role system behind the user's first words: environment, skills and the like; empty if there is
    /// none.
    pub(super) environment: String,
    pub(super) tools: Vec<Value>,
}

impl World {
    /// A world that no server has seen, whose first prompt has about so many tokens.
    pub(super) fn new(seed: u64, tokens: u64) -> Self {
        let wanted = tokens as f64 * BYTES_PER_TOKEN;
        // The names and braces of schemas do not shrink with the texts, so that the scale must be approached.
        let mut scale = wanted / Self::at_scale(seed, 1.0).bytes();
        for _ in 0..8 {
            scale *= wanted / Self::at_scale(seed, scale).bytes();
        }
        Self::at_scale(seed, scale)
    }

    fn at_scale(seed: u64, scale: f64) -> Self {
        let mut prose = Prose::new(seed);
        // Near the start of either prompt; templates that put tools first meet words of this seed in the first tool.
        let nonce = prose.hex(16);
        let tools = Tools::new(&mut prose, scale);
        let shared = prose.text(scaled(SHARED_ENVIRONMENT, scale));
        let rest = prose.text(scaled(ENVIRONMENT - SHARED_ENVIRONMENT, scale));
        let other_rest = prose.text(scaled(SUBAGENT_ENVIRONMENT, scale));
        World {
            main: Persona {
                identity: format!("You are a helper for programmers, number {nonce}."),
                prompt: prose.text(scaled(MAIN_PROMPT, scale)),
                environment: format!("{shared}\n\n{rest}"),
                tools: tools.of_main(),
            },
            subagent: Persona {
                identity: format!("You are an agent of the helper, number {nonce}."),
                prompt: prose.text(scaled(SUBAGENT_PROMPT, scale)),
                environment: format!("{shared}\n\n{other_rest}"),
                tools: tools.of_subagent(),
            },
            title: Persona {
                identity: format!("You are a helper for programmers, number {nonce}."),
                prompt: "Write a title for what the user asks for, in sentence case, of at most seven words."
                    .to_owned(),
                environment: String::new(),
                tools: Vec::new(),
            },
            reminder: format!("<system-reminder>\n{}\n</system-reminder>\n", prose.text(scaled(REMINDER, scale))),
            added_tool: tools.added().clone(),
        }
    }

    /// What the prompt of a main session weighs before the user has said anything.
    fn bytes(&self) -> f64 {
        let Persona { identity, prompt, environment, tools } = &self.main;
        let texts = [identity, prompt, environment, &self.reminder];
        let tools = json!(tools).to_string().len();
        (texts.iter().map(|text| text.len()).sum::<usize>() + tools) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_has_the_size_asked_for() {
        for tokens in [2500, 7700, 40_000] {
            let off = World::new(1, tokens).bytes() / (tokens as f64 * BYTES_PER_TOKEN);
            assert!((0.9..1.1).contains(&off), "{tokens}: {off}");
        }
    }

    #[test]
    fn worlds_differ_from_their_first_words() {
        let (one, other) = (World::new(1, 2500), World::new(2, 2500));
        assert_ne!(one.main.identity, other.main.identity);
        assert_ne!(one.main.tools.first(), other.main.tools.first());
    }
}
