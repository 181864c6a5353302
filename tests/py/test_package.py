"""The installed package: what an import does, and whether the stub tells the truth."""

import ast
import doctest
import importlib
import json
import os
import pkgutil
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import anyclaude

FOLDER = Path(anyclaude.__file__).parent


def python(*arguments: str, folder: Path | None = None) -> str:
    """Runs another Python."""
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_is_the_wheel_that_is_tested() -> None:
    assert FOLDER.parent.name == "site-packages"
    assert {"_native.pyi", "py.typed"} <= {path.name for path in FOLDER.iterdir()}


def test_the_documentation_runs() -> None:
    attempted = 0
    for module in pkgutil.iter_modules([str(FOLDER)], "anyclaude."):
        # The compiled module's documentation is the stub; `__main__` would run.
        if module.name not in ("anyclaude._native", "anyclaude.__main__"):
            results = doctest.testmod(importlib.import_module(module.name))
            assert results.failed == 0, module.name
            attempted += results.attempted
    assert doctest.testmod(anyclaude).failed == 0
    # The documentation of the compiled module is its stub.
    for node in ast.walk(ast.parse((FOLDER / "_native.pyi").read_text())):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            text = ast.get_docstring(node) or ""
            example = doctest.DocTestParser().get_doctest(text, {"anyclaude": anyclaude}, node.name, None, None)
            results = doctest.DocTestRunner().run(example)
            assert results.failed == 0, node.name
            attempted += results.attempted
    assert attempted >= 2


def test_all_is_all() -> None:
    assert all(hasattr(anyclaude, name) for name in anyclaude.__all__)
    modules = {name for name, value in vars(anyclaude).items() if isinstance(value, ModuleType)}
    public = {name for name in vars(anyclaude) if not name.startswith("_")} - modules
    assert public <= set(anyclaude.__all__)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_an_import_and_a_translation_open_and_start_nothing() -> None:
    code = """
import os
def state():
    fds = {os.path.realpath(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")}
    return len(os.listdir("/proc/self/task")), {fd for fd in fds if "/proc/" not in fd or "socket" in fd or "pipe" in fd}
before = state()
import anyclaude
anyclaude.Translator().request({"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "x"}]})
assert state() == before, (before, state())
"""
    python("-c", code)


def test_an_import_brings_no_network_modules() -> None:
    code = """
import sys
import anyclaude
print(sorted({"socket", "ssl", "asyncio", "http", "urllib.request", "threading"} & set(sys.modules)))
"""
    assert python("-c", code).strip() == "[]"


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
def test_a_child_process_goes_on_where_its_parent_was() -> None:
    code = """
import os, anyclaude
converter = anyclaude.StreamConverter(anyclaude.RequestContext.for_model("m"))
converter.push(b'data: {"choices":[{"delta":{"content":"x"},"finish_reason":"stop"}]}\\n\\n')
child = os.fork()
assert b"message_stop" in converter.finish()
if child == 0:
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""
    python("-W", "error", "-c", code)


@pytest.mark.timeout(300)
def test_the_stub_is_what_the_module_is(tmp_path: Path) -> None:
    python("-m", "mypy.stubtest", "anyclaude", folder=tmp_path)


@pytest.mark.timeout(300)
def test_the_package_is_typed(tmp_path: Path) -> None:
    python("-m", "mypy", "--strict", "-p", "anyclaude", folder=tmp_path)


@pytest.mark.timeout(300)
def test_the_package_and_its_users_pass_pyright_strict(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "anyclaude", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(Path(__file__).with_name("typed_use.py"), tmp_path)
    options = {
        "typeCheckingMode": "strict",
        "pythonVersion": "3.10",
        # A leading underscore means private to the package, and the compiled half is a part of it.
        "reportPrivateUsage": False,
    }
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(options))
    pyright = Path(__file__).parents[2] / ".cache/npm/node_modules/.bin/pyright"
    done = subprocess.run(
        [str(pyright), "--pythonpath", sys.executable], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 errors" in done.stdout
