"""The prefix index through the wheel; against a naive model it is tested in Rust."""

from __future__ import annotations

import array
import itertools
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import anyclaude


def test_how_states_fit() -> None:
    index = anyclaude.PrefixIndex(max_bytes=1000)
    slot = index.insert([1, 2, 3, 4], bytes=10)["slot"]
    for prompt, found, reused in (
        ([1, 2, 3, 4], "exact", 4),
        ([1, 2, 3, 4, 5], "shorter", 4),
        ([1, 2], "longer", 2),
        ([1, 2, 9], "branch", 2),
    ):
        assert index.lookup(prompt) == {"slot": slot, "found": found, "reused": reused, "tokens": 4}
        assert not index.release(slot or 0)
    before = index.stats()
    assert index.peek([1, 2, 9]) == {"slot": slot, "found": "branch", "reused": 2, "tokens": 4}
    assert index.peek([2]) is None and index.stats() == before
    assert index.lookup([2]) is None
    assert index.lookup([1, 2], scope="another model") is None
    assert index.tokens(slot or 0) == [1, 2, 3, 4]
    stats = index.stats()
    assert (stats["lookups"], stats["hits"], stats["reused_tokens"], len(index)) == (6, 4, 12, 1)


def test_states_that_cannot_be_cut() -> None:
    index = anyclaude.PrefixIndex(1000)
    index.insert([1, 2, 3, 4], 10, trimmable=False)
    assert index.lookup([1, 2, 9]) is None
    assert index.checkpoints([1, 2, 9, 9], [3]) == [2, 3]
    index.insert([1, 2], 10, trimmable=False)
    match = index.lookup([1, 2, 9])
    assert match and (match["found"], match["reused"]) == ("shorter", 2)


def test_the_budget_and_what_is_in_use() -> None:
    index = anyclaude.PrefixIndex(30)
    slots = [index.insert([number], 10)["slot"] for number in range(3)]
    assert index.lookup([0])
    assert index.pin(slots[1] or 0)
    assert index.insert([7], 20) == {"slot": None, "dropped": []}
    assert index.remove(slots[0] or 0) is False
    assert index.stats()["bytes"] == 30 and index.stats()["in_use"] == 1
    assert index.release(slots[0] or 0) is True
    assert index.stats()["bytes"] == 20
    assert index.free(10) == [slots[2]]
    assert index.set_max_bytes(5) == [slots[1]]
    assert index.insert([1], 6)["slot"] is None


@pytest.mark.parametrize("tokens", [(1, 2), array.array("I", [1, 2]), range(1, 3), iter([1, 2])])
def test_any_sequence_of_ids(tokens: object) -> None:
    index = anyclaude.PrefixIndex(100)
    slot = index.insert(tokens, 1)["slot"]  # type: ignore[arg-type]
    assert index.tokens(slot or 0) == [1, 2]


def test_what_are_no_tokens() -> None:
    index = anyclaude.PrefixIndex(100)
    for tokens in ([-1], [1 << 32], ["x"], [1.5], [None]):
        with pytest.raises(ValueError, match=r"tokens\[0\]: .* is no token id"):
            index.insert(tokens, 1)  # type: ignore[arg-type]
    for text in (b"x", bytearray(b"x"), "x"):
        with pytest.raises(TypeError, match="expected a sequence of token ids"):
            index.lookup(text)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        index.lookup(7)  # type: ignore[arg-type]
    with pytest.raises(OverflowError):
        anyclaude.PrefixIndex(-1)


class Boastful(list[int]):
    def __len__(self) -> int:
        return 1 << 62


def test_lengths_that_are_not_to_be_trusted() -> None:
    index = anyclaude.PrefixIndex(100)
    slot = index.insert(Boastful([1, 2]), 1)["slot"]
    assert index.tokens(slot or 0) == [1, 2]
    with pytest.raises(ValueError, match="tokens: more than 67108864"):
        index.lookup(itertools.repeat(1))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.lists(st.integers(0, 2), min_size=1, max_size=6), st.integers(0, 9)), max_size=30))
def test_slots_that_are_kept_are_those_that_can_be_found(entries: list[tuple[list[int], int]]) -> None:
    index = anyclaude.PrefixIndex(20)
    held: dict[int, list[int]] = {}
    for tokens, size in entries:
        inserted = index.insert(tokens, size)
        if inserted["slot"] is not None:
            held[inserted["slot"]] = tokens
        for slot in inserted["dropped"]:
            del held[slot]
        assert len(index) == len(held) and index.stats()["bytes"] <= 20
    for slot, tokens in held.items():
        assert index.tokens(slot) == tokens
        match = index.lookup(tokens)
        assert match and match["reused"] == len(tokens)


def test_threads() -> None:
    index = anyclaude.PrefixIndex(50)
    failures: list[BaseException] = []

    def work(first: int) -> None:
        try:
            for number in range(2000):
                prompt = [1, 2, 3, first, number % 7]
                if match := index.lookup(prompt):
                    index.release(match["slot"])
                index.insert(prompt, 3, pinned=number % 50 == 0)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == [] and index.stats()["in_use"] == 0
