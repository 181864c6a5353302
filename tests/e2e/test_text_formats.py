"""What looks like a call and is none, and the setting `tool_format`."""

import pytest

from support import messages
from support.claude import Claude
from support.proxy import anyclaude
from support.text_answers import Text, models
from support.text_calls import FAMILIES

LS = ("Bash", {"command": "ls"})
DOCUMENT = """\
# How models call tools

Qwen opens with `<tool_call>` and closes with `</tool_call>`; between them is JSON. Qwen3-Coder writes
`<tool_call>`, then `<function=NAME>` and `<parameter=KEY>`. GLM has <arg_key> and <arg_value>, MiniMax
<minimax:tool_call>, Mistral [TOOL_CALLS] and [ARGS], DeepSeek <｜tool▁calls▁begin｜> & <｜tool▁sep｜>.

| family | marker |
|---|---|
| Kimi | `<|tool_calls_section_begin|>` |
| Granite | <|tool_call|> |
| Gemma 4 | <|tool_call> ... <tool_call|> |
| LFM2 | <|tool_call_start|>[...]<|tool_call_end|> |
| DSML | <｜DSML｜function_calls> |
| Llama | <|python_tag|> |

```xml
<tool_call>...</tool_call>
<tool_call>{"name": ..., "arguments": ...}</tool_call>
<invoke name="N"><parameter name="k">v</parameter></invoke>
<arg_key>k</arg_key>
```

In Python, `[f(x) for x in (1, 2)]` and [f(1)](http://example.org) are none, nor is `functools[0]`, nor
{"name": "Bash", "parameters": {"command": "ls"}}, since it stands in a sentence. Thinking stands in `<think>`.
No: 1 < 2 && 3 > 2, a << b; `<`, <to, <tool, <tool_, <tool_call, and at the very end: <tool_ca"""


@pytest.mark.parametrize("family", [
    "hermes", "qwen3_coder", "glm45", "mistral v11", "deepseek_v31", "kimi_k2", "minimax_m2", "llama3_json", "pythonic",
    "gemma4", "lfm2", "granite",
])
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "json"])
def test_documents_about_formats_pass(backend, start_proxy, family, stream):
    backend.models = models(FAMILIES[family].model)
    backend.script(Text(DOCUMENT))
    reply = messages.post(start_proxy().url, messages.request(tools=[messages.BASH]), stream=stream)
    assert (reply.text, reply.tools, reply.stop_reason) == (DOCUMENT, [], "end_turn")


def test_documents_reach_the_user(backend, start_proxy, tmp_path):
    backend.models = models(FAMILIES["qwen3_coder"].model)
    backend.script(Text(DOCUMENT, escape=True))
    run = Claude(start_proxy().url, tmp_path / "claude").run()
    assert not run.failed and run.text == DOCUMENT and run.calls == [], run


# The channels of gpt-oss are no calls: they are resolved always.
@pytest.mark.parametrize("name", [name for name in FAMILIES if name != "harmony"])
def test_without_tools_there_are_no_calls(backend, start_proxy, name):
    family = FAMILIES[name]
    text = family.write("So:", [LS])
    backend.models = models(family.model)
    backend.script(Text(text))
    assert messages.post(start_proxy().url, messages.request(), stream=True).text == text


@pytest.mark.parametrize("name", FAMILIES)
def test_off(backend, start_proxy, name):
    family = FAMILIES[name]
    text = family.write("So:", [LS])
    backend.models = models(family.model)
    backend.script(Text(f"<think>\nHm.\n</think>\n\n{text}"))
    reply = messages.post(start_proxy(tool_format="off").url, messages.request(tools=[messages.BASH]), stream=True)
    assert reply.text.endswith(text) and reply.tools == []


def test_a_named_format_is_the_only_one(backend, start_proxy):
    proxy = start_proxy(tool_format="qwen3_coder")
    question = messages.request(tools=[messages.BASH])
    texts = {name: FAMILIES[name].write("", [LS]) for name in ("qwen3_coder", "mistral v11", "kimi_k2", "llama3_json")}
    backend.models = models(FAMILIES["mistral v11"].model)
    backend.script(*(Text(text) for text in texts.values()))
    first, *others = (messages.post(proxy.url, question, stream=True) for _ in texts)
    assert first.tools == [LS] and first.text == ""
    assert [(reply.tools, reply.text) for reply in others] == [([], text) for text in list(texts.values())[1:]]


def test_an_unknown_format_is_explained(tmp_path):
    done = anyclaude("serve", "--tool-format", "herms", cwd=tmp_path)
    assert done.returncode not in (0, 101) and done.stdout == ""
    assert "herms" in done.stderr
    assert all(name in done.stderr for name in ("auto", "off", "hermes", "qwen3_coder", "harmony")), done.stderr
