"""Tool calls as families of open models write them.

Each format is written from its model's own chat template, not from what the program under test says of it.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass

Call = tuple[str, dict]


@dataclass(frozen=True)
class Family:
    """`before`: words may stand ahead of a call. `text` wraps what is said to the user."""

    model: str
    render: Callable[[list[Call]], str]
    before: bool = True
    text: Callable[[str], str] = str

    def write(self, words: str, calls: list[Call]) -> str:
        if not calls:
            return self.text(words)
        return (self.text(words) + "\n\n" if words and self.before else "") + self.render(calls)

    def says(self, words: str, calls: list[Call]) -> str:
        """What the user sees of it."""
        return words if self.before or not calls else ""


def plain(value) -> str:
    """Strings as they are, all else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def dump(value) -> str:
    return json.dumps(value, ensure_ascii=False)


def each(form: Callable[[str, dict], str], open: str = "", close: str = "", gap: str = "\n"):
    return lambda calls: open + gap.join(form(*call) for call in calls) + close


def listed(open: str, close: str, key: str = "arguments"):
    return lambda calls: open + dump([{"name": name, key: given} for name, given in calls]) + close


def hermes(name, given):
    return f'<tool_call>\n{dump({"name": name, "arguments": given})}\n</tool_call>'


def qwen_xml(name, given):
    body = "".join(f"<parameter={key}>\n{plain(value)}\n</parameter>\n" for key, value in given.items())
    return f"<tool_call>\n<function={name}>\n{body}</function>\n</tool_call>"


def glm(gap):
    def form(name, given):
        pairs = [f"<arg_key>{key}</arg_key>{gap}<arg_value>{plain(value)}</arg_value>{gap}"
                 for key, value in given.items()]
        return f"<tool_call>{name}{gap}{''.join(pairs)}</tool_call>"
    return form


def minimax(name, given):
    body = "".join(f'<parameter name="{key}">{plain(value)}</parameter>\n' for key, value in given.items())
    return f'<invoke name="{name}">\n{body}</invoke>'


def dsml(name, given):
    body = "".join(f'<｜DSML｜parameter name="{key}" string="{str(isinstance(value, str)).lower()}">{plain(value)}'
                   "</｜DSML｜parameter>\n" for key, value in given.items())
    return f'<｜DSML｜invoke name="{name}">\n{body}</｜DSML｜invoke>'


def kimi(calls):
    forms = (f"<|tool_call_begin|>functions.{name}:{index}<|tool_call_argument_begin|>{dump(given)}<|tool_call_end|>"
             for index, (name, given) in enumerate(calls))
    return f"<|tool_calls_section_begin|>{''.join(forms)}<|tool_calls_section_end|>"


def harmony(name, given):
    return f"<|channel|>commentary to=functions.{name} <|constrain|>json<|message|>{dump(given)}<|call|>"


def pythonic(calls):
    forms = (f"{name}({', '.join(f'{key}={value!r}' for key, value in given.items())})" for name, given in calls)
    return f"[{', '.join(forms)}]"


def gemma(name, given):
    values = (f'{key}:<|"|>{value}<|"|>' if isinstance(value, str) else f"{key}:{dump(value)}"
              for key, value in given.items())
    return f"<|tool_call>call:{name}{{{','.join(values)}}}<tool_call|>"


V31 = "<｜tool▁call▁begin｜>{}<｜tool▁sep｜>{}<｜tool▁call▁end｜>"
V3 = "<｜tool▁call▁begin｜>function<｜tool▁sep｜>{}\n```json\n{}\n```<｜tool▁call▁end｜>"
DEEPSEEK = {"open": "<｜tool▁calls▁begin｜>", "close": "<｜tool▁calls▁end｜>"}
FINAL = "<|channel|>final<|message|>{}"

FAMILIES = {
    "hermes": Family("Qwen/Qwen3-8B", each(hermes)),
    "qwen3_coder": Family("Qwen/Qwen3-Coder-30B-A3B-Instruct", each(qwen_xml)),
    "glm45": Family("zai-org/GLM-4.5-Air", each(glm("\n"))),
    "glm47": Family("zai-org/GLM-4.7-Flash", each(glm(""), gap="")),
    "mistral v11": Family("mistralai/Devstral-Small-2507", each(
        lambda name, given: f"[TOOL_CALLS]{name}[ARGS]{dump(given)}", gap="")),
    "mistral v7": Family("mistralai/Mistral-Small-24B-Instruct-2501", listed("[TOOL_CALLS] ", "")),
    "deepseek_v31": Family("deepseek-ai/DeepSeek-V3.1", each(
        lambda name, given: V31.format(name, dump(given)), gap="", **DEEPSEEK)),
    "deepseek_v3": Family("deepseek-ai/DeepSeek-V3-0324", each(
        lambda name, given: V3.format(name, dump(given)), **DEEPSEEK)),
    "dsml": Family("deepseek-ai/DeepSeek-V3.2", each(
        dsml, open="<｜DSML｜function_calls>\n", close="\n</｜DSML｜function_calls>")),
    "kimi_k2": Family("moonshotai/Kimi-K2-Instruct", kimi),
    "harmony": Family("openai/gpt-oss-20b", each(harmony, gap="<|start|>assistant"), text=FINAL.format, before=False),
    "minimax_m2": Family("MiniMaxAI/MiniMax-M2", each(
        minimax, open="<minimax:tool_call>\n", close="\n</minimax:tool_call>")),
    "llama3_json": Family("meta-llama/Llama-3.1-8B-Instruct", each(
        lambda name, given: dump({"name": name, "parameters": given}), gap="; "), before=False),
    "pythonic": Family("meta-llama/Llama-4-Scout-17B-16E-Instruct", pythonic, before=False),
    "gemma4": Family("google/gemma-4-31b-it", each(gemma, gap="")),
    "lfm2": Family("LiquidAI/LFM2-8B-A1B", lambda calls: f"<|tool_call_start|>{pythonic(calls)}<|tool_call_end|>"),
    "functionary_v31": Family("meetkai/functionary-small-v3.1", each(
        lambda name, given: f"<function={name}>{dump(given)}</function>")),
    "granite": Family("ibm-granite/granite-3.3-8b-instruct", listed("<|tool_call|>", "")),
}
