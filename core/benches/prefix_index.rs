//! The prefix index as a busy server fills it: 10,000 states, prompts of 100,000 tokens.

#![allow(clippy::unwrap_used, missing_docs)]

use anyclaude_core::cache::{NewEntry, PrefixIndex};
use divan::{Bencher, black_box};

const ENTRIES: u32 = 10_000;
const PROMPT: u32 = 100_000;
/// A system prompt with tools that all share.
const SHARED: u32 = 9_000;

fn main() {
    divan::main();
}

const ENTRY: NewEntry = NewEntry { bytes: 1, pinned: false, trimmable: true };

/// A prompt of one conversation.
fn prompt(conversation: u32, length: u32) -> Vec<u32> {
    (0..length).map(|at| if at < SHARED { at } else { at.wrapping_mul(31) ^ (conversation << 8) }).collect()
}

/// Many short conversations, and some long ones.
fn filled() -> PrefixIndex {
    let index = PrefixIndex::new(u64::MAX);
    for conversation in 0..ENTRIES {
        let length = if conversation % 100 == 0 { PROMPT } else { SHARED + 200 };
        index.insert("model", &prompt(conversation, length), ENTRY).slot.unwrap();
    }
    index
}

/// The floor: comparing a prompt with itself.
#[divan::bench]
fn compare_100k_tokens(bencher: Bencher<'_, '_>) {
    let (left, right) = (prompt(100, PROMPT), prompt(100, PROMPT));
    bencher.bench(|| black_box(&left) == black_box(&right));
}

#[divan::bench]
fn lookup_100k_tokens(bencher: Bencher<'_, '_>) {
    let index = filled();
    let next = [prompt(100, PROMPT), vec![1, 2, 3]].concat();
    bencher.bench(|| {
        let found = index.lookup("model", black_box(&next)).unwrap();
        assert_eq!(found.reused, PROMPT as usize);
        index.release(found.slot)
    });
}

#[divan::bench]
fn lookup_new_session(bencher: Bencher<'_, '_>) {
    let index = filled();
    let other = prompt(ENTRIES + 7, PROMPT);
    bencher.bench(|| {
        let found = index.lookup("model", black_box(&other)).unwrap();
        assert_eq!(found.reused, SHARED as usize);
        index.release(found.slot)
    });
}

/// The next turn: 100,000 tokens of which the last 200 are new; it makes the one before it needless.
#[divan::bench]
fn insert_next_turn(bencher: Bencher<'_, '_>) {
    let index = filled();
    let mut turn = prompt(100, PROMPT);
    bencher.bench_local(|| {
        turn.extend(0..200);
        index.insert("model", black_box(&turn), ENTRY)
    });
}

/// A long conversation that was not there before, and out again.
#[divan::bench]
fn insert_and_remove_100k_tokens(bencher: Bencher<'_, '_>) {
    let index = filled();
    let other = prompt(ENTRIES + 7, PROMPT);
    bencher.bench(|| {
        let slot = index.insert("model", black_box(&other), ENTRY).slot.unwrap();
        index.remove(slot)
    });
}
