"""`anyclaude bench prefix` on real servers: what it measures is there, and agrees with the servers' own figures."""

import json
import subprocess
import sys

import pytest

from support.process import CACHE, ROOT, clean_env
from support.proxy import anyclaude, binary
from support.real import RealBackend

# Some 30 prompts of 2500 tokens and more, most of them read in part only.
pytestmark = pytest.mark.timeout(300)

CASES = [
    "cold", "same request", "other last message", "next turn", "first subagent", "main again after a subagent",
    "second subagent of a kind", "main, subagent and titles in turns", "new session", "tools in another order",
    "keys and forms", "a tool was added",
]
TOKENS = 2500


@pytest.fixture(scope="module", params=["mlx-lm", "llama.cpp"])
def real(request, tmp_path_factory):
    server = RealBackend(request.param, tmp_path_factory.mktemp("real") / "server.log")
    yield server
    server.stop()


def test_figures(real, tmp_path):
    done = anyclaude("bench", "prefix", "--backend", real.kind, "--backend-url", real.url, "--rounds", "1",
                     "--tokens", str(TOKENS), "--json", cwd=tmp_path, timeout=280)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["backend"]["kind"] == real.kind

    cases = {case["case"]: case for case in report["cases"]}
    assert list(cases) == CASES
    [only_round] = report["rounds"]
    assert [case["case"] for case in only_round] == CASES
    for case in cases.values():
        # The tiny model's tokenizer knows few words, so that its tokens are shorter than most.
        assert 0.5 * TOKENS < case["prompt_tokens"] < 2.5 * TOKENS, case
        assert case["seconds"] > 0 and case["ratio"] > 0, case

    def reused(name: str) -> float:
        return cases[name]["reused_tokens"] / cases[name]["prompt_tokens"]

    assert cases["cold"]["ratio"] == 1 and reused("cold") < 0.1, cases["cold"]
    assert reused("same request") > 0.8, cases["same request"]
    assert reused("next turn") > 0.8, cases["next turn"]
    # By the server's counters, which other work on the machine does not disturb.
    for name in ("other last message", "main again after a subagent", "second subagent of a kind",
                 "main, subagent and titles in turns", "new session", "tools in another order", "keys and forms"):
        assert reused(name) > 0.8, cases[name]
    # The system prompt and the old tools; the new tool and the dialogue behind it are read.
    assert reused("a tool was added") > 0.5, cases["a tool was added"]
    assert cases["next turn"]["prompt_tokens"] > cases["cold"]["prompt_tokens"]

    goals = {goal["case"]: goal for goal in report["goals"]}
    assert set(goals) == {*CASES[5:11]}
    for goal in goals.values():
        share = goal["ratio"] / cases["next turn"]["ratio"]
        assert abs(goal["share"] - share) < 0.01 and (share >= 0.8 or not goal["pass"]), goal


def test_the_cache_inside_of_a_server_beside_the_servers_own(tmp_path):
    """`make bench-kv`, on few tokens: every row of both is there, and what is reused is what must be."""
    python = CACHE / "venv/vllm-mlx/bin/python"
    command = [
        sys.executable, str(ROOT / "tests/bench/kv.py"), "--server", "vllm-mlx-batching", "--tokens", "2000",
        "--model", str(CACHE / "model" / "tiny"), "--python", str(python), "--anyclaude", str(binary()),
        "--flags", "--offline --prefill-step-size 512", "--json", str(tmp_path / "figures.json"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, env=clean_env())
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "figures.json").read_text())
    restart = "new session after a restart"
    for side in ("alone", "with"):
        assert list(report[side]) == [*CASES, restart]
        assert all(case["seconds"] > 0 and case["ratio"] > 0 for case in report[side].values())
    reused = {case: row["reused"] for case, row in report["with"].items()}
    assert all(reused[case] > 0.8 for case in (*CASES[1:4], *CASES[5:11], restart)), reused
    assert reused["cold"] < 0.1 and reused["same request"] > 0.99, reused
    assert "goals met" in done.stdout and all(case in done.stdout for case in CASES)
