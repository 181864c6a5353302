//! The index over KV states.

use std::mem::MaybeUninit;
use std::ptr::NonNull;

use anyclaude_core::cache::{Found, Match, NewEntry, PrefixIndex as Core, Slot};
use anyclaude_core::{Error as CoreError, ErrorKind};

use crate::buffer::{Buffer, append, append_text};
use crate::error::Error;
use crate::guard::{free, guard};
use crate::handle::{Bytes, Shared, Tokens, hand_over, required};
use crate::status::Status;

/// Finds the longest prefix of a prompt that an earlier one has left in a KV cache. The states stay with the host, who
/// keeps each under its slot and drops it when told. Any number of threads may use one at the same time.
///
/// Prompts share states within one scope only: any bytes that are a text, with all that makes a state another one,
/// such as model, adapter, quantisation and the arguments of the chat template.
pub struct PrefixIndex(Shared<Core>);

/// A slot that names no state.
pub const ANYCLAUDE_NO_SLOT: u64 = u64::MAX;

/// The state can be cut to any shorter length, which those of sliding windows and recurrent layers cannot.
pub const ANYCLAUDE_PREFIX_TRIMMABLE: u32 = 1;
/// The state is pushed out by other pinned ones only. Pinned states may hold half of the budget: beyond that the least
/// recently used are pinned no more.
pub const ANYCLAUDE_PREFIX_PINNED: u32 = 2;

/// How a state fits a prompt: one of the constants that begin with `ANYCLAUDE_FOUND_`.
pub type PrefixFound = u32;

/// No state has a beginning in common with the prompt.
pub const ANYCLAUDE_FOUND_NONE: PrefixFound = 0;
/// It is the state after the whole prompt.
pub const ANYCLAUDE_FOUND_EXACT: PrefixFound = 1;
/// It is the state after a beginning of the prompt.
pub const ANYCLAUDE_FOUND_SHORTER: PrefixFound = 2;
/// It goes on after the prompt's end: cut it to `reused` tokens.
pub const ANYCLAUDE_FOUND_LONGER: PrefixFound = 3;
/// It goes another way from some token on: cut it to `reused` tokens.
pub const ANYCLAUDE_FOUND_BRANCH: PrefixFound = 4;

/// The best state for a prompt.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct PrefixMatch {
    /// Which state; `ANYCLAUDE_NO_SLOT` for none.
    pub slot: u64,
    /// So many tokens of the prompt need not be read again.
    pub reused: u64,
    /// So many tokens are in the state.
    pub tokens: u64,
    /// How it fits.
    pub found: PrefixFound,
    /// Always 0.
    pub reserved: u32,
}

/// Makes an index over states that may hold `max_bytes` bytes together. Free `*out` with
/// `anyclaude_prefix_index_free`.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_prefix_index_new(
    max_bytes: u64,
    out: Option<&mut MaybeUninit<Option<Box<PrefixIndex>>>>,
    error: Option<&mut MaybeUninit<Option<Box<Error>>>>,
) -> Status {
    guard(error, || {
        hand_over(required(out, "out")?, PrefixIndex(Shared::new(Core::new(max_bytes))));
        Ok(())
    })
}

/// Takes in the state after `tokens`, which holds `bytes` bytes. `flags` are those that begin with
/// `ANYCLAUDE_PREFIX_`, put together. `*slot` becomes its slot, or `ANYCLAUDE_NO_SLOT` if it does not fit beside what is
/// pinned and in use.
///
/// The slots of the states that are to be dropped now are appended to `dropped`: each a `uint64_t` in the machine's
/// order, 8 bytes.
///
/// Fails with `ANYCLAUDE_CONFIG` for flags that there are not.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_prefix_index_insert(
    index: Option<&PrefixIndex>,
    scope: Bytes,
    tokens: Tokens,
    bytes: u64,
    flags: u32,
    slot: Option<&mut MaybeUninit<u64>>,
    dropped: Option<NonNull<Buffer>>,
    error: Option<&mut MaybeUninit<Option<Box<Error>>>>,
) -> Status {
    guard(error, || {
        let (index, slot) = (required(index, "index")?, required(slot, "slot")?);
        let (scope, tokens) = (scope.text("scope")?, tokens.get("tokens")?);
        let entry = entry(bytes, flags)?;
        let kept = append(dropped, |out| {
            let inserted = index.0.call(|core| Ok(core.insert(scope, tokens, entry)))?;
            write_slots(out, &inserted.dropped);
            Ok(inserted.slot)
        })?;
        slot.write(kept.map_or(ANYCLAUDE_NO_SLOT, |Slot(slot)| slot));
        Ok(())
    })
}

