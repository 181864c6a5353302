//! The proxy's words as JSON.

use super::read::strict;
use crate::error::Result;
use crate::proxy::{BackendChoice, BackendInfo, Stats};

impl BackendChoice {
    /// Reads an object with `backend` and any other keys of this struct.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) that names the key.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        strict("backend choice", json)
    }
}

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
