//! Which formats an answer is looked through for, and why.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use lru::LruCache;

use super::format::Format;
use super::formats;

/// The formats that a model's text is looked through for, in words for people.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Chosen {
    /// Names of formats, the likeliest first; empty for whatever has markers.
    pub formats: Vec<&'static str>,
    /// Why these: words that follow "because of".
    pub reason: &'static str,
}

impl std::fmt::Display for Chosen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let formats = if self.formats.is_empty() { "any format".to_owned() } else { self.formats.join(", ") };
        write!(f, "{formats} (by {})", self.reason)
    }
}

/// Models whose formats are remembered: each request asks for one, and few are met.
const MAX_KNOWN: NonZeroUsize = NonZeroUsize::new(64).unwrap();

/// Formats that have been decided on. By default all that have markers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    formats: Arc<[&'static Format]>,
    reason: Reason,
}

/// Why these formats were chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Reason {
    /// Nothing is known of the model: whatever marker comes first.
    #[default]
    Markers,
    /// The user has named the format.
    Setting,
    /// The model's chat template, as the server tells it.
    Template,
    /// The model's name.
    Name,
}

impl Selection {
    /// One format and no other, because the user says so.
    pub(crate) fn named(format: &'static Format) -> Self {
        Selection { formats: Arc::new([format]), reason: Reason::Setting }
    }

    /// Those of the model of this name.
    pub(crate) fn by_model(name: &str) -> Self {
        static KNOWN: OnceLock<Mutex<LruCache<String, Selection>>> = OnceLock::new();
        let known = KNOWN.get_or_init(|| Mutex::new(LruCache::new(MAX_KNOWN)));
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        let decide = || match formats::for_model(name) {
            formats if formats.is_empty() => Selection::default(),
            formats => Selection { formats: formats.into(), reason: Reason::Name },
        };
        known.get_or_insert_ref(name, decide).clone()
    }

    /// The one that the model's template shows. Where its name means that one and others, the others stay with it.
    pub(crate) fn by_template(format: &'static Format, name: &str) -> Self {
        let mut formats = vec![format];
        let by_name = formats::for_model(name);
        if by_name.iter().any(|other| other.name == format.name) {
            formats.extend(by_name.into_iter().filter(|other| other.name != format.name));
        }
        Selection { formats: formats.into(), reason: Reason::Template }
    }

    /// The same with the format of this name ahead of all others: the model was told to write it. Where the user has
    /// named one that no model can be told of, it is the only one.
    pub(crate) fn beginning_with(&self, name: &str) -> Self {
        let Some(format) = formats::by_name(name) else { return self.clone() };
        let others = self.formats.iter().copied().filter(|other| other.name != name && !self.only());
        Selection { formats: std::iter::once(format).chain(others).collect(), reason: self.reason }
    }

    /// The formats, the likeliest first.
    pub(crate) fn formats(&self) -> &[&'static Format] {
        &self.formats
    }

    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.formats.iter().map(|format| format.name).collect()
    }

    /// No other format is live.
    pub(crate) fn only(&self) -> bool {
        self.reason == Reason::Setting
    }

    /// The choice in words.
    pub(crate) fn chosen(&self) -> Chosen {
        Chosen { formats: self.names(), reason: self.reason.words() }
    }
}

impl Reason {
    fn words(self) -> &'static str {
        match self {
            Reason::Markers => "its markers, whichever come",
            Reason::Setting => "the setting tool_format",
            Reason::Template => "the model's chat template",
            Reason::Name => "the model's name",
        }
    }
}