fn entry(bytes: u64, flags: u32) -> Result<NewEntry, Error> {
    if flags & !(ANYCLAUDE_PREFIX_TRIMMABLE | ANYCLAUDE_PREFIX_PINNED) != 0 {
        let message =
            format!("flags: {flags:#x} has bits beside ANYCLAUDE_PREFIX_TRIMMABLE and ANYCLAUDE_PREFIX_PINNED");
        return Err(CoreError::new(ErrorKind::Config, message).into());
    }
    let has = |flag| flags & flag != 0;
    Ok(NewEntry { bytes, trimmable: has(ANYCLAUDE_PREFIX_TRIMMABLE), pinned: has(ANYCLAUDE_PREFIX_PINNED) })
}

/// Finds the best state for a prompt, and writes it to `*out`. If there is one it is in use, and not dropped, until
/// `anyclaude_prefix_index_release`. Leave out the prompt's last token where at least one has to be computed.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_prefix_index_lookup(
    index: Option<&PrefixIndex>,
    scope: Bytes,
    tokens: Tokens,
    out: Option<&mut MaybeUninit<PrefixMatch>>,
    error: Option<&mut MaybeUninit<Option<Box<Error>>>>,
) -> Status {
    guard(error, || {
        let (index, out) = (required(index, "index")?, required(out, "out")?);
        let (scope, tokens) = (scope.text("scope")?, tokens.get("tokens")?);
        out.write(written(index.0.call(|core| Ok(core.lookup(scope, tokens)))?));
        Ok(())
    })
}

/// Writes to `*out` what `anyclaude_prefix_index_lookup` would find. The state is not in use by that: it may be
/// dropped at any time.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_prefix_index_peek(
    index: Option<&PrefixIndex>,
    scope: Bytes,
    tokens: Tokens,
    out: Option<&mut MaybeUninit<PrefixMatch>>,
    error: Option<&mut MaybeUninit<Option<Box<Error>>>>,
) -> Status {
    guard(error, || {
        let (index, out) = (required(index, "index")?, required(out, "out")?);
        let (scope, tokens) = (scope.text("scope")?, tokens.get("tokens")?);
        out.write(written(index.0.call(|core| Ok(core.peek(scope, tokens)))?));
        Ok(())
    })
}

fn written(found: Option<Match>) -> PrefixMatch {
    let Some(found) = found else {
        return PrefixMatch { slot: ANYCLAUDE_NO_SLOT, reused: 0, tokens: 0, found: ANYCLAUDE_FOUND_NONE, reserved: 0 };
    };
    PrefixMatch {
        slot: found.slot.0,
        reused: found.reused as u64,
        tokens: found.tokens as u64,
        found: word(found.found),
        reserved: 0,
    }
}

fn word(found: Found) -> PrefixFound {
    match found {
        Found::Exact => ANYCLAUDE_FOUND_EXACT,
        Found::Shorter => ANYCLAUDE_FOUND_SHORTER,
        Found::Longer => ANYCLAUDE_FOUND_LONGER,
        // Cut at `reused`, which is right for whatever may be added.
        _ => ANYCLAUDE_FOUND_BRANCH,
    }
}

/// A state from `anyclaude_prefix_index_lookup` is in use no more. `*drop` becomes 1 if it has left the index meanwhile
/// and is to be dropped now, otherwise 0.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_prefix_index_release(
    index: Option<&PrefixIndex>,
    slot: u64,
    drop: Option<&mut MaybeUninit<u8>>,
    error: Option<&mut MaybeUninit<Option<Box<Error>>>>,
) -> Status {
    guard(error, || {
        let (index, drop) = (required(index, "index")?, required(drop, "drop")?);
        drop.write(index.0.call(|core| Ok(core.release(Slot(slot))))?.into());
        Ok(())
    })
}

/// Takes an entry out. `*drop` becomes 1 if its state may be dropped now, and 0 if it is in use or not there.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_prefix_index_remove(
    index: Option<&PrefixIndex>,
    slot: u64,
    drop: Option<&mut MaybeUninit<u8>>,
    error: Option<&mut MaybeUninit<Option<Box<Error>>>>,
) -> Status {
    guard(error, || {
        let (index, drop) = (required(index, "index")?, required(drop, "drop")?);
        drop.write(index.0.call(|core| Ok(core.remove(Slot(slot))))?.into());
        Ok(())
    })
}

