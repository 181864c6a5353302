//! The keys of the settings, read off the one struct: doors build their flags and tables from them.

use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::{AUTO, Config};
use crate::backend::BACKENDS;
use crate::toolcall::ToolFormat;

/// One setting, for flags, variables and tables.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Setting {
    /// The key in files, and with dashes the flag.
    pub key: String,
    /// What it is, in a sentence or two.
    pub about: String,
    /// The type of its value in JSON: `string`, `integer`, `boolean` or `array`.
    pub kind: String,
    /// The words it takes, if it takes only some.
    pub words: Vec<String>,
    /// Its value when nobody sets it; null for none.
    pub default: Value,
    /// A key or token, which belongs into files and variables and not on the command line.
    pub is_secret: bool,
}

impl Setting {
    /// The one environment variable that sets it.
    pub fn variable(&self) -> String {
        match self.key.as_str() {
            // The names that users know from the first anyclaude.
            "backend" => "ANYCLAUDE_MODE".to_owned(),
            "proxy_only" => "PROXY_ONLY".to_owned(),
            key => format!("ANYCLAUDE_{}", key.to_ascii_uppercase()),
        }
    }

    /// The flag that sets it, without its dashes.
    pub fn flag(&self) -> String {
        self.key.replace('_', "-")
    }
}

/// All settings in the order of the struct.
pub(super) fn all() -> Vec<Setting> {
    let schema = Config::schema();
    let mut settings = Vec::new();
    for (key, default) in in_order(&Config::default()) {
        let property = schema.pointer(&format!("/properties/{key}")).cloned().unwrap_or_default();
        let about = property.get("description").and_then(Value::as_str).unwrap_or("").replace('\n', " ");
        let target = property.get("$ref").and_then(Value::as_str).and_then(|path| schema.pointer(path.get(1..)?));
        let words = match key.as_str() {
            "backend" => kinds(),
            "tool_format" => ToolFormat::words().map(str::to_owned).collect(),
            _ => target.into_iter().flat_map(words).collect(),
        };
        let kind = property.get("type").map_or("string", |kind| match kind {
            Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or(""),
            kind => kind.as_str().unwrap_or(""),
        });
        let kind = kind.to_owned();
        let is_secret = matches!(key.as_str(), "api_key" | "inbound_token");
        settings.push(Setting { key, about, kind, words, default, is_secret });
    }
    settings
}

/// The words for a backend.
fn kinds() -> Vec<String> {
    let names = BACKENDS.iter().flat_map(|spec| std::iter::once(&spec.name).chain(spec.aliases));
    std::iter::once(&AUTO).chain(names).map(|name| (*name).to_owned()).collect()
}

/// The settings in the order of the struct, which a map of `serde_json` does not keep.
pub(super) fn in_order(config: &Config) -> Vec<(String, Value)> {
    struct Pairs;
    impl<'de> Visitor<'de> for Pairs {
        type Value = Vec<(String, Value)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut pairs = Vec::new();
            while let Some(pair) = map.next_entry()? {
                pairs.push(pair);
            }
            Ok(pairs)
        }
    }
    let json = serde_json::to_string(config).unwrap_or_default();
    serde_json::Deserializer::from_str(&json).deserialize_map(Pairs).unwrap_or_default()
}

/// The words of an enumeration, which the schema lists one by one when they are documented.
fn words(schema: &Value) -> Vec<String> {
    let one_of = schema.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    one_of.filter_map(|word| word.get("const")?.as_str().map(str::to_owned)).collect()
}

/// Whether every key is a setting's; otherwise a sentence with the nearest one.
pub(super) fn check(map: &Map<String, Value>) -> Result<(), String> {
    let known = Config::default().to_json();
    let Some(unknown) = map.keys().find(|key| !known.contains_key(*key)) else { return Ok(()) };
    Err(match nearest(unknown, known.keys().map(String::as_str)) {
        Some(near) => format!("{unknown}: no such setting; did you mean {near}?"),
        None => format!(
            "{unknown}: no such setting; the settings are {}",
            known.keys().cloned().collect::<Vec<_>>().join(", ")
        ),
    })
}

/// The known word that a mistyped one is most like, if any is like it.
fn nearest<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    /// Below it, words have little more in common than letters.
    const ALIKE: f64 = 0.75;
    let word = word.to_ascii_lowercase().replace('-', "_");
    let scored = known.map(|known| (strsim::jaro_winkler(&word, known), known));
    scored.filter(|(score, _)| *score >= ALIKE).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_those_of_the_struct() {
        let settings = all();
        let find = |key: &str| settings.iter().find(|setting| setting.key == key).unwrap();
        assert!(settings.iter().all(|setting| !setting.about.is_empty()), "{settings:#?}");
        assert!(settings.iter().all(|s| matches!(s.kind.as_str(), "string" | "integer" | "boolean" | "array")));
        assert_eq!((find("port").kind.as_str(), find("context_window").kind.as_str()), ("integer", "integer"));
        assert_eq!(find("tools").words, ["auto", "on", "text", "off"]);
        assert_eq!(find("backend").variable(), "ANYCLAUDE_MODE");
        assert_eq!(find("max_body_bytes").flag(), "max-body-bytes");
        assert_eq!(settings.iter().filter(|setting| setting.is_secret).count(), 2);
        assert_eq!(settings[0].key, "backend");
    }

    #[test]
    fn mistyped_keys_find_the_nearest() {
        for (word, near) in [("Backend-URL", "backend_url"), ("mdoel", "model"), ("ping", "ping_interval")] {
            let known = Config::default().to_json();
            assert_eq!(nearest(word, known.keys().map(String::as_str)), Some(near));
        }
        assert!(check(&Map::from_iter([("xyzzy".to_owned(), Value::Null)])).unwrap_err().contains("the settings are"));
    }
}
