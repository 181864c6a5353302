"""A tiny but real qwen2-architecture chat model that answers by rule, for mlx-lm and for llama.cpp.

The weights are built by hand, not trained. At any temperature up to 1 the model answers:

    no tools in the request            -> TEXT
    tools, last message no tool result -> <tool_call>TOOL_CALL</tool_call>
    last message is a tool result      -> TEXT

Two attention heads decide, so a prompt that was cut, or whose KV cache was reused wrongly, tends to give a
visibly wrong answer; the cost of a prefill is that of a trained model of this size.

Run as `python -m tiny_model DIR [--gguf FILE] [--text TEXT]`.
"""

TEXT = "Hello! This answer comes from a tiny real model, run by a real backend."

# llama.cpp constrains a call to the schema of the request's tool: keep to properties that Bash has.
TOOL_CALL = '{"name": "Bash", "arguments": {"command": "echo anyclaude"}}'
