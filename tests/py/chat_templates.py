"""Chat templates of real models: what a model would have written for an answer.

`tests/setup/templates.sh` brings them. A template turns a conversation into the text that the model reads, its own
earlier answers among it; so the text of an answer is what the template adds for it behind the prompt.
"""

from __future__ import annotations

import copy
import datetime
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from types import GeneratorType
from typing import Any

import jinja2
import jinja2.ext
from jinja2.sandbox import SandboxedEnvironment

FOLDER = Path(os.environ.get("ANYCLAUDE_TEST_CACHE", Path(__file__).parents[2] / ".cache")) / "templates"

Message = dict[str, Any]
Tools = list[dict[str, Any]]

# The names of the files have a dash where those of the models have a slash behind the owner.
OWNERS = (
    "ByteDance", "CohereForAI", "HuggingFaceTB", "NousResearch", "Qwen", "deepseek-ai", "fireworks-ai", "google",
    "ibm-granite", "inclusionai", "llama-cpp", "meetkai", "meta-llama", "microsoft", "mistralai", "moonshotai",
    "openai", "openbmb", "poolside", "tencent", "unsloth", "upstage",
)  # fmt: skip

# What ends a turn: backends stop there and do not pass it on.
ENDS = (
    "<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|end_of_text|>", "<|end|>", "<｜end▁of▁sentence｜>", "<end_of_sentence>",
    "<|call|>", "<|calls|>", "<|eos|>", "<|END_OF_TURN_TOKEN|>", "<|message_sep|>", "<|end_of_msg|>", "[e~[", "<|eot|>",
    "<SPECIAL_12>", "<sep>", "<end_of_turn>", "<turn|>", "<|tool_response>", "<|role_end|>", "</assistant>", "<seed:eos>",
    "<｜hy_eos:opensource｜>", "<|close|>message<|sep|>",
)  # fmt: skip
END = re.compile("(?:\\s*(?:" + "|".join(map(re.escape, ENDS)) + "))+\\s*$")

# What some templates add behind the answer: another turn.
NEXT = re.compile(r"\s*(?:<\|START_OF_TURN_TOKEN\|>|<\|start_header_id\|>assistant|<｜Assistant｜>).*", re.DOTALL)

OPEN = (
    r"<think(?::\w+)?>|\[THINK\]|<seed:think>|<mm:think>|<\|START_THINKING\|>|<\|channel>thought|"
    r"Here are my reasoning steps:|<\|open\|>think<\|sep\|>"
)
CLOSE = (
    r"</think(?::\w+)?>|\[/THINK\]|</seed:think>|</mm:think>|<\|END_THINKING\|>|<channel\|>|"
    r"\[BEGIN FINAL RESPONSE\]|<\|close\|>think<\|sep\|>"
)
OPENS = re.compile(f"(?:{OPEN})\\s*$")
# A thought at the end of a prompt, whole or in part, which the template leaves out of an earlier answer.
THOUGHT = re.compile(f"\\s*(?:(?:{OPEN})\\s*(?:{CLOSE})?|(?:{CLOSE}))\\s*$")


class Unrenderable(Exception):
    """The template does not take such a conversation."""


@dataclass
class Written:
    """What a model would have written, and whether its prompt had begun a thought."""

    text: str
    prompt_opens_thinking: bool


class ChatTemplate:
    def __init__(self, path: Path) -> None:
        self.name = path.stem
        self.template = environment().from_string(path.read_text(encoding="utf-8"))

    @property
    def model(self) -> str:
        for owner in OWNERS:
            if self.name.startswith(owner + "-"):
                return f"{owner}/{self.name.removeprefix(owner + '-')}"
        return self.name

    def written(self, conversation: list[Message], answer: Message, tools: Tools, **options: Any) -> Written:
        """What a model would have written to be remembered as `answer`."""
        prompt = self.render(conversation, tools, True, **options)
        whole = self.render([*conversation, answer], tools, False, **options)
        start = self.start(prompt, whole, self.render(conversation, tools, False, **options))
        text = END.sub("", NEXT.sub("", whole[start:]))
        return Written(text, OPENS.search(prompt) is not None and leaves_a_thought(text))

    @staticmethod
    def start(prompt: str, whole: str, asked: str) -> int:
        """Where the answer begins: mostly the prompt is what stands before it."""
        for before in (prompt, THOUGHT.sub("", prompt)):
            if whole.startswith(before):
                return len(before)
        # A prompt may end in words that are not repeated later. The header of an answer is.
        header = prompt.removeprefix(asked)
        common = len(os.path.commonprefix([prompt, whole]))
        at = whole.find(header, max(0, common - len(header)))
        if not header or at < 0:
            raise Unrenderable("the prompt does not begin the conversation that it leads to")
        return at + len(header)

    def render(self, messages: list[Message], tools: Tools, generation: bool, **options: Any) -> str:
        try:
            return self.template.render(
                messages=copy.deepcopy(messages), tools=copy.deepcopy(tools), functions=json.dumps(tools),
                add_generation_prompt=generation, bos_token="<s>", eos_token="<|eos|>", datetime="2026-01-02", **options,
            )
        except (jinja2.TemplateError, TypeError, AttributeError, KeyError, RecursionError) as error:
            raise Unrenderable(str(error)) from error


def leaves_a_thought(text: str) -> bool:
    """Whether a thought ends in here that has not begun in here. Where a template leaves earlier thoughts out, the
    answer is taken from behind the thought."""
    first = re.search(f"({OPEN})|{CLOSE}", text)
    return first is not None and first[1] is None


class Generation(jinja2.ext.Extension):
    """`{% generation %}` marks what the model writes, for training; here it is only its content."""

    tags = {"generation"}

    def parse(self, parser: Any) -> Any:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def environment() -> SandboxedEnvironment:
    """As servers have it."""
    made = SandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", Generation])
    made.filters["tojson"] = tojson
    made.filters["from_json"] = json.loads
    made.globals["raise_exception"] = refuse
    made.globals["strftime_now"] = lambda form: datetime.datetime(2026, 1, 2).strftime(form)
    return made


def tojson(value: Any, ensure_ascii: bool = False, indent: Any = None, separators: Any = None, sort_keys: bool = False) -> str:
    """Without the escapes that jinja2's own makes for HTML."""
    listed = lambda value: list(value) if isinstance(value, GeneratorType) else refuse("not JSON")  # noqa: E731
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys, default=listed
    )


def refuse(message: str) -> Any:
    raise jinja2.TemplateError(message)


def templates() -> list[ChatTemplate]:
    paths = sorted(FOLDER.glob("*.jinja"))
    assert len(paths) >= 70, f"{len(paths)} chat templates in {FOLDER}: run tests/setup/templates.sh"
    return [ChatTemplate(path) for path in paths]
