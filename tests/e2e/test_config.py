"""Settings from files, variables and flags, and what is said about wrong ones; `doctor` on a healthy and an ill setup."""

import json

import pytest

from support import messages
from support.proxy import Proxy, anyclaude
from support.replies import Answer

FILES = [".anyclauderc.json", ".anyclauderc.toml", "config/anyclaude/config.json", "config/anyclaude/config.toml"]


def write(path, **settings) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".json":
        path.write_text(json.dumps(settings))
    else:
        path.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items()))


def shown(done) -> dict[str, tuple]:
    assert done.returncode == 0, done
    return {entry["key"]: (entry["value"], entry["source"]) for entry in json.loads(done.stdout)}


@pytest.mark.parametrize("name", FILES)
def test_files(backend, tmp_path, name):
    """Each place and each format; the proxy really does as it says."""
    backend.script(Answer("Hello."))
    write(tmp_path / name, backend="openai", backend_url=backend.url, model="from-the-file", port=0)
    value, source = shown(anyclaude("config", "show", "--json", cwd=tmp_path))["model"]
    assert value == "from-the-file" and name.split("/")[-1] in source
    done = anyclaude("models", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["backend"]["url"] == backend.url


def test_a_file_of_a_folder_above(tmp_path):
    write(tmp_path / ".anyclauderc.json", model="from-above")
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    assert shown(anyclaude("config", "show", "--json", cwd=below))["model"][0] == "from-above"


def test_the_order(backend, tmp_path):
    """Flag over variable over file over default."""
    write(tmp_path / ".anyclauderc.json", backend="openai", model="file", ping_interval="2s", max_output_tokens=100)
    env = {"ANYCLAUDE_MODEL": "variable", "ANYCLAUDE_PING_INTERVAL": "3s"}
    values = shown(anyclaude("config", "show", "--json", "--model", "flag", cwd=tmp_path, env=env))
    assert (values["model"][0], values["ping_interval"][0], values["max_output_tokens"][0]) == ("flag", "3s", 100)
    assert values["backend"][0] == "openai" and values["tools"] == ("auto", "default")
    assert "ANYCLAUDE_PING_INTERVAL" in values["ping_interval"][1]

    backend.script(Answer("Hello."))
    proxy = Proxy(tmp_path / "proxy.log", backend.url, model="flag", env=env)
    try:
        messages.post(proxy.url, messages.request())
    finally:
        proxy.stop()
    assert backend.exchanges[0].body["model"] == "flag" and backend.exchanges[0].body["max_tokens"] == 100


def test_the_variable_of_the_mode(backend, tmp_path):
    env = {"ANYCLAUDE_MODE": "claude"}
    assert shown(anyclaude("config", "show", "--json", cwd=tmp_path, env=env))["backend"][0] in ("anthropic", "claude")


WRONG = {
    "unknown key": ({"bakend": "openai"}, "backend"),
    "another unknown key": ({"stall_time_out": "2s"}, "stall_timeout"),
    "unknown backend": ({"backend": "lammacpp"}, "llama.cpp"),
    "wrong type": ({"port": "many"}, "port"),
    "duration": ({"stall_timeout": "soon"}, "soon"),
    "zero": ({"stall_timeout": "0s"}, "stall_timeout"),
    "host in a project": ({"host": "0.0.0.0"}, "project"),
    "no URL": ({"backend": "openai", "backend_url": "no url"}, "no url"),
}


@pytest.mark.parametrize("what", WRONG)
@pytest.mark.parametrize("name", FILES[:2])
def test_wrong_settings(tmp_path, what, name):
    """The same words from every command, exit code 2, and the file is named."""
    settings, says = WRONG[what]
    write(tmp_path / name, **settings)
    for command in (["config", "check"], ["serve"]):
        done = anyclaude(*command, cwd=tmp_path, timeout=10)
        assert done.returncode == 2 and says in done.stderr + done.stdout, done
    assert anyclaude("doctor", cwd=tmp_path).returncode in (1, 2), "doctor tells it, too"


@pytest.mark.parametrize("name,text", [
    (".anyclauderc.json", "{"), (".anyclauderc.toml", "= 1"), (".anyclauderc.json", "[]"), (".anyclauderc.json", ""),
])
def test_broken_files(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    done = anyclaude("config", "check", cwd=tmp_path)
    assert done.returncode == 2 and name in done.stderr + done.stdout, done


@pytest.mark.parametrize("variable,value", [
    ("ANYCLAUDE_MODE", "lammacpp"), ("ANYCLAUDE_PORT", "x"), ("ANYCLAUDE_DEBUG", "9"), ("ANYCLAUDE_STALL_TIMEOUT", "soon"),
])
def test_wrong_variables(tmp_path, variable, value):
    done = anyclaude("config", "check", cwd=tmp_path, env={variable: value})
    assert done.returncode == 2 and variable in done.stderr + done.stdout, done


def test_schema(tmp_path):
    """For editors: it knows every key that the program knows."""
    schema = json.loads(anyclaude("config", "schema", cwd=tmp_path).stdout)
    keys = set(shown(anyclaude("config", "show", "--json", cwd=tmp_path)))
    assert {key for key in schema["properties"] if not key.startswith("$")} == keys
    assert {"backend", "api_key", "stall_timeout", "trace_max_age", "proxy_only"} <= keys


def test_keys_are_not_shown(tmp_path):
    env = {"ANYCLAUDE_API_KEY": "planted-key", "ANYCLAUDE_INBOUND_TOKEN": "planted-token"}
    for arguments in (["config", "show"], ["config", "show", "--json"], ["config", "check"]):
        done = anyclaude(*arguments, cwd=tmp_path, env=env)
        assert done.returncode == 0 and "planted" not in done.stdout + done.stderr


def test_lists(tmp_path):
    """Repeated, comma separated, or both; in a file a list. Who may talk to the proxy is the user's own to say."""
    flags = ["--allowed-hosts", "a.test,b.test", "--allowed-hosts", "c.test"]
    values = shown(anyclaude("config", "show", "--json", *flags, cwd=tmp_path))
    assert values["allowed_hosts"][0] == ["a.test", "b.test", "c.test"]
    write(tmp_path / ".anyclauderc.json", allowed_hosts=["d.test"])
    done = anyclaude("config", "check", cwd=tmp_path)
    assert done.returncode == 2 and "allowed_hosts" in done.stderr
    (tmp_path / ".anyclauderc.json").unlink()
    (tmp_path / "config" / "anyclaude").mkdir(parents=True)
    write(tmp_path / "config" / "anyclaude" / "config.json", allowed_hosts=["d.test"])
    assert shown(anyclaude("config", "show", "--json", cwd=tmp_path))["allowed_hosts"][0] == ["d.test"]


# ---- doctor


def test_doctor_on_a_healthy_setup(backend, tmp_path):
    done = anyclaude("doctor", "--backend", "openai", "--backend-url", backend.url, "--json", cwd=tmp_path)
    report = json.loads(done.stdout)
    assert done.returncode == 0 and report["ok"] is True, report
    assert not [finding for finding in report["findings"] if finding["state"] == "wrong"]
    assert [model["id"] for model in report["models"]] == ["scripted"]


def test_doctor_live(backend, tmp_path):
    backend.script(lambda *_: Answer("Hello."))
    done = anyclaude("doctor", "--backend", "openai", "--backend-url", backend.url, "--live", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["live"] and backend.exchanges


def test_doctor_finds_nobody_there(tmp_path):
    done = anyclaude("doctor", "--backend", "openai", "--backend-url", "http://127.0.0.1:1/v1", "--json", cwd=tmp_path)
    report = json.loads(done.stdout)
    assert done.returncode == 1 and report["ok"] is False
    [wrong] = [finding for finding in report["findings"] if finding["state"] == "wrong"]
    assert "127.0.0.1:1" in json.dumps(wrong) and wrong["fix"]


def test_doctor_sees_running_proxies(backend, proxy, tmp_path):
    done = anyclaude("doctor", "--backend", "openai", "--backend-url", backend.url, "--json", cwd=tmp_path)
    assert proxy.url in json.dumps(json.loads(done.stdout)["running"])
