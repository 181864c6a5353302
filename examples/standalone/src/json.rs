//! Looking into JSON that others wrote: what is not there is null, empty or none.

use serde_json::Value;

/// The value at a pointer such as `/usage/input_tokens`.
pub(crate) fn at<'v>(value: &'v Value, pointer: &str) -> &'v Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}

/// The text at a pointer.
pub(crate) fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    at(value, pointer).as_str().unwrap_or("")
}

/// The number at a pointer.
pub(crate) fn number(value: &Value, pointer: &str) -> u64 {
    at(value, pointer).as_u64().unwrap_or(0)
}

/// The entries of the list at a pointer.
pub(crate) fn list<'v>(value: &'v Value, pointer: &str) -> &'v [Value] {
    at(value, pointer).as_array().map_or(&[], Vec::as_slice)
}
