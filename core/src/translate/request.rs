//! The translator: a Messages request in, a request in the backend's dialect out.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::body::{self, Written};
use super::call_ids;
use super::class::{Hints, classify};
use super::content::{ContentReader, DocumentText, NoDocuments};
use super::context::RequestContext;
use super::conversation::Conversation;
use super::habits::Habits;
use super::identity;
use super::inline_thinking;
use super::model;
use super::native;
use super::notes::{Note, Notes};
use super::prompt_tools::{self, PromptTools};
use super::relax::Hostile;
use super::replay::Replay;
use super::supply::ToolSupply;
use super::system::system_texts;
use super::tools::Offered;
use crate::backend::{self, BackendSpec, Model, Quirks, ThinkingHistory};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::Seed;
use crate::prefix::Prompt;
use crate::secret::{Secret, Secrets};
use crate::session::{Asked, Leaves, Pinning, SessionKey, SessionTable, Timestamp, TurnRecord};
use crate::stream::convert_response;
use crate::toolcall::ToolFormat;
use crate::wire::anthropic::{MessagesRequest, RequestBody};
use crate::wire::json::Object;
use crate::wire::{ApiError, Dialect, ErrorType};

/// Translates requests for one backend, and whole answers back.
///
/// Holds what conversations need remembered, in a bounded table. Shared by reference: every method
/// takes `&self`.
///
/// ```
/// use anyclaude_core::{Options, RequestMeta, Translator, backend};
///
/// let translator = Translator::new(*backend::by_name("openai")?, Options::default());
/// let body = br#"{"model":"claude-x","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}"#;
/// let translated = translator.request_json(body, &RequestMeta::default())?;
/// assert!(translated.body.starts_with(br#"{"model":"default","messages":[{"role":"user","content":"Hi"}]"#));
/// # Ok::<(), anyclaude_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Translator {
    pub(super) spec: BackendSpec,
    pub(super) options: Options,
    pub(super) secrets: Secrets,
    /// The spec's quirks, and what the server has refused since.
    pub(super) quirks: Mutex<Quirks>,
    /// What answers have shown of the server's models.
    pub(super) habits: Mutex<Habits>,
    /// Shared with the translators for other backends that the same client has talked to.
    pub(super) sessions: Arc<Mutex<SessionTable>>,
    /// Schemas that the server's grammar engine has refused.
    pub(super) hostile: Mutex<Hostile>,
    /// What the calls of answers are checked by.
    #[cfg(feature = "schemas")]
    pub(super) schemas: Arc<crate::toolcall::check::SchemaCache>,
}

/// What users set about translation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// The backend's model for requests that ask for a Claude model.
    pub model: Option<String>,
    /// The most tokens that any answer may have.
    pub max_output_tokens: Option<u64>,
    /// The most tokens that prompt and answer may have together, whatever the server says.
    pub context_window: Option<u64>,
    /// How the model gets its tools.
    pub tools: ToolSupply,
    /// Which format the text of answers is looked through for.
    pub tool_format: ToolFormat,
    /// Whether prompts end in the marker that opens thinking, where the server leaves thinking in the text; by
    /// default what the template and earlier answers show.
    pub prompt_opens_thinking: Option<bool>,
    /// Whether the server is asked for streams where the client wants one; by default it is.
    pub streams: Option<bool>,
    /// Whether images are sent, whatever is known of the model.
    pub images: Option<bool>,
    /// The API by which the backend is asked.
    pub dialect: Dialect,
    /// Names that stand for the server's model as those of Anthropic's do: what an earlier backend's were called.
    pub stand_ins: BTreeSet<String>,
    /// What lines begin with that are kept as a conversation saw them first, blanks aside: dates, and whatever else
    /// changes by itself. They are looked for in the system prompt and before the first answer.
    pub pin_lines: Vec<String>,
    /// Keys that the server knows: masked where it repeats them in an error.
    pub secrets: Vec<Secret>,
}

/// What a request brings that is not in its body.
#[derive(Clone)]
pub struct RequestMeta<'m> {
    /// The conversation.
    pub session: SessionKey,
    /// The time.
    pub now: Timestamp,
    /// Makes the ids of the answer.
    pub seed: Seed,
    /// The models that the server says it has, the loaded one first; empty when it has not been asked.
    pub models: &'m [Model],
    /// The most tokens that this try may ask for.
    pub max_tokens: Option<u64>,
    /// The text of documents.
    pub documents: &'m dyn DocumentText,
    /// What the client's headers tell of the request.
    pub hints: Hints,
    /// The request is sent: what it says is remembered. Off where only its tokens are counted.
    pub remembers: bool,
    /// About how many bytes the translation will have, so that its buffer grows once; 0 if unknown.
    pub size_hint: usize,
}

impl Default for RequestMeta<'_> {
    fn default() -> Self {
        RequestMeta {
            session: SessionKey::default(),
            now: Timestamp::default(),
            seed: Seed::default(),
            models: &[],
            max_tokens: None,
            documents: &NoDocuments,
            hints: Hints::default(),
            remembers: true,
            size_hint: 0,
        }
    }
}

