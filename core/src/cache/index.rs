//! The index over KV states: which one to go on from, and which ones to drop.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lru::LruCache;
use serde::Serialize;

use super::tree::{NodeId, Tree, Walk};

/// The most entries of an index. A bound for its own memory, beside that of the states, which have a budget: ten
/// thousand conversations of a server are more than any has.
pub const MAX_ENTRIES: usize = 16_384;

/// Pinned states hold at most one part in so many of the budget: beyond that the least recently used are pinned no more.
/// Each session may bring system prompts of its own, and without room beside them no conversation would be kept.
pub const PINNED_SHARE: u64 = 2;

/// The most checkpoints that are worth a copy of the state in one request: as many as a request of the Messages API
/// may mark with `cache_control`.
pub const MAX_CHECKPOINTS: usize = 4;

/// The name of a state. The host keeps the state under it. No name is given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Slot(pub u64);

/// What an index is told of a state.
#[derive(Clone, Copy, Debug, Default)]
pub struct NewEntry {
    /// What the state holds in memory, in bytes.
    pub bytes: u64,
    /// Later entries do not push it out, unless they are pinned, too: a system prompt with its tools. Pinned states may
    /// hold a share of the budget ([`PINNED_SHARE`]).
    pub pinned: bool,
    /// The state can be cut to any shorter length. Those of sliding windows and of recurrent layers cannot.
    pub trimmable: bool,
}

/// What became of a new entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Inserted {
    /// Its name; none if it does not fit into the budget beside what is pinned and in use.
    pub slot: Option<Slot>,
    /// States to drop now.
    pub dropped: Vec<Slot>,
}

/// How a state fits a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Found {
    /// It is the state after the whole prompt.
    Exact,
    /// It is the state after a beginning of the prompt.
    Shorter,
    /// It goes on after the prompt's end; cut it.
    Longer,
    /// It goes another way from some token on; cut it there.
    Branch,
}

/// The best state for a prompt. It stays until [`PrefixIndex::release`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Match {
    /// Which state.
    pub slot: Slot,
    /// How it fits.
    pub found: Found,
    /// So many tokens of the prompt need not be read again.
    pub reused: usize,
    /// So many tokens are in the state.
    pub tokens: usize,
}

/// Counters of an index, and what it holds now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PrefixStats {
    /// Entries.
    pub entries: usize,
    /// Of these, pinned.
    pub pinned: usize,
    /// States in use, those included that are entries no more.
    pub in_use: usize,
    /// What all states hold, in bytes.
    pub bytes: u64,
    /// The budget, in bytes.
    pub max_bytes: u64,
    /// Tokens in the index itself, each held once however many prompts share it.
    pub tokens: usize,
    /// Prompts looked up.
    pub lookups: u64,
    /// Of these, with a state to go on from.
    pub hits: u64,
    /// Tokens of the prompts that were looked up.
    pub prompt_tokens: u64,
    /// Of these, those that a state held.
    pub reused_tokens: u64,
    /// Entries made.
    pub inserted: u64,
    /// Entries that a longer one has made needless, or a new one of the same tokens.
    pub superseded: u64,
    /// Entries pushed out for their bytes.
    pub evicted: u64,
    /// States that did not fit.
    pub refused: u64,
}

impl PrefixStats {
    /// The fields as a JSON object.
    pub fn to_json(&self) -> String {
        serde_json::json!(self).to_string()
    }
}

/// Finds the longest prefix of a prompt that an earlier one has left. Any number of threads may use one.
///
/// Prompts share states only within one scope: a text in which the host puts everything that makes a state
/// another one, such as model, adapter, quantisation and the template's arguments.
///
/// ```
/// use anyclaude_core::cache::{Found, NewEntry, PrefixIndex};
///
/// let index = PrefixIndex::new(1 << 30);
/// let entry = NewEntry { bytes: 1 << 20, trimmable: true, ..NewEntry::default() };
/// let slot = index.insert("model", &[1, 2, 3, 4], entry).slot.expect("it fits");
/// let found = index.lookup("model", &[1, 2, 9]).expect("a state with two tokens in common");
/// assert_eq!((found.slot, found.found, found.reused), (slot, Found::Branch, 2));
/// index.release(slot);
/// ```
#[derive(Debug)]
pub struct PrefixIndex(Mutex<State>);

#[derive(Debug)]
struct State {
    tree: Tree,
    roots: HashMap<Arc<str>, NodeId>,
    /// From the least to the most recently used, counted from the end.
    entries: LruCache<Slot, Entry>,
    /// States that are entries no more and in use still: how often, and their bytes.
    leaving: HashMap<Slot, (usize, u64)>,
    next: u64,
    stats: PrefixStats,
}

