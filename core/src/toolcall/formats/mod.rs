//! All formats. One is added with its file and a line here.

mod apertus;
mod apriel;
mod atem;
mod command_r;
mod command_r7b;
mod deepseek_v3;
mod deepseek_v31;
mod dots;
mod dsml;
mod ernie45;
mod functionary_v31;
mod functionary_v32;
mod functiongemma;
mod functools;
mod gemma4;
mod gigachat3;
mod gigachat35;
mod glm45;
mod glm47;
mod granite;
mod granite_fc;
mod harmony;
mod hermes;
mod hunyuan_a13b;
mod hunyuan_v3;
mod inkling;
mod internlm;
mod jamba;
mod k2_horizon;
mod kimi_k2;
mod kimi_k3;
mod lfm2;
mod llama3_json;
mod longcat;
mod minicpm5;
mod minimax_m2;
mod minimax_m3;
mod miro_mcp;
mod mistral;
mod nemotron_json;
mod olmo3;
mod phi4;
mod plamo3;
mod pythonic;
mod qwen3_coder;
mod qwen_bracket;
mod seed_oss;
mod solar_open;
mod step3;
mod xlam;

use super::format::{Begins, Format, Mark, Reads};
use super::payload::{CallRules, JsonSpec, PythonSpec};
use crate::{Error, ErrorKind};

/// The formats, in the order in which they are asked what a marker means.
pub(super) const ALL: &[&Format] = &[
    &hermes::FORMAT,
    &ernie45::FORMAT,
    &nemotron_json::FORMAT,
    &jamba::FORMAT,
    &apriel::FORMAT,
    &hunyuan_a13b::FORMAT,
    &granite::FORMAT,
    &granite_fc::FORMAT,
    &functools::FORMAT,
    &phi4::FORMAT,
    &internlm::FORMAT,
    &apertus::FORMAT,
    &command_r7b::FORMAT,
    &command_r::FORMAT,
    &gigachat3::FORMAT,
    &inkling::FORMAT,
    &functionary_v31::FORMAT,
    &functionary_v32::FORMAT,
    &qwen_bracket::FORMAT,
    &miro_mcp::FORMAT,
    &mistral::FORMAT,
    &llama3_json::FORMAT,
    &xlam::FORMAT,
    &pythonic::FORMAT,
    &lfm2::FORMAT,
    &olmo3::FORMAT,
    &qwen3_coder::FORMAT,
    &seed_oss::FORMAT,
    &glm45::FORMAT,
    &glm47::FORMAT,
    &longcat::FORMAT,
    &hunyuan_v3::FORMAT,
    &k2_horizon::FORMAT,
    &minimax_m2::FORMAT,
    &dots::FORMAT,
    &minicpm5::FORMAT,
    &atem::FORMAT,
    &step3::FORMAT,
    &dsml::FORMAT,
    &gigachat35::FORMAT,
    &kimi_k3::FORMAT,
    &deepseek_v3::FORMAT,
    &deepseek_v31::FORMAT,
    &kimi_k2::FORMAT,
    &plamo3::FORMAT,
    &gemma4::FORMAT,
    &functiongemma::FORMAT,
    &harmony::FORMAT,
    &solar_open::FORMAT,
    &minimax_m3::FORMAT,
];

/// What an answer of an unknown model may be, as a whole, without a marker.
pub(super) const WHOLE: [&Mark; 2] = [&WHOLE_JSON, &WHOLE_PYTHON];

const WHOLE_JSON: Mark = Mark::new(
    "",
    Begins::Json("{["),
    Reads::WholeJson(JsonSpec {
        rules: CallRules { declared: true, ..CallRules::NONE },
        repeats: true,
        ..JsonSpec::NONE
    }),
);

const WHOLE_PYTHON: Mark =
    Mark::new("", Begins::Python, Reads::WholePython(PythonSpec { close: &[], brackets: true, declared: true }));

/// All formats.
pub fn formats() -> impl Iterator<Item = &'static Format> {
    ALL.iter().copied()
}

/// The format of this name.
pub fn by_name(name: &str) -> Option<&'static Format> {
    formats().find(|format| format.name == name)
}

/// A name that is none of these words.
pub(super) fn unknown(what: &str, name: &str, words: impl Iterator<Item = &'static str>) -> Error {
    let known: Vec<&str> = words.collect();
    Error::new(ErrorKind::Config, format!("{what}: {name:?} is not known; choose one of {}", known.join(", ")))
}

/// The formats that a model of this name writes: those with the longest pattern that fits, then the leftmost.
/// None for a name that says nothing.
pub fn for_model(name: &str) -> Vec<&'static Format> {
    let name = name.to_lowercase();
    let mut best: (usize, std::cmp::Reverse<usize>) = (0, std::cmp::Reverse(0));
    let mut found = Vec::new();
    for format in formats() {
        let fits =
            format.models.iter().filter_map(|pattern| Some((pattern.len(), std::cmp::Reverse(place(&name, pattern)?))));
        let Some(fit) = fits.max() else { continue };
        if fit > best {
            (best, found) = (fit, Vec::new());
        }
        if fit == best {
            found.push(format);
        }
    }
    // Llama writes its custom tools in tags, too.
    if found.iter().any(|format| format.name == "llama3_json") {
        found.push(&functionary_v31::FORMAT);
    }
    found
}

/// Where a pattern begins to fit: at the start, or behind a separator.
fn place(name: &str, pattern: &str) -> Option<usize> {
    let starts = std::iter::once(0).chain(name.match_indices(['/', '-', '_', ' ']).map(|(at, _)| at + 1));
    let mut starts = starts.filter(|at| name.get(*at..).is_some_and(|rest| fits(rest, pattern)));
    starts.next()
}

/// Whether a pattern fits; `*` stands for anything.
fn fits(text: &str, pattern: &str) -> bool {
    match pattern.split_once('*') {
        None => text == pattern,
        Some((head, tail)) => text.strip_prefix(head).is_some_and(|rest| {
            tail.is_empty()
                || rest
                    .char_indices()
                    .map(|(at, _)| at)
                    .chain([rest.len()])
                    .any(|at| rest.get(at..).is_some_and(|rest| fits(rest, tail)))
        }),
    }
}
