//! The prefix index against a model that does everything the slow way, and under many threads.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Barrier};

use anyclaude_core::cache::{Found, NewEntry, PrefixIndex, Slot};
use proptest::prelude::*;

/// All entries in a list; everything is a search through it.
#[derive(Default)]
struct Naive {
    entries: Vec<Known>,
    leaving: BTreeMap<Slot, (usize, u64)>,
    max_bytes: u64,
}

#[derive(Clone, Debug)]
struct Known {
    slot: Slot,
    scope: &'static str,
    tokens: Vec<u32>,
    bytes: u64,
    pinned: bool,
    trimmable: bool,
    readers: usize,
}

impl Naive {
    fn bytes(&self) -> u64 {
        let entries: u64 = self.entries.iter().map(|entry| entry.bytes).sum();
        entries + self.leaving.values().map(|(_, bytes)| bytes).sum::<u64>()
    }

    fn remove(&mut self, at: usize) -> Option<Slot> {
        let entry = self.entries.remove(at);
        if entry.readers > 0 {
            self.leaving.insert(entry.slot, (entry.readers, entry.bytes));
            return None;
        }
        Some(entry.slot)
    }

    /// The entries that must go for a new one; `None` for the new one itself if it does not fit.
    fn insert(&mut self, new: Known) -> (bool, BTreeSet<Slot>) {
        let mut dropped = BTreeSet::new();
        let mut new = new;
        let is_same = |entry: &Known| entry.scope == new.scope && entry.tokens == new.tokens;
        new.pinned |= self.entries.iter().any(|entry| is_same(entry) && entry.pinned);
        new.pinned &= new.bytes <= self.max_bytes / 2;
        let may_go = self.entries.iter().filter(|entry| entry.readers == 0 && (new.pinned || !entry.pinned));
        let may_go: u64 = may_go.map(|entry| entry.bytes).sum();
        if new.tokens.is_empty() || self.bytes() - may_go + new.bytes > self.max_bytes {
            return (false, dropped);
        }
        while let Some(at) = self.entries.iter().position(|entry| {
            let is_start = entry.scope == new.scope && new.tokens.starts_with(&entry.tokens);
            is_start && (entry.tokens == new.tokens || new.trimmable && entry.trimmable && !entry.pinned)
        }) {
            dropped.extend(self.remove(at));
        }
        while self.bytes() + new.bytes > self.max_bytes {
            let free = self.entries.iter().position(|entry| entry.readers == 0 && !entry.pinned);
            let pinned = self.entries.iter().position(|entry| entry.readers == 0 && new.pinned);
            let at = free.or(pinned).expect("what may go is enough");
            dropped.extend(self.remove(at));
        }
        self.entries.push(new);
        self.limit_pinned();
        (true, dropped)
    }

    /// Of what is pinned, what was used last may hold half of the budget.
    fn limit_pinned(&mut self) {
        let mut pinned: u64 = self.entries.iter().filter(|entry| entry.pinned).map(|entry| entry.bytes).sum();
        for entry in self.entries.iter_mut().filter(|entry| entry.pinned) {
            if pinned > self.max_bytes / 2 {
                entry.pinned = false;
                pinned -= entry.bytes;
            }
        }
    }

    /// The most tokens that any state can give.
    fn best(&self, scope: &str, tokens: &[u32]) -> usize {
        let usable = self.entries.iter().filter(|entry| entry.scope == scope).map(|entry| {
            let common = entry.tokens.iter().zip(tokens).take_while(|(left, right)| left == right).count();
            if common == entry.tokens.len() || entry.trimmable { common } else { 0 }
        });
        usable.max().unwrap_or(0)
    }
}