#[derive(Debug)]
struct Entry {
    scope: Arc<str>,
    node: NodeId,
    tokens: usize,
    bytes: u64,
    pinned: bool,
    trimmable: bool,
    /// How many have looked it up and not released it.
    readers: usize,
}

impl PrefixIndex {
    /// An index over states that may hold so many bytes together.
    pub fn new(max_bytes: u64) -> Self {
        let stats = PrefixStats { max_bytes, ..PrefixStats::default() };
        PrefixIndex(Mutex::new(State {
            tree: Tree::default(),
            roots: HashMap::new(),
            entries: LruCache::unbounded(),
            leaving: HashMap::new(),
            next: 0,
            stats,
        }))
    }

    /// Takes in the state after `tokens`. Of those that it makes needless, and the least recently used ones as far as
    /// their bytes are needed, the names are given back, for the host to drop the states.
    ///
    /// A state in use is never dropped: it leaves the index, its bytes count, and `release` tells when it may go. For a
    /// state that does not fit nothing is dropped.
    pub fn insert(&self, scope: &str, tokens: &[u32], entry: NewEntry) -> Inserted {
        self.lock().insert(scope, tokens, entry)
    }

    /// The best state for a prompt, which is then in use. A host that must compute at least one token leaves out the
    /// prompt's last.
    pub fn lookup(&self, scope: &str, tokens: &[u32]) -> Option<Match> {
        self.lock().lookup(scope, tokens)
    }

    /// What `lookup` would find, which then is neither in use nor counted.
    pub fn peek(&self, scope: &str, tokens: &[u32]) -> Option<Match> {
        self.lock().best(scope, tokens)
    }

    /// A state from `lookup` is in use no more. True when it is an entry no more either, and nobody else uses it: the
    /// host drops it now.
    pub fn release(&self, slot: Slot) -> bool {
        self.lock().release(slot)
    }

    /// Takes an entry out. True when the host may drop its state now, false when it is in use or not there.
    pub fn remove(&self, slot: Slot) -> bool {
        self.lock().remove(slot)
    }

    /// Pins an entry, or lets it go. False when it is not there. Others may have to be let go for it, see
    /// [`PINNED_SHARE`].
    pub fn pin(&self, slot: Slot, pinned: bool) -> bool {
        let mut state = self.lock();
        let is_there = state.entries.peek_mut(&slot).map(|entry| entry.pinned = pinned).is_some();
        state.limit_pinned();
        is_there
    }

    /// The tokens of an entry: a state is checked against them before it is used or saved.
    pub fn tokens(&self, slot: Slot) -> Option<Vec<u32>> {
        let state = self.lock();
        Some(state.tree.path(state.entries.peek(&slot)?.node))
    }

    /// Another budget. What has to go is told, for the host to drop.
    pub fn set_max_bytes(&self, max_bytes: u64) -> Vec<Slot> {
        let mut state = self.lock();
        state.stats.max_bytes = max_bytes;
        state.limit_pinned();
        let mut dropped = Vec::new();
        state.make_room(0, true, &mut dropped);
        dropped
    }

    /// Frees the least recently used states until so many bytes are free, pinned ones at last; for a host that is
    /// short of memory. What has to go is told.
    pub fn free(&self, bytes: u64) -> Vec<Slot> {
        let mut state = self.lock();
        let wanted = state.stats.bytes.saturating_sub(bytes);
        let mut dropped = Vec::new();
        while state.stats.bytes > wanted {
            let Some(slot) = state.least_useful(true) else { break };
            state.evict(slot, &mut dropped);
        }
        dropped
    }

    /// Where in a prompt a copy of the state is worth keeping, for states that cannot be cut: lengths in tokens, rising.
    ///
    /// Of the host's `breakpoints` (the ends of system prompt, tools and turns, what the client marks with
    /// `cache_control`) and of the place where the prompt leaves those before it, because the next will leave there,
    /// too: those behind the `reused` tokens at which no entry ends yet. At most [`MAX_CHECKPOINTS`], from both ends.
    pub fn checkpoints(&self, scope: &str, tokens: &[u32], breakpoints: &[usize], reused: usize) -> Vec<usize> {
        self.lock().checkpoints(scope, tokens, breakpoints, reused)
    }

