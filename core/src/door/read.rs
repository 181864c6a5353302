//! JSON objects in which every key must be known.

use serde::de::DeserializeOwned;

use crate::error::{Error, ErrorKind, Result};

/// Reads an object; `name` is what users know it by. For types that deny unknown fields, so that a typing mistake does
/// not pass in silence.
pub(crate) fn strict<T: DeserializeOwned>(name: &str, json: &[u8]) -> Result<T> {
    let fail = |what: String| Error::new(ErrorKind::Config, format!("{name}: {what}"));
    // Read into a struct, a list would pass for the values of its fields.
    if !json.trim_ascii_start().starts_with(b"{") {
        return Err(fail("must be a JSON object".to_owned()));
    }
    let mut reader = serde_json::Deserializer::from_slice(json);
    let read = serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| fail(format!("{}: {}", error.path(), error.inner())))?;
    reader.end().map_err(|error| fail(error.to_string()))?;
    Ok(read)
}
