//! What a server's refusals teach.

use super::models::ModelTable;
use crate::translate::{RefusedParameter, RequestContext, Translator, refused_parameter};
use crate::wire::ApiError;

/// Something that a refusal taught, and that was not known before.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lesson {
    /// What the server does not take.
    pub refused: RefusedParameter,
    /// The model whose request was refused.
    pub model: String,
    /// The same in a sentence, for the log.
    pub notice: String,
    /// The next translation will differ.
    pub(crate) changes: bool,
}

/// Learns from a refusal; `None` when it teaches nothing new.
pub(crate) fn learn(
    translator: &Translator,
    models: &ModelTable,
    context: &RequestContext,
    refused: RefusedParameter,
) -> Option<Lesson> {
    let model = &context.backend_model;
    let (is_new, changes, notice) = match refused {
        RefusedParameter::Tools => (
            models.learn(model, |model| model.tools = Some(false)),
            // Without its tools the client could do nothing, and would not know why: the refusal goes on.
            translator.describes_tools(),
            format!("the server says that {model} takes no tools: they are described in its prompt"),
        ),
        RefusedParameter::Images => (
            models.learn(model, |model| model.images = Some(false)),
            true,
            format!("{model} takes no images; they are left out from now on"),
        ),
        RefusedParameter::ToolSchema => (
            translator.learn_schemas(context),
            true,
            format!("the grammar engine of {model} breaks on the tools' schemas; simpler ones are sent"),
        ),
        other => {
            let notice = format!("the backend refuses {}; it is left out from now on", other.as_str());
            (translator.learn(other), true, notice)
        }
    };
    is_new.then(|| Lesson { refused, model: model.clone(), notice, changes })
}

/// Learns the window, and the most an answer may have, from a refusal that tells them.
pub(super) fn learn_limits(models: &ModelTable, context: &RequestContext, status: u16, error: &ApiError) {
    /// What credit is left says nothing of the next request.
    const PAYMENT_REQUIRED: u16 = 402;
    let Some(limit) = error.limit.as_ref().filter(|_| status != PAYMENT_REQUIRED) else { return };
    if limit.window.is_some() || limit.output_cap.is_some() {
        models.learn(&context.backend_model, |model| {
            model.window = limit.window.or(model.window);
            model.answer_limit = limit.output_cap.or(model.answer_limit);
        });
    }
}

/// Learns from a failure that came inside of an answer. It cannot be tried again here, but clients try again.
pub(crate) fn learn_late(
    translator: &Translator,
    models: &ModelTable,
    context: &RequestContext,
    error: &ApiError,
) -> Option<Lesson> {
    /// As good as any: the words tell what was refused.
    const BAD_REQUEST: u16 = 400;
    let said = serde_json::json!({"error": {"message": error.message}}).to_string();
    match refused_parameter(BAD_REQUEST, said.as_bytes()) {
        Some(what @ (RefusedParameter::ToolSchema | RefusedParameter::Tools)) => {
            learn(translator, models, context, what)
        }
        _ => None,
    }
}
