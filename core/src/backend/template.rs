//! What a model's chat template shows: the format of its calls, and what it does with thinking.
//!
//! Templates are programs in Jinja or Go, and are not run here: what they write stands in them as it is, and that is
//! looked for, the most telling first.

use super::Model;

/// Templates that hold all of these write calls in this format.
const SIGNS: &[(&[&str], &str)] = &[
    (&["]<]minimax[>["], "minimax_m3"),
    (&["<minimax:tool_call>"], "minimax_m2"),
    (&["GCML"], "gigachat35"),
    (&["｜DSML｜"], "dsml"),
    (&["<start_function_call>"], "functiongemma"),
    (&["<|tool_call>", "<|\"|>"], "gemma4"),
    (&["<longcat_tool_call>"], "longcat"),
    (&["<ifm|tool_call"], "k2_horizon"),
    (&["<seed:tool_call>"], "seed_oss"),
    (&["<param name="], "minicpm5"),
    (&["<tool_sep"], "hunyuan_v3"),
    (&["<arg_key>"], "glm45"),
    (&["<dots_function_call>"], "dots"),
    (&["<atem:"], "atem"),
    (&["steptml:"], "step3"),
    (&["<use_mcp_tool>"], "miro_mcp"),
    (&["<|content_invoke_tool_json|>"], "inkling"),
    (&["<|plamo:begin_tool_request"], "plamo3"),
    (&["<|tool_call:begin|>"], "solar_open"),
    (&["<|open|>", "<|sep|>"], "kimi_k3"),
    (&["<|tool_calls_section_begin|>"], "kimi_k2"),
    (&["<｜tool▁calls▁begin｜>", "```json"], "deepseek_v3"),
    (&["<｜tool▁calls▁begin｜>"], "deepseek_v31"),
    (&["[TOOL_CALLS]"], "mistral"),
    (&["<|START_ACTION|>"], "command_r7b"),
    (&["directly_answer"], "command_r"),
    (&["directly-answer"], "command_r"),
    (&["<TOOLCALL>"], "nemotron_json"),
    (&["<|tools_prefix|>"], "apertus"),
    (&["<|action_start|>"], "internlm"),
    (&["<|function_call|>"], "gigachat3"),
    (&["function call", "<|role_sep|>"], "gigachat3"),
    (&["<function=", "<parameter="], "qwen3_coder"),
    (&["<function="], "functionary_v31"),
    (&[">>>", "recipient"], "functionary_v32"),
    (&[">>>all"], "functionary_v32"),
    (&["<|tool_call_start|>"], "lfm2"),
    (&["<function_calls>"], "olmo3"),
    (&["functools["], "functools"),
    (&["<|/tool_call|>"], "phi4"),
    (&["<|tool_call|>"], "granite"),
    (&["<function_call>"], "granite_fc"),
    (&["<|channel|>", "<|message|>"], "harmony"),
    (&["<|python_start|>"], "pythonic"),
    (&["<tool_calls>", "[BEGIN FINAL RESPONSE]"], "apriel"),
    (&["<tool_calls>"], "hunyuan_a13b"),
    (&["<tool_call>"], "hermes"),
    (&["<|python_tag|>"], "llama3_json"),
    (&["\"parameters\":", "<|eot_id|>"], "llama3_json"),
];

/// Ends of thinking.
const CLOSERS: [&str; 4] = ["</think>", "[/THINK]", "</seed:think>", "</mm:think>"];

impl Model {
    /// Adds what a chat template shows.
    pub(super) fn read_template(&mut self, template: &str) {
        let holds = |sign: &&str| template.contains(*sign);
        let found = SIGNS.iter().find(|(signs, _)| signs.iter().all(&holds));
        self.tool_format = found.map(|(_, name)| *name).or(self.tool_format);
        let has_field = template.contains("reasoning_content") || template.contains(".Thinking");
        if has_field || CLOSERS.iter().any(&holds) {
            self.thinking_field = Some(has_field);
        }
    }
}

/// Whether the prompts of a template end in the marker that opens thinking: behind the question for the model's turn
/// it opens more thoughts than it ends.
pub(super) fn opens_thinking(template: &str) -> bool {
    let Some((_, turn)) = template.rsplit_once("add_generation_prompt") else { return false };
    turn.matches("<think>").count() > turn.matches("</think>").count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_name_formats() {
        for (signs, name) in SIGNS {
            assert!(crate::toolcall::by_name(name).is_some(), "{name}");
            let mut model = Model::default();
            model.read_template(&signs.join(" "));
            assert_eq!(model.tool_format, Some(*name), "a sign before hides {signs:?}");
        }
    }

    #[test]
    fn templates_tell_of_thinking() {
        let told = |template: &str| {
            let mut model = Model::default();
            model.read_template(template);
            model.thinking_field
        };
        assert_eq!(told("{{ message.reasoning_content }}</think>"), Some(true));
        assert_eq!(told("{{ content.split('</think>')[-1] }}"), Some(false));
        assert_eq!(told("{{ content }}"), None);
        let qwen3 = "{% if add_generation_prompt %}a{% if not enable_thinking %}<think></think>{% endif %}{% endif %}";
        assert!(!opens_thinking(qwen3));
        assert!(opens_thinking(&qwen3.replace("{% endif %}{% endif %}", "{% else %}<think>{% endif %}{% endif %}")));
        assert!(!opens_thinking("<think>{{ x }}"));
    }
}
