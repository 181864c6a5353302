//! What users should hear once: windows that are too small, prompts that the server cuts in silence.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::backend::{BackendSpec, Model};
use crate::session::TurnRecord;
use crate::translate::RequestContext;

/// Claude Code's first request alone takes 12,000 to 30,000 tokens.
pub const SMALL_WINDOW: u64 = 32 * 1024;

/// Prompts below this many tokens say nothing about cutting.
const LONG_PROMPT: u64 = 3_000;

/// The most warnings kept: names of models come from servers.
const MAX: usize = 64;

/// What has been warned of, by what it is about.
#[derive(Debug, Default)]
pub(super) struct Warnings(Mutex<BTreeMap<String, String>>);

impl Warnings {
    /// Warns, unless that has been done.
    pub(super) fn add(&self, about: String, what: String) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < MAX && !all.contains_key(&about) {
            tracing::warn!("{what}");
            all.insert(about, what);
        }
    }

    /// Takes back what is no longer so.
    fn withdraw(&self, about: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(about);
    }

    /// All that hold.
    pub(super) fn list(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Looks for windows that are too small, of models that are in memory.
    pub(super) fn look_at(&self, spec: &BackendSpec, models: &[Model]) {
        for model in models.iter().filter(|model| model.loaded == Some(true) || models.len() == 1) {
            let about = format!("window {}", model.id);
            match small_window(spec, model) {
                Some(warning) => self.add(about, warning),
                None => self.withdraw(&about),
            }
            if model.tools != Some(false) {
                self.withdraw(&format!("tools {}", model.id));
            }
        }
    }

    /// Looks at what the server counted. A prompt that it counted as far shorter than it is was cut, and the
    /// model has not seen the rest.
    pub(super) fn look_at_turn(&self, context: &RequestContext, turn: &TurnRecord) {
        let counted = turn.input_tokens + turn.cache_read_input_tokens;
        if !turn.exact_usage || turn.estimated_input_tokens < LONG_PROMPT {
            return;
        }
        if counted * 2 < turn.estimated_input_tokens {
            let warning = format!(
                "{} counted {counted} tokens in a prompt of about {}: it seems to cut prompts to its window in \
                 silence; give it a larger window",
                context.backend, turn.estimated_input_tokens
            );
            self.add(format!("cut {}", context.backend_model), warning);
        } else {
            self.withdraw(&format!("cut {}", context.backend_model));
        }
    }
}

/// A sentence on a window that is too small for Claude Code, with the way out.
pub(super) fn small_window(spec: &BackendSpec, model: &Model) -> Option<String> {
    let window = model.window.filter(|&window| window < SMALL_WINDOW)?;
    Some(format!(
        "the window of {} is {window} tokens; Claude Code needs {SMALL_WINDOW} and more: {}",
        model.short_name(),
        spec.window_hint
    ))
}
