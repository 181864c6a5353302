//! What the library tells, as JSON.

use crate::error::Result;
use crate::prefix::PrefixReport;
use crate::translate::{RequestMeta, Translated, Translator};

impl Translated {
    /// What was dropped, renamed or clamped: an array of sentences.
    pub fn notes_json(&self) -> String {
        let notes: Vec<String> = self.notes.iter().map(ToString::to_string).collect();
        serde_json::to_string(&notes).unwrap_or_default()
    }
}

impl Translator {
    /// Estimates the prompt tokens of a request, as this translator would send it. Remembers nothing of it.
    ///
    /// # Errors
    /// As [`Translator::request_json`].
    pub fn count_tokens_json(&self, body: &[u8], meta: &RequestMeta<'_>) -> Result<u64> {
        let meta = RequestMeta { remembers: false, ..meta.clone() };
        Ok(self.request_json(body, &meta)?.context.estimated_input_tokens)
    }
}

/// Reports as an array.
pub fn prefix_reports_json(reports: &[PrefixReport]) -> String {
    let reports: Vec<String> = reports.iter().map(PrefixReport::to_json).collect();
    format!("[{}]", reports.join(","))
}
