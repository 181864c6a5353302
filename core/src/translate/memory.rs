//! What a translator remembers of conversations, and what it tells of their prompts.

use std::sync::Arc;

use super::backend_error::redact_body;
use super::context::RequestContext;
use super::request::{RequestMeta, Translator, lock};
use crate::prefix::{self, PrefixReport, Prompt};
use crate::session::{Asked, Before, Timestamp, TurnRecord};

impl Translator {
    /// A translator that remembers what `other` does, and from now on shares it: for a client that goes from one
    /// backend to another, and may come back.
    #[must_use]
    pub fn with_memory_of(mut self, other: &Translator) -> Self {
        self.sessions = Arc::clone(&other.sessions);
        #[cfg(feature = "schemas")]
        {
            self.schemas = Arc::clone(&other.schemas);
        }
        self
    }

    /// Remembers what a turn produced; gives its request's [`PrefixReport`], complete with the server's figures.
    /// `None` for a turn that broke or was recorded before, or whose request was not to be remembered.
    pub fn record(&self, context: &RequestContext, turn: &TurnRecord, now: Timestamp) -> Option<PrefixReport> {
        turn.stop_reason?;
        lock(&self.habits).learn(&context.backend_model, &turn.found);
        let mut sessions = lock(&self.sessions);
        let model = self.known_as(&context.backend_model);
        let report = context.report.as_ref()?;
        if !sessions.record(&context.session, &model, context.seed, turn, now) {
            return None;
        }
        let mut report = PrefixReport::clone(report);
        report.complete(turn, sessions.ms_per_token(&model));
        sessions.report(report.clone());
        Some(report)
    }

    /// The last reports of the sessions whose id begins so, the oldest first: of all of them for an empty id. At most
    /// 50 are kept of a session.
    pub fn prefix_reports(&self, session: &str) -> Vec<PrefixReport> {
        lock(&self.sessions).reports(session)
    }

    /// The report as far as it can be told before the answer.
    pub(super) fn report(
        &self,
        by: &Asked<'_>,
        meta: &RequestMeta<'_>,
        prompt: &Prompt,
        before: &Before,
        estimated_tokens: u64,
    ) -> PrefixReport {
        let per_byte = estimated_tokens as f64 / (prompt.text().len() as f64).max(1.0);
        let asked = prefix::Asked {
            request_id: meta.seed.request_id(),
            at: meta.now,
            key: by.key,
            class: by.class,
            model: by.model,
            compacted: meta.hints.compacted,
            tokens: &|bytes| (bytes as f64 * per_byte).round() as u64,
            mask: &|text| redact_body(&self.secrets.mask(text)),
        };
        prefix::draft(asked, prompt, before)
    }
}
