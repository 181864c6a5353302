"""The agent SDK for Python, which drives a Claude Code of its own through this proxy."""

import os

import anyio
import claude_agent_sdk as sdk
import pytest

from support.claude import LATEST
from support.history import sent
from support.process import CACHE, FOREIGN
from support.replies import Answer


@pytest.fixture
def query(claude, monkeypatch):
    """Ask, and collect the messages. The SDK lets its child inherit our environment: nothing foreign in it, please."""
    for name in [name for name in os.environ if name.startswith(FOREIGN)]:
        monkeypatch.delenv(name)

    def ask(prompt: str, **options) -> list:
        async def collect():
            chosen = sdk.ClaudeAgentOptions(
                cli_path=CACHE / "claude" / LATEST / "claude", cwd=claude.project, env=claude.env(), **options)
            with anyio.fail_after(60):
                return [message async for message in sdk.query(prompt=prompt, options=chosen)]

        return anyio.run(collect)

    return ask


def blocks(messages: list, kind: type) -> list:
    contents = [message.content for message in messages if isinstance(message, sdk.AssistantMessage | sdk.UserMessage)]
    return [block for content in contents if isinstance(content, list) for block in content if isinstance(block, kind)]


def test_a_tool_of_claude_code(backend, query):
    backend.script(Answer("I look.", thinking="Hm.", tools=[("Bash", {"command": "echo grüß"})]), Answer("Done."))
    messages = query("Go.", allowed_tools=["Bash"])
    result = messages[-1]
    assert isinstance(result, sdk.ResultMessage) and not result.is_error and result.result == "Done."
    assert [block.text for block in blocks(messages, sdk.TextBlock)] == ["I look.", "Done."]
    [call] = blocks(messages, sdk.ToolUseBlock)
    assert call.name == "Bash" and call.input["command"] == "echo grüß"
    assert sent(backend.exchanges[1], "tool") == ["grüß"]


def test_a_tool_of_the_program(backend, query):
    """The SDK's own MCP server, in this process."""
    asked = []

    @sdk.tool("weather", "The weather of a city.", {"city": str})
    async def weather(arguments):
        asked.append(arguments["city"])
        return {"content": [{"type": "text", "text": "sunny"}]}

    server = sdk.create_sdk_mcp_server("sky", tools=[weather])
    backend.script(Answer(tools=[("mcp__sky__weather", {"city": "Ulm"})]), Answer("Sunny."))
    messages = query("Go.", mcp_servers={"sky": server}, allowed_tools=["mcp__sky__weather"])
    assert messages[-1].result == "Sunny." and asked == ["Ulm"]
    assert sent(backend.exchanges[1], "tool") == ["sunny"]


def test_partial_messages(backend, query):
    """What a program shows while the answer still comes."""
    backend.script(Answer("Three small words"))
    messages = query("Go.", include_partial_messages=True)
    events = [message.event for message in messages if isinstance(message, sdk.StreamEvent)]
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    assert "".join(delta.get("text", "") for delta in deltas) == "Three small words"
