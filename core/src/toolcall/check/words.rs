//! A violation in a sentence. Values are told by their kind alone: they may be secret, or long.

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{JsonType, ValidationError};
use serde_json::Value;

use crate::error::shown;

/// Bytes shown of anything that schema or model have written: a place, a name, an option.
const MAX_SHOWN: usize = 80;

/// Names or options that are listed.
const MAX_LISTED: usize = 5;

/// `None` where the checker could not decide.
pub(super) fn sentence(error: &ValidationError<'_>) -> Option<String> {
    use ValidationErrorKind as K;
    let kind = shape(error.instance());
    let text = match error.kind() {
        K::BacktrackLimitExceeded { .. } | K::RegexEngineFailure { .. } | K::Referencing(_) => return None,
        K::Type { kind: wanted } => format!("{kind} stands here, wanted is {}", types(wanted)),
        K::Required { property } => format!("{} is missing", plain(property)),
        K::AdditionalProperties { unexpected } | K::UnevaluatedProperties { unexpected } => {
            format!("the schema has no {}", listed(unexpected.iter().map(|name| short(name))))
        }
        K::Enum { options } => {
            let options = options.as_array().map(Vec::as_slice).unwrap_or_default();
            format!("{kind} that is none of {}", listed(options.iter().map(plain)))
        }
        K::Constant { expected_value } => format!("{kind} that is not {}", plain(expected_value)),
        K::AnyOf { context } | K::OneOfNotValid { context } => {
            format!("{kind} fits none of the {} alternatives", context.len())
        }
        K::OneOfMultipleValid { .. } => format!("{kind} fits more than one of the alternatives"),
        K::Pattern { pattern } => format!("{kind} does not match {}", short(pattern)),
        K::Format { format } => format!("{kind} is no {}", short(format)),
        K::Minimum { limit } => format!("{kind} below {limit}"),
        K::Maximum { limit } => format!("{kind} above {limit}"),
        K::ExclusiveMinimum { limit } => format!("{kind} not above {limit}"),
        K::ExclusiveMaximum { limit } => format!("{kind} not below {limit}"),
        K::MinLength { limit } => format!("{kind} shorter than {limit}"),
        K::MaxLength { limit } => format!("{kind} longer than {limit}"),
        K::MinItems { limit } => format!("{kind} with fewer than {limit} items"),
        K::MaxItems { limit } => format!("{kind} with more than {limit} items"),
        other => format!("{kind} breaks `{}`", short(other.keyword())),
    };
    let place = error.instance_path().as_str();
    Some(if place.is_empty() { text } else { format!("{}: {text}", shown(place, MAX_SHOWN)) })
}

/// What kind of value it is.
pub(super) fn shape(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a number",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn types(wanted: &TypeKind) -> String {
    match wanted {
        TypeKind::Single(one) => name(*one).to_owned(),
        TypeKind::Multiple(several) => several.iter().map(name).collect::<Vec<_>>().join(" or "),
    }
}

fn name(wanted: JsonType) -> &'static str {
    match wanted {
        JsonType::Null => "null",
        JsonType::Boolean => "boolean",
        JsonType::Integer => "integer",
        JsonType::Number => "number",
        JsonType::String => "string",
        JsonType::Array => "array",
        JsonType::Object => "object",
    }
}

/// What the schema itself says.
fn plain(value: &Value) -> String {
    shown(&value.to_string(), MAX_SHOWN).into_owned()
}

fn short(text: &str) -> String {
    format!("`{}`", shown(text, MAX_SHOWN))
}

fn listed(names: impl ExactSizeIterator<Item = String>) -> String {
    let more = names.len().saturating_sub(MAX_LISTED);
    let mut list = names.take(MAX_LISTED).collect::<Vec<_>>().join(", ");
    if more > 0 {
        list.push_str(&format!(" and {more} more"));
    }
    list
}