impl std::fmt::Debug for RequestMeta<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RequestMeta").field("session", &self.session).field("now", &self.now).finish_non_exhaustive()
    }
}

/// A request for the backend, and what the way back needs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Translated {
    /// The JSON body.
    pub body: Vec<u8>,
    /// What the converter of the answer must know.
    pub context: RequestContext,
    /// What was dropped, renamed or clamped.
    pub notes: Vec<Note>,
}

impl Translator {
    /// A translator for a backend. The spec is taken by value, so that its quirks can be overridden.
    pub fn new(spec: BackendSpec, options: Options) -> Self {
        let secrets = Secrets::new(options.secrets.iter().cloned());
        let sessions = Arc::new(Mutex::new(SessionTable::new()));
        let quirks = starting_quirks(&spec, options.dialect);
        Translator {
            habits: Mutex::new(Habits::new()),
            quirks: Mutex::new(quirks),
            spec,
            options,
            secrets,
            sessions,
            hostile: Mutex::default(),
            #[cfg(feature = "schemas")]
            schemas: Arc::default(),
        }
    }

    /// A model's name in the table of conversations: another server's of the same name is another model.
    pub(super) fn known_as(&self, model: &str) -> String {
        format!("{}/{}", self.spec.name, model.replace(char::is_control, ""))
    }

    /// The backend it translates for.
    pub fn spec(&self) -> &BackendSpec {
        &self.spec
    }

