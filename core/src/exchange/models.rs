//! What is known of a server's models: what it told, and what its refusals taught.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::backend::{Model, find};

/// How long what the server told is believed.
const FRESH: Duration = Duration::from_secs(30);

/// How long to wait before a server that told nothing is asked again.
const RETRY: Duration = Duration::from_secs(3);

/// The most models of which something was learned by refusal: names come from clients.
const MAX_TAUGHT: usize = 64;

/// Whether what was asked so long ago is to be asked again.
pub(crate) fn is_stale(age: Option<Duration>, answered: bool) -> bool {
    age.is_none_or(|age| age >= if answered { FRESH } else { RETRY })
}

/// The models of one server. Shared by its requests.
#[derive(Debug, Default)]
pub struct ModelTable(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// What the server told.
    told: Vec<Model>,
    /// The same with what refusals taught.
    models: Arc<[Model]>,
    /// What refusals taught, which holds against what the server tells, as long as it tells the same.
    taught: Vec<Taught>,
}

/// What refusals taught of a model.
#[derive(Debug)]
struct Taught {
    model: Model,
    /// What the server told of its window meanwhile: when that changes, it was started anew.
    told: Option<u64>,
}

impl ModelTable {
    /// What is known now.
    pub fn models(&self) -> Arc<[Model]> {
        Arc::clone(&self.lock().models)
    }

    /// Takes what the server tells now, in place of what it told before.
    pub fn tell(&self, models: Vec<Model>) {
        let mut known = self.lock();
        known.taught.retain(|taught| window_of(&models, &taught.model.id) == taught.told);
        known.told = models;
        known.apply();
    }

    /// Remembers what a refusal taught of a model; true if it was not known.
    pub fn learn(&self, model: &str, change: impl Fn(&mut Model)) -> bool {
        let mut known = self.lock();
        // A name that the list does not have stands for one that it has: keep it under that.
        let name = find(&known.told, model).map_or(model, |model| &model.id).to_owned();
        let at = known.taught.iter().position(|taught| taught.model.id == name);
        let mut taught = match at {
            Some(at) => known.taught.remove(at),
            None => Taught { told: window_of(&known.told, &name), model: Model::named(name.as_str()) },
        };
        let before = taught.model.clone();
        change(&mut taught.model);
        let is_new = taught.model != before;
        known.taught.push(taught);
        if known.taught.len() > MAX_TAUGHT {
            known.taught.remove(0);
        }
        known.apply();
        is_new
    }

    /// Forgets what refusals taught; true if there was anything.
    pub fn forget(&self) -> bool {
        let mut known = self.lock();
        let had_any = !known.taught.is_empty();
        if had_any {
            known.taught.clear();
            known.apply();
        }
        had_any
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// What refusals taught, over what the server told.
    fn apply(&mut self) {
        let mut models = self.told.clone();
        for Taught { model: lesson, .. } in &self.taught {
            // What was learned before the list was there stands under the name that was sent.
            let name = find(&models, &lesson.id).map_or(&lesson.id, |model| &model.id).clone();
            if !models.iter().any(|model| model.id == name) {
                models.push(Model::named(name.as_str()));
            }
            for model in models.iter_mut().filter(|model| model.id == name) {
                model.tools = lesson.tools.or(model.tools);
                model.images = lesson.images.or(model.images);
                model.window = lesson.window.or(model.window);
                model.answer_limit = lesson.answer_limit.or(model.answer_limit);
            }
        }
        self.models = models.into();
    }
}

/// The window that is told of the model that a name stands for.
fn window_of(models: &[Model], name: &str) -> Option<u64> {
    find(models, name)?.window
}