/// Pins an entry if `pinned` is not 0, and lets it go if it is. `*known` becomes 1, or 0 if there is no such entry.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_prefix_index_pin(
    index: Option<&PrefixIndex>,
    slot: u64,
    pinned: u8,
    known: Option<&mut MaybeUninit<u8>>,
    error: Option<&mut MaybeUninit<Option<Box<Error>>>>,
) -> Status {
    guard(error, || {
        let (index, known) = (required(index, "index")?, required(known, "known")?);
        known.write(index.0.call(|core| Ok(core.pin(Slot(slot), pinned != 0)))?.into());
        Ok(())
    })
}

/// Appends the tokens of an entry to `out`, each a `uint32_t` in the machine's order: a state is checked against them
/// before it is used or saved. Nothing is appended if there is no such entry.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_prefix_index_tokens(
    index: Option<&PrefixIndex>,
    slot: u64,
    out: Option<NonNull<Buffer>>,
    error: Option<&mut MaybeUninit<Option<Box<Error>>>>,
) -> Status {
    guard(error, || {
        let index = required(index, "index")?;
        append(out, |out| {
            let tokens = index.0.call(|core| Ok(core.tokens(Slot(slot))))?;
            out.extend(tokens.into_iter().flatten().flat_map(u32::to_ne_bytes));
            Ok(())
        })
    })
}

/// Tells where in a prompt a copy of the state is worth keeping, for states that cannot be cut: lengths in tokens,
/// rising, each a `uint64_t` in the machine's order, appended to `out`.
///
/// `breakpoints` are lengths, too: the ends of the system prompt, of the tools and of turns. Those behind the `reused`
/// tokens at which no entry ends yet are given back, and the place where the prompt leaves those before it.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_prefix_index_checkpoints(
    index: Option<&PrefixIndex>,
    scope: Bytes,
    tokens: Tokens,
    breakpoints: Tokens,
    reused: u64,
    out: Option<NonNull<Buffer>>,
    error: Option<&mut MaybeUninit<Option<Box<Error>>>>,
) -> Status {
    guard(error, || {
        let index = required(index, "index")?;
        let (scope, tokens) = (scope.text("scope")?, tokens.get("tokens")?);
        let breakpoints: Vec<usize> = breakpoints.get("breakpoints")?.iter().map(|&length| length as usize).collect();
        let reused = usize::try_from(reused).unwrap_or(usize::MAX);
        append(out, |out| {
            let lengths = index.0.call(|core| Ok(core.checkpoints(scope, tokens, &breakpoints, reused)))?;
            out.extend(lengths.into_iter().flat_map(|length| (length as u64).to_ne_bytes()));
            Ok(())
        })
    })
}

/// Sets another budget. The slots to drop are appended to `dropped` as by `anyclaude_prefix_index_insert`.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_prefix_index_set_max_bytes(
    index: Option<&PrefixIndex>,
    max_bytes: u64,
    dropped: Option<NonNull<Buffer>>,
    error: Option<&mut MaybeUninit<Option<Box<Error>>>>,
) -> Status {
    guard(error, || {
        let index = required(index, "index")?;
        append(dropped, |out| {
            write_slots(out, &index.0.call(|core| Ok(core.set_max_bytes(max_bytes)))?);
            Ok(())
        })
    })
}

/// Frees the least recently used states until `bytes` bytes are free, pinned ones at last. The slots to drop are
/// appended to `dropped` as by `anyclaude_prefix_index_insert`.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_prefix_index_shrink(
    index: Option<&PrefixIndex>,
    bytes: u64,
    dropped: Option<NonNull<Buffer>>,
    error: Option<&mut MaybeUninit<Option<Box<Error>>>>,
) -> Status {
    guard(error, || {
        let index = required(index, "index")?;
        append(dropped, |out| {
            write_slots(out, &index.0.call(|core| Ok(core.free(bytes)))?);
            Ok(())
        })
    })
}

/// Appends counters since the start, and what is held now, to `out`: a JSON object.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_prefix_index_stats(
    index: Option<&PrefixIndex>,
    out: Option<NonNull<Buffer>>,
    error: Option<&mut MaybeUninit<Option<Box<Error>>>>,
) -> Status {
    guard(error, || {
        let index = required(index, "index")?;
        append_text(out, || index.0.call(|core| Ok(core.stats().to_json())))
    })
}

/// Frees an index, once no thread uses it any more. NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_prefix_index_free(index: Option<Box<PrefixIndex>>) {
    free(index);
}

fn write_slots(out: &mut Vec<u8>, slots: &[Slot]) {
    out.extend(slots.iter().flat_map(|Slot(slot)| slot.to_ne_bytes()));
}