    /// Counters since the start, and what is held now.
    pub fn stats(&self) -> PrefixStats {
        let state = self.lock();
        let pinned = state.entries.iter().filter(|(_, entry)| entry.pinned).count();
        let read = state.entries.iter().filter(|(_, entry)| entry.readers > 0).count();
        PrefixStats {
            entries: state.entries.len(),
            pinned,
            in_use: read + state.leaving.len(),
            tokens: state.tree.tokens(),
            ..state.stats
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn insert(&mut self, scope: &str, tokens: &[u32], new: NewEntry) -> Inserted {
        let same = self.same(scope, tokens);
        let pinned = new.pinned || same.and_then(|slot| self.entries.peek(&slot)).is_some_and(|entry| entry.pinned);
        let pinned = pinned && new.bytes <= self.most_pinned();
        if tokens.is_empty() || !self.can_fit(new.bytes, pinned) {
            self.stats.refused += 1;
            return Inserted::default();
        }
        let mut dropped = Vec::new();
        self.supersede(scope, tokens, new.trimmable, same, &mut dropped);
        self.make_room(new.bytes, pinned, &mut dropped);
        let scope: Arc<str> =
            self.roots.get_key_value(scope).map_or_else(|| scope.into(), |(scope, _)| Arc::clone(scope));
        let tree = &mut self.tree;
        let root = *self.roots.entry(Arc::clone(&scope)).or_insert_with(|| tree.root());
        let slot = Slot(self.next);
        self.next += 1;
        let node = self.tree.insert(root, tokens, slot);
        let entry =
            Entry { scope, node, tokens: tokens.len(), bytes: new.bytes, pinned, trimmable: new.trimmable, readers: 0 };
        self.entries.put(slot, entry);
        self.stats.bytes += new.bytes;
        self.stats.inserted += 1;
        self.limit_pinned();
        Inserted { slot: Some(slot), dropped }
    }

    fn most_pinned(&self) -> u64 {
        self.stats.max_bytes / PINNED_SHARE
    }

    /// Lets the least recently used pinned entries go, as far as they hold more than their share.
    fn limit_pinned(&mut self) {
        let most = self.most_pinned();
        let pinned = self.entries.iter().filter(|(_, entry)| entry.pinned);
        let mut surplus = pinned.map(|(_, entry)| entry.bytes).sum::<u64>().saturating_sub(most);
        for (_, entry) in self.entries.iter_mut().rev().filter(|(_, entry)| entry.pinned) {
            if surplus == 0 {
                break;
            }
            entry.pinned = false;
            surplus = surplus.saturating_sub(entry.bytes);
        }
    }

    /// The entry of exactly these tokens.
    fn same(&self, scope: &str, tokens: &[u32]) -> Option<Slot> {
        let walk = self.tree.walk(*self.roots.get(scope)?, tokens);
        walk.shorter.filter(|(_, length)| *length == tokens.len()).map(|(slot, _)| slot)
    }

    /// Whether so many bytes fit once everything is out that may go. Nothing is dropped for a state that does not.
    fn can_fit(&self, bytes: u64, pinned: bool) -> bool {
        let fits = |held: u64| held.saturating_add(bytes) <= self.stats.max_bytes;
        let may_go = self.entries.iter().rev().filter(|(_, entry)| entry.readers == 0 && (pinned || !entry.pinned));
        let mut held = self.stats.bytes;
        // The first few make room, mostly.
        fits(held)
            || may_go.map(|(_, entry)| entry.bytes).any(|freed| {
                held -= freed;
                fits(held)
            })
    }

    /// Takes out what the new entry makes needless: the one of the same tokens, and where it can be cut those that it
    /// goes on from.
    fn supersede(&mut self, scope: &str, tokens: &[u32], trimmable: bool, same: Option<Slot>, dropped: &mut Vec<Slot>) {
        let Some(&root) = self.roots.get(scope) else { return };
        let walk = self.tree.walk(root, tokens);
        let mut needless: Vec<Slot> = same.into_iter().collect();
        if trimmable {
            let above = self.tree.entries_above(walk.below).into_iter().chain(walk.shorter.map(|(slot, _)| slot));
            let cut = |slot: &Slot| self.entries.peek(slot).is_some_and(|entry| entry.trimmable && !entry.pinned);
            needless.extend(above.filter(cut));
        }
        for slot in needless {
            if self.entries.contains(&slot) {
                self.stats.superseded += 1;
                if self.remove(slot) {
                    dropped.push(slot);
                }
            }
        }
    }

    /// Pushes out the least recently used entries until so many bytes fit, as far as entries may go.
    fn make_room(&mut self, bytes: u64, for_pinned: bool, dropped: &mut Vec<Slot>) {
        while self.stats.bytes.saturating_add(bytes) > self.stats.max_bytes || self.entries.len() >= MAX_ENTRIES {
            let Some(slot) = self.least_useful(for_pinned) else { return };
            self.evict(slot, dropped);
        }
    }

    /// The least recently used entry that nobody uses; a pinned one only if need be.
    fn least_useful(&self, may_be_pinned: bool) -> Option<Slot> {
        let unused = || self.entries.iter().rev().filter(|(_, entry)| entry.readers == 0);
        let free = unused().find(|(_, entry)| !entry.pinned);
        free.or_else(|| unused().find(|_| may_be_pinned)).map(|(slot, _)| *slot)
    }

    fn evict(&mut self, slot: Slot, dropped: &mut Vec<Slot>) {
        self.stats.evicted += 1;
        if self.remove(slot) {
            dropped.push(slot);
        }
    }

    fn lookup(&mut self, scope: &str, tokens: &[u32]) -> Option<Match> {
        self.stats.lookups += 1;
        self.stats.prompt_tokens += tokens.len() as u64;
        let found = self.best(scope, tokens)?;
        let entry = self.entries.get_mut(&found.slot)?;
        entry.readers += 1;
        self.stats.hits += 1;
        self.stats.reused_tokens += found.reused as u64;
        Some(found)
    }

    fn best(&self, scope: &str, tokens: &[u32]) -> Option<Match> {
        let walk = self.tree.walk(*self.roots.get(scope)?, tokens);
        self.cut(&walk, tokens.len()).or_else(|| self.whole(&walk, tokens.len()))
    }

    /// The state after a beginning of the prompt.
    fn whole(&self, walk: &Walk, length: usize) -> Option<Match> {
        let (slot, tokens) = walk.shorter?;
        let found = if tokens == length { Found::Exact } else { Found::Shorter };
        Some(Match { slot, found, reused: tokens, tokens })
    }

    /// A state that goes on from the last token in common and can be cut, where it holds more of the prompt.
    fn cut(&self, walk: &Walk, length: usize) -> Option<Match> {
        if walk.common == 0 || walk.shorter.is_some_and(|(_, tokens)| tokens == walk.common) {
            return None;
        }
        let slot = self.tree.entry_below(walk.below)?;
        let entry = self.entries.peek(&slot).filter(|entry| entry.trimmable)?;
        let found = if walk.common == length { Found::Longer } else { Found::Branch };
        Some(Match { slot, found, reused: walk.common, tokens: entry.tokens })
    }

    fn release(&mut self, slot: Slot) -> bool {
        if let Some(entry) = self.entries.peek_mut(&slot) {
            entry.readers = entry.readers.saturating_sub(1);
            return false;
        }
        let Some((readers, bytes)) = self.leaving.get_mut(&slot) else { return false };
        *readers -= 1;
        let is_last = *readers == 0;
        if is_last {
            self.stats.bytes -= *bytes;
            self.leaving.remove(&slot);
        }
        is_last
    }

    fn remove(&mut self, slot: Slot) -> bool {
        let Some(entry) = self.entries.pop(&slot) else { return false };
        self.tree.remove(entry.node);
        if let Some(&root) = self.roots.get(&entry.scope).filter(|root| self.tree.is_empty(**root)) {
            self.tree.drop_root(root);
            self.roots.remove(&entry.scope);
        }
        if entry.readers > 0 {
            self.leaving.insert(slot, (entry.readers, entry.bytes));
            return false;
        }
        self.stats.bytes -= entry.bytes;
        true
    }

    fn checkpoints(&self, scope: &str, tokens: &[u32], breakpoints: &[usize], reused: usize) -> Vec<usize> {
        let root = self.roots.get(scope).copied();
        let leaves = root.map(|root| self.tree.walk(root, tokens).common);
        let is_new = |&length: &usize| {
            let before = tokens.get(..length).filter(|before| before.len() > reused);
            before.is_some_and(|before| {
                let walk = root.map(|root| self.tree.walk(root, before));
                walk.and_then(|walk| walk.shorter).is_none_or(|(_, end)| end != length)
            })
        };
        let mut lengths: Vec<usize> = breakpoints.iter().copied().chain(leaves).filter(is_new).collect();
        lengths.sort_unstable();
        lengths.dedup();
        // The beginnings are shared by most prompts, the ends by the next turn.
        let surplus = lengths.len().saturating_sub(MAX_CHECKPOINTS);
        let first = MAX_CHECKPOINTS.div_ceil(2).min(lengths.len());
        lengths.drain(first..first + surplus);
        lengths
    }
}
