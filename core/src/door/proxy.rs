//! The proxy's words as JSON.

use crate::proxy::{BackendInfo, Stats};

impl BackendInfo {
    /// The fields as a JSON object.
    pub fn to_json(&self) -> String {
        serde_json::json!(self).to_string()
    }
}

impl Stats {
    /// The counters as a JSON object.
    pub fn to_json(&self) -> String {
        serde_json::json!(self).to_string()
    }
}