#[derive(Clone, Debug)]
enum Step {
    Insert { scope: &'static str, tokens: Vec<u32>, bytes: u64, pinned: bool },
    Lookup { scope: &'static str, tokens: Vec<u32> },
    Release(usize),
    Remove(usize),
    Pin(usize, bool),
    Free(u64),
}

/// Few tokens and many beginnings in common, so that edges split and join.
fn tokens() -> impl Strategy<Value = Vec<u32>> {
    prop_oneof![
        prop::collection::vec(0_u32..3, 0..9),
        (0_usize..150, prop::collection::vec(0_u32..2, 0..4)).prop_map(|(same, end)| [vec![7; same], end].concat()),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let scope = || prop_oneof![4 => Just("model"), 1 => Just("other")];
    prop_oneof![
        5 => (scope(), tokens(), 0_u64..60, prop::bool::weighted(0.3))
            .prop_map(|(scope, tokens, bytes, pinned)| Step::Insert { scope, tokens, bytes, pinned }),
        5 => (scope(), tokens()).prop_map(|(scope, tokens)| Step::Lookup { scope, tokens }),
        3 => (0_usize..9).prop_map(Step::Release),
        1 => (0_usize..9).prop_map(Step::Remove),
        1 => (0_usize..9, any::<bool>()).prop_map(|(at, pinned)| Step::Pin(at, pinned)),
        1 => (0_u64..80).prop_map(Step::Free),
    ]
}

/// Takes one step on both, and compares.
fn take(index: &PrefixIndex, naive: &mut Naive, held: &mut Vec<Slot>, trimmable: bool, step: Step) {
    match step {
        Step::Insert { scope, tokens, bytes, pinned } => {
            let done = index.insert(scope, &tokens, NewEntry { bytes, pinned, trimmable });
            let slot = done.slot.unwrap_or(Slot(u64::MAX));
            let known = Known { slot, scope, tokens, bytes, pinned, trimmable, readers: 0 };
            let (fits, dropped) = naive.insert(known);
            assert_eq!((done.slot.is_some(), done.dropped.into_iter().collect()), (fits, dropped));
        }
        Step::Lookup { scope, tokens } => {
            let (before, peeked) = (index.stats(), index.peek(scope, &tokens));
            assert_eq!(index.stats(), before);
            let found = index.lookup(scope, &tokens);
            assert_eq!(found, peeked);
            let best = naive.best(scope, &tokens);
            assert_eq!(found.map_or(0, |found| found.reused), best);
            let Some(found) = found else { return };
            // What is claimed is true of the entry that is named.
            let at = naive.entries.iter().position(|entry| entry.slot == found.slot).expect("it is an entry");
            let mut entry = naive.entries.remove(at);
            assert_eq!((entry.scope, entry.tokens.len()), (scope, found.tokens));
            assert_eq!(entry.tokens[..found.reused], tokens[..found.reused]);
            let exact = (found.reused == tokens.len(), found.reused == entry.tokens.len());
            let told = match found.found {
                Found::Exact => (true, true),
                Found::Shorter => (false, true),
                Found::Longer => (true, false),
                Found::Branch => (false, false),
                other => panic!("{other:?}"),
            };
            assert_eq!(exact, told);
            assert_eq!(index.tokens(found.slot).as_ref(), Some(&entry.tokens));
            entry.readers += 1;
            naive.entries.push(entry);
            held.push(found.slot);
        }
        Step::Release(at) => {
            if held.is_empty() {
                return;
            }
            let slot = held.remove(at % held.len());
            let mut last = false;
            if let Some(entry) = naive.entries.iter_mut().find(|entry| entry.slot == slot) {
                entry.readers -= 1;
            } else {
                let (readers, _) = naive.leaving.get_mut(&slot).expect("in use");
                *readers -= 1;
                last = *readers == 0;
            }
            if last {
                naive.leaving.remove(&slot);
            }
            assert_eq!(index.release(slot), last);
        }
        Step::Remove(at) if !naive.entries.is_empty() => {
            let at = at % naive.entries.len();
            let slot = naive.entries[at].slot;
            assert_eq!(index.remove(slot), naive.remove(at).is_some());
        }
        Step::Remove(_) => assert!(!index.remove(Slot(u64::MAX))),
        Step::Pin(at, pinned) if !naive.entries.is_empty() => {
            let at = at % naive.entries.len();
            let slot = naive.entries[at].slot;
            naive.entries[at].pinned = pinned;
            naive.limit_pinned();
            assert!(index.pin(slot, pinned));
        }
        Step::Pin(..) => assert!(!index.pin(Slot(u64::MAX), true)),
        Step::Free(bytes) => {
            let wanted = naive.bytes().saturating_sub(bytes);
            let mut dropped = Vec::new();
            while naive.bytes() > wanted {
                let free = naive.entries.iter().position(|entry| entry.readers == 0 && !entry.pinned);
                let pinned = naive.entries.iter().position(|entry| entry.readers == 0);
                let Some(at) = free.or(pinned) else { break };
                dropped.extend(naive.remove(at));
            }
            assert_eq!(index.free(bytes), dropped);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn it_is_the_naive_model(trimmable: bool, steps in prop::collection::vec(step(), 0..60)) {
        let max_bytes = 150;
        let index = PrefixIndex::new(max_bytes);
        let mut naive = Naive { max_bytes, ..Naive::default() };
        let mut held = Vec::new();
        for step in steps {
            take(&index, &mut naive, &mut held, trimmable, step);
            let stats = index.stats();
            assert_eq!((stats.entries, stats.bytes), (naive.entries.len(), naive.bytes()));
            assert_eq!(stats.pinned, naive.entries.iter().filter(|entry| entry.pinned).count());
            assert!(stats.bytes <= max_bytes);
            let distinct: BTreeSet<(&str, &[u32])> = naive
                .entries
                .iter()
                .flat_map(|entry| (1..=entry.tokens.len()).map(|end| (entry.scope, &entry.tokens[..end])))
                .collect();
            assert_eq!(stats.tokens, distinct.len(), "each shared token is held once, and no other");
        }
        for slot in held {
            index.release(slot);
        }
        assert_eq!(index.stats().in_use, 0);
    }
}

#[test]
fn what_threads_look_up_is_there_until_they_release_it() {
    let index = Arc::new(PrefixIndex::new(400));
    let barrier = Arc::new(Barrier::new(8));
    let work = |thread: u32| {
        let (index, barrier) = (Arc::clone(&index), Arc::clone(&barrier));
        move || {
            barrier.wait();
            for round in 0..3000_u32 {
                let prompt: Vec<u32> =
                    (0..40).map(|at| if at < 20 { at } else { (round * 7 + thread * at) % 5 }).collect();
                if let Some(found) = index.lookup("model", &prompt) {
                    let bytes = index.stats().bytes;
                    assert!(bytes <= 400, "{bytes}");
                    index.release(found.slot);
                }
                let entry =
                    NewEntry { bytes: 10 + u64::from(round % 9), trimmable: round % 3 > 0, pinned: round % 97 == 0 };
                index.insert("model", &prompt[..20 + (round as usize % 20)], entry);
            }
        }
    };
    let threads: Vec<_> = (0..8).map(|thread| std::thread::spawn(work(thread))).collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let stats = index.stats();
    assert_eq!(stats.in_use, 0);
    assert!(stats.hits > 10_000 && stats.bytes <= 400, "{stats:?}");
}

#[test]
fn checkpoints_are_where_prompts_part_and_at_both_ends() {
    let index = PrefixIndex::new(1000);
    let entry = NewEntry { bytes: 1, ..NewEntry::default() };
    let first: Vec<u32> = (0..100).collect();
    assert_eq!(index.checkpoints("model", &first, &[10, 20, 30, 40, 50, 60, 200], 0), [10, 20, 50, 60]);
    index.insert("model", &first, entry);
    index.insert("model", &first[..20], entry);
    let mut second = first.clone();
    second[70] = 7;
    // Its state cannot be cut, so that the 20 tokens are all there is; the next such prompt will find 70.
    assert_eq!(index.lookup("model", &second).unwrap().reused, 20);
    assert_eq!(index.checkpoints("model", &second, &[10, 20, 90], 20), [70, 90]);
    assert_eq!(index.checkpoints("other", &second, &[90], 0), [90]);
}