    /// Translates a request body.
    ///
    /// # Errors
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) with the place in the body, what stands there and what must.
    pub fn request_json(&self, body: &[u8], meta: &RequestMeta<'_>) -> Result<Translated> {
        // What is written is about as long as what is read.
        let meta = &RequestMeta { size_hint: body.len() + body.len() / 16 + 512, ..meta.clone() };
        let body = RequestBody::new(body)?;
        let failure = match body.parse() {
            Ok(request) => return self.request(request, meta),
            Err(failure) => failure,
        };
        // A regular expression pasted into a string is the one malformation that clients really send.
        let Some(mended) = body.mended() else { return Err(failure) };
        let Ok(request) = mended.parse() else { return Err(failure) };
        self.request(request, meta)
    }

    /// Translates a parsed request.
    ///
    /// # Errors
    /// As [`Translator::request_json`]; also for a server-side thread, which is refused in the words
    /// that make the Python SDK send the whole history instead.
    pub fn request(&self, mut request: MessagesRequest<'_>, meta: &RequestMeta<'_>) -> Result<Translated> {
        refuse_thread(&request)?;
        if request.model.as_ref().is_some_and(|model| model.as_escaped().len() > MAX_MODEL_NAME) {
            return Err(Error::at("model", format_args!("a name of more than {MAX_MODEL_NAME} bytes is no model's")));
        }
        let quirks = *lock(&self.quirks);
        let mut notes = Notes::default();
        let asked = request.model.as_ref().map(|model| model.decode().into_owned()).unwrap_or_default();
        let loaded = self.spec.quirks.loaded_model;
        let chosen =
            model::for_backend(&asked, self.options.model.as_deref(), loaded, meta.models, &self.options.stand_ins);
        let facts = backend::find(meta.models, chosen.name);
        let images =
            self.options.images.unwrap_or(quirks.images && facts.and_then(|model| model.images) != Some(false));
        let inline = self.inline_thinking(chosen.name, facts, &quirks);
        let keeps_thinking = quirks.thinking_history != ThinkingHistory::Drop || inline.is_some();
        let mut reader = ContentReader {
            images,
            keeps_thinking,
            noted_thinking: false,
            noted_countdown: false,
            documents: meta.documents,
            notes: &mut notes,
        };
        let class = classify(&request, &meta.hints, !meta.session.agent.is_empty());
        let session = identity::conversation(&request, &meta.session, class);
        let kind = identity::kind(&meta.hints, class, &session.agent);
        let known_as = self.known_as(chosen.name);
        let by = Asked { key: &session, model: &known_as, class, kind };
        let recalled = lock(&self.sessions).recall(&by, meta.now);

        let mut system = system_texts(request.system.take(), &mut reader);
        let mut conversation = Conversation::read(std::mem::take(&mut request.messages), &mut reader)?;
        let mut pinning = Pinning::new(&self.options.pin_lines, &recalled.pins);
        for text in system.iter_mut().chain(conversation.leading_reminders()) {
            if class.is_side() {
                break;
            }
            if let Some(pinned) = pinning.apply(text) {
                *text = pinned;
            }
        }
        let replay = Replay {
            spoken: &recalled.spoken,
            thinking: keeps_thinking,
            blank_text: self.options.dialect == Dialect::Chat,
            is_named: identity::is_named(&session.session),
        };
        replay.apply(&mut conversation);
        if let Some(pair) = inline {
            inline_thinking::apply(&mut conversation, pair);
        }
        if self.options.dialect == Dialect::Messages {
            native::complete(&mut request);
        }
        let request = &request;
        let thinks = request.thinking.as_ref().is_none_or(|thinking| !thinking.kind.is("disabled"));
        let mut offered = Offered::choose(&request.tools, &conversation.loaded_tools, &mut notes);
        if self.options.tools == ToolSupply::Off {
            offered.leave_out(&mut notes);
        }
        let tools = offered.arrange(&recalled.tools, recalled.tools_are_own);
        let declared = offered.declared(&tools);
        let mut recovery = self.recovery(chosen.name, facts, thinks);
        recovery.keeps_text = inline.is_some();
        call_ids::apply(&mut conversation, recovery.selection.formats());
        let is_text = self.options.tools.is_text(facts.and_then(|model| model.tools));
        let in_prompt = PromptTools::new(recovery.selection.formats());
        if is_text || self.options.tools == ToolSupply::Off {
            // Earlier calls, also where no tools are offered now: the server takes none in another way.
            in_prompt.write_out(&mut conversation);
            recovery.keeps_text = true;
        }
        if is_text && !offered.is_empty() {
            recovery.selection = recovery.selection.beginning_with(in_prompt.format());
            system.push(in_prompt.describe(&offered));
            conversation.demand(request.tool_choice.as_ref().and_then(prompt_tools::demand));
            offered.describe_elsewhere(&mut notes);
        }
        offered.relax(&mut lock(&self.hostile), &mut notes);
        let window = self.options.context_window.or(facts.and_then(|model| model.window));

        let stream = request.stream && self.options.streams != Some(false);
        let mut out = Vec::with_capacity(meta.size_hint);
        let mut body = Object::begin(&mut out);
        body.plain("model", chosen.name);
        let estimate = |raw| lock(&self.sessions).correct(&session, &known_as, raw, meta.now);
        let cap = |raw| {
            let room = window.map(|window| estimate(raw).room(window));
            let limit = facts.and_then(|model| model.answer_limit);
            [self.options.max_output_tokens, meta.max_tokens, room, limit].into_iter().flatten().min()
        };
        let prompt = body::Prompt {
            system: &system,
            conversation: &conversation,
            offered: &offered,
            request,
            quirks: &quirks,
            stream,
            cap: &cap,
        };
        let Written { max_tokens, raw_estimate, marks } = prompt.push(self.options.dialect, &mut body, &mut notes);
        body.end();
        let estimated_input_tokens = estimate(raw_estimate).tokens;
        let report = meta.remembers.then(|| {
            let prompt = Arc::new(Prompt::new(&out, &marks));
            let leaves = Leaves { prompt: Arc::clone(&prompt), seed: meta.seed, tools, pins: pinning.into_new() };
            let before = lock(&self.sessions).remember(&by, leaves, meta.now);
            Arc::new(self.report(&by, meta, &prompt, &before, estimated_input_tokens))
        });

        let context = RequestContext {
            backend_model: chosen.name.to_owned(),
            model_known: chosen.known,
            window,
            recovery,
            model: asked,
            backend: self.spec.name,
            dialect: self.options.dialect,
            seed: meta.seed,
            class,
            report,
            estimated_input_tokens,
            raw_estimate,
            stream: request.stream,
            backend_stream: stream,
            show_thinking: thinks,
            max_tokens,
            tools: declared,
            tool_names: offered.into_names(),
            secrets: self.secrets.clone(),
            session,
        };
        Ok(Translated { body: out, context, notes: notes.0 })
    }

    /// Translates a whole answer, and tells what the turn was.
    ///
    /// # Errors
    /// The backend's own error in the client's terms, or [`Backend`](crate::ErrorKind::Backend) when
    /// the body is no answer.
    pub fn response_json(&self, context: &RequestContext, body: &[u8]) -> Result<(Vec<u8>, TurnRecord)> {
        convert_response(context, body)
    }
}

/// What a server takes until it refuses.
pub(super) fn starting_quirks(spec: &BackendSpec, dialect: Dialect) -> Quirks {
    match dialect {
        Dialect::Chat => spec.quirks,
        Dialect::Messages => native::quirks(spec.quirks),
    }
}

/// The longest model name that is taken, in bytes; it is repeated in every answer and log line.
const MAX_MODEL_NAME: usize = 512;

/// The Python SDK's tool runner keeps the dialogue on Anthropic's servers unless it is told that this
/// is not to be had; ignored, it would send lone tool results for ever.
fn refuse_thread(request: &MessagesRequest<'_>) -> Result<()> {
    let Some(thread) = &request.thread else { return Ok(()) };
    let message = "thread: server-side threads are not kept here; send the whole history in messages";
    let mut error = ApiError::invalid_request(message);
    if thread.kind.is("continue") {
        error.status = 404;
        error.kind = ErrorType::NotFound;
        error.details = Some(r#"{"error_code":"thread_not_found"}"#.to_owned());
    } else {
        error.details = Some(r#"{"error_code":"thread_unsupported_request","unsupported":["thread"]}"#.to_owned());
    }
    Err(Error::told(ErrorKind::InvalidRequest, error))
}

/// A lock whose data is sound even if a holder panicked: every update is a single assignment.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
