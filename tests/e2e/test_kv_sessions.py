"""The prefix cache in real servers: what is said with it is what is said without, and most of each prompt is reused."""

import random
import subprocess
import threading

import pytest

from support import messages
from support.claude import Claude
from support.conversation import Conversation
from support.process import CACHE, ROOT, clean_env
from support.real import MODEL, RealBackend

pytestmark = pytest.mark.timeout(400)

# Each with what turns off the cache of the engine itself, as far as it can be.
SERVERS = {
    "mlx-lm": ("mlx-lm embedded", (), ("--prompt-cache-size", "0")),
    "vllm-mlx": ("vllm-mlx embedded", (), ()),
    "vllm-mlx-batching": ("vllm-mlx embedded", ("--continuous-batching",), ("--disable-prefix-cache",)),
}
OFF = ("--anyclaude-cache", "off")
IN_MEMORY = ("--anyclaude-cache-disk", "off")

TURNS = 10
TOKENS = 24
"""Tokens of each answer of babble."""


class Served:
    """A server with and without the cache, one after the other."""

    def __init__(self, name: str, folder, model=MODEL) -> None:
        self._kind, self._flags, self._no_cache = SERVERS[name]
        self._folder, self._model = folder, model

    def run(self, cached: bool, work):
        own = IN_MEMORY if cached else (*OFF, *self._no_cache)
        log = self._folder / ("cached.log" if cached else "plain.log")
        server = RealBackend(self._kind, log, model=self._model, flags=(*self._flags, *own))
        try:
            return work(server.root)
        finally:
            server.stop()


def at_once(*works):
    """Runs functions side by side and gives what they gave."""
    found, failed = {}, []

    def run(number, work) -> None:
        try:
            found[number] = work()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=one) for one in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return [found[number] for number in range(len(works))]


def share(usage: dict) -> float:
    """The part of a prompt that was reused."""
    read = usage["cache_read_input_tokens"]
    return read / (read + usage["input_tokens"] + usage["cache_creation_input_tokens"])


@pytest.mark.parametrize("name", SERVERS)
def test_claude_code(name, tmp_path):
    """Two sessions of ten turns at the same time, a call in each turn."""

    def session(root: str, folder, who: str):
        options = ("--allowedTools", "Bash", "--tools", "Bash,Read", "--system-prompt", "You are a coding agent. " * 60)
        with Conversation(Claude(root, folder / who), *options) as claude:
            return [claude.say(f"{who}, question {number}: run it.") for number in range(TURNS)]

    def sessions(root: str, folder):
        return at_once(*(lambda who=who: session(root, folder, who) for who in ("first", "second")))

    served = Served(name, tmp_path)
    cached = served.run(True, lambda root: sessions(root, tmp_path / "cached"))
    plain = served.run(False, lambda root: sessions(root, tmp_path / "plain"))
    for with_it, without in zip(cached, plain):
        assert [turn.failed for turn in with_it] == [False] * TURNS
        assert [(turn.text, turn.calls) for turn in with_it] == [(turn.text, turn.calls) for turn in without]
        shares = [[share(usage) for usage in turn.usage] for turn in with_it]
        assert all(len(of_turn) == 2 for of_turn in shares)
        print(name, *(f"{min(of_turn):.3f}" for of_turn in shares))
        assert min(min(of_turn) for of_turn in shares[1:]) > 0.95, shares


@pytest.mark.parametrize("kind", ["full", "rotating", "hybrid"])
@pytest.mark.parametrize("name", SERVERS)
def test_babble(name, kind, tmp_path):
    """Two conversations at the same time with a model whose answers depend on every token before them."""
    folder = tmp_path / "model"
    command = [str(CACHE / "venv/mlx/bin/python"), str(ROOT / "tests/kv/small_models.py"), kind, str(folder), str(MODEL)]
    subprocess.run(command, env=clean_env(), check=True)

    def conversation(root: str, seed: int):
        """Questions, one of them asked again and one put otherwise, as a user goes back and forth."""
        words, said, usages = random.Random(seed), [], []
        history: list[dict] = []
        for turn in range(5):
            for asked in ("again", "otherwise", "on") if turn == 2 else ("on",):
                question = " ".join(f"word{words.randrange(999)}" for _ in range(30))
                if asked == "again":
                    question = "the same words " * 9
                message = {"role": "user", "content": question}
                body = messages.request(system="Be brief. " * 80, max_tokens=TOKENS, temperature=0)
                reply = messages.post(root, {**body, "messages": [*history, message]}, stream=turn % 2 == 0)
                said.append((reply.text, reply.stop_reason))
                usages.append(reply.message["usage"])
            history += [message, {"role": "assistant", "content": reply.text or "nothing"}]
        return said, usages

    def both(root: str):
        return at_once(*(lambda seed=seed: conversation(root, seed) for seed in (1, 2)))

    served = Served(name, tmp_path, folder)
    cached, plain = served.run(True, both), served.run(False, both)
    for (with_it, usages), (without, _) in zip(cached, plain):
        assert len({text for text, _ in with_it}) > 5
        assert with_it == without
        print(name, kind, *(f"{share(usage):.2f}" for usage in usages))
        assert all(share(usage) > 0.5 for usage in usages[1:]), usages
