//! Prompts that do not fit, told in the two sentences that Claude Code acts upon.
//!
//! "prompt is too long: A tokens > B maximum" makes it compact the conversation; "input length and
//! `max_tokens` exceed context limit: A + B > C" makes it ask again for a shorter answer. Telling
//! the first when the second is meant costs the user their history, so figures decide, not wording.

use crate::wire::{ApiError, ErrorType, TokenLimit};

use super::body::Said;
use super::figures::{Figures, capture, plain};
use super::too_long_wordings::{OUTPUT_CAPS, WITH_FIGURES, WITHOUT_FIGURES, WORDS};
use super::{BackendFailure, message};

/// The error for a request that is too long, or `None` if the failure is about something else.
pub(super) fn find(failure: &BackendFailure<'_>, said: &Said) -> Option<ApiError> {
    let text = plain(&said.message);
    let counted = first_match(WITH_FIGURES, &text);
    // After the sentences on a sum: some contain one on the answer's length.
    if counted.is_none()
        && let Some(figures) = first_match(OUTPUT_CAPS, &text)
    {
        return Some(output_cap(failure, figures, &said.message));
    }
    let mut figures = counted.or_else(|| named_only(said, &text))?;
    // llama.cpp's fields are exact; the sentence may be older and without figures.
    figures.prompt = said.prompt_tokens.or(figures.prompt);
    figures.window = said.window.or(figures.window);
    Some(decide(failure, figures, &said.message))
}

fn first_match(patterns: &[&str], text: &str) -> Option<Figures> {
    patterns.iter().find_map(|pattern| capture(pattern, text))
}

fn named_only(said: &Said, text: &str) -> Option<Figures> {
    let named =
        WORDS.iter().any(|word| said.has_word(word)) || WITHOUT_FIGURES.iter().any(|words| text.contains(words));
    named.then(Figures::default)
}

fn decide(failure: &BackendFailure<'_>, figures: Figures, sentence: &str) -> ApiError {
    let estimate = failure.estimated_prompt;
    let max_tokens = figures.max_tokens.or(failure.max_tokens);
    let counted = counted_prompt(&figures, max_tokens);
    // A lower bound alone says nothing about the prompt: the bound follows from max_tokens.
    let prompt = counted.unwrap_or_else(|| estimate.max(figures.prompt_at_least.unwrap_or(0)));
    let limit = |prompt| TokenLimit {
        prompt,
        prompt_exact: counted.is_some(),
        max_tokens,
        window: figures.window,
        output_cap: None,
    };
    let Some(window) = figures.window else {
        return too_long_without_window(estimate, &figures, sentence).with_limit(limit(counted));
    };
    let room = window.saturating_sub(prompt);
    // Only a sum that is too large, by the server's figures or by ours, is blamed on max_tokens.
    let sum_is_cause =
        max_tokens.is_some_and(|max| prompt.saturating_add(max) > window) || figures.max_tokens.is_some();
    if prompt > 0 && room >= MIN_ANSWER_ROOM && sum_is_cause {
        return sum_too_large(prompt, max_tokens.unwrap_or(room), window).with_limit(limit(Some(prompt)));
    }
    let maximum =
        if prompt > window || room >= MIN_ANSWER_ROOM { window } else { window.saturating_sub(MIN_ANSWER_ROOM) };
    too_long(prompt.max(maximum.saturating_add(1)), maximum).with_limit(limit(Some(prompt)))
}

/// The server's own count. The sum less the answer is better than the count of the messages alone,
/// which leaves out the tools.
fn counted_prompt(figures: &Figures, max_tokens: Option<u64>) -> Option<u64> {
    match (figures.total, figures.prompt) {
        (Some(total), prompt) => {
            let rest = total.saturating_sub(max_tokens.filter(|max| *max < total).unwrap_or(0));
            Some(rest.max(prompt.unwrap_or(0)))
        }
        (None, prompt) => prompt,
    }
}

fn too_long(prompt: u64, window: u64) -> ApiError {
    ApiError::invalid_request(format!("prompt is too long: {prompt} tokens > {window} maximum"))
}

/// Without any window an invented figure would mislead the client, so the server's words follow.
fn too_long_without_window(estimate: u64, figures: &Figures, sentence: &str) -> ApiError {
    match figures.over {
        Some(over) if over > 0 && over < estimate => too_long(estimate, estimate - over),
        _ if message::is_present(sentence) => {
            ApiError::invalid_request(format!("prompt is too long: the backend said \"{}\"", message::clean(sentence)))
        }
        _ => ApiError::invalid_request("prompt is too long: it does not fit into the backend's context window"),
    }
}

fn sum_too_large(prompt: u64, max_tokens: u64, window: u64) -> ApiError {
    // The sentence must be true even if the server counted a few tokens more than it told.
    let prompt = prompt.max(window.saturating_sub(max_tokens).saturating_add(1));
    ApiError::invalid_request(format!(
        "input length and `max_tokens` exceed context limit: {prompt} + {max_tokens} > {window}, decrease input length or `max_tokens` and try again"
    ))
}

/// The answer's length is limited by itself. Anthropic's own sentence for it.
fn output_cap(failure: &BackendFailure<'_>, figures: Figures, sentence: &str) -> ApiError {
    let asked = figures.max_tokens.or(failure.max_tokens);
    let message = match (asked, figures.output_cap) {
        (Some(asked), Some(cap)) if asked > cap => {
            format!(
                "max_tokens: {asked} > {cap}, which is the maximum allowed number of output tokens for this backend"
            )
        }
        _ => {
            format!("max_tokens is larger than the backend ({}) allows: {}", failure.backend, message::clean(sentence))
        }
    };
    let limit = TokenLimit { max_tokens: asked, output_cap: figures.output_cap, ..TokenLimit::default() };
    ApiError::new(400, ErrorType::InvalidRequest, message).with_limit(limit)
}

/// With less room than this a prompt counts as too long although it fits: asking for a shorter
/// answer would only bring one that is cut off at once, while a compaction helps.
const MIN_ANSWER_ROOM: u64 = 256;
