//! What servers tell of their models: readers of each server's own shape.
//!
//! Every reader takes foreign bytes and adds what it finds; what it does not understand it leaves alone.

use serde_json::Value;

use super::template::opens_thinking;

/// What is known of a model. `None` is "not told".
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Model {
    /// The server's name for it.
    pub id: String,
    /// The most tokens that prompt and answer may have together.
    pub window: Option<u64>,
    /// The most tokens that an answer may have, whatever the prompt.
    pub answer_limit: Option<u64>,
    /// Whether it takes tools.
    pub tools: Option<bool>,
    /// Whether it takes images.
    pub images: Option<bool>,
    /// The format of its tool calls, by its chat template: a name in the registry of formats.
    pub tool_format: Option<&'static str>,
    /// Its prompts end in the marker that opens thinking, and the server leaves thinking in the text.
    pub opens_thinking: Option<bool>,
    /// Its chat template takes thinking of earlier answers as a field of the message, by name; `false` where it only
    /// looks for it in the text.
    pub thinking_field: Option<bool>,
    /// Whether it is in memory.
    pub loaded: Option<bool>,
}

impl Model {
    /// A model of which nothing but the name is known.
    pub fn named(id: impl Into<String>) -> Self {
        Model { id: id.into(), ..Model::default() }
    }

    /// The last part of the name: servers name models by their whole path.
    pub fn short_name(&self) -> &str {
        self.id.rsplit(['/', '\\']).find(|part| !part.is_empty()).unwrap_or(&self.id)
    }
}

/// What a server has told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Facts {
    /// Its models, loaded ones first.
    pub models: Vec<Model>,
}

/// Where a server tells of its models.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct FactSource {
    /// The path below the server's root.
    pub path: &'static str,
    /// How it is asked.
    pub asks: Asks,
    /// Reads the answer; for [`Asks::Each`], that of the model which is named.
    pub read: fn(&Value, &mut Facts, Option<&str>),
}

/// How a source is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Asks {
    /// Once, with GET.
    Once,
    /// Once a model, with POST and its name.
    Each,
}

impl Facts {
    /// Adds an answer of the list of models in OpenAI's shape. Known extensions are read: `max_model_len`
    /// (vLLM), `meta.n_ctx` (llama.cpp), `context_length` and the like (gateways).
    pub fn read_list(&mut self, body: &[u8]) {
        let Ok(list) = serde_json::from_slice::<Value>(body) else { return };
        for entry in list.get("data").and_then(Value::as_array).into_iter().flatten().take(MAX_MODELS) {
            let Some(id) = entry.get("id").and_then(Value::as_str) else { continue };
            let owner = entry.get("owned_by").and_then(Value::as_str).unwrap_or("");
            if owner.ends_with("embedding") || owner.ends_with("reranker") {
                continue; // vllm-mlx lists what cannot answer, too
            }
            let model = self.entry(id);
            let meta = entry.get("meta").and_then(|meta| meta.get("n_ctx"));
            let window = ["max_model_len", "context_length", "context_window", "max_context_length"]
                .iter()
                .find_map(|key| entry.get(key).and_then(count))
                .or_else(|| meta.and_then(count));
            model.window = window.or(model.window);
        }
    }

    /// The facts of the model that the server is asked for by this name: that of the name itself, or of the
    /// one that is loaded, or of the only one.
    pub fn of(&self, name: &str) -> Option<&Model> {
        find(&self.models, name)
    }

    fn entry(&mut self, id: &str) -> &mut Model {
        let at = self.models.iter().position(|model| model.id == id).unwrap_or_else(|| {
            self.models.push(Model::named(id));
            self.models.len() - 1
        });
        // The index is that of an entry which was found or pushed just now.
        #[expect(clippy::indexing_slicing)]
        &mut self.models[at]
    }

    /// What is loaded comes first: it is what a request for any model gets.
    fn sort(&mut self) {
        self.models.sort_by_key(|model| model.loaded != Some(true));
    }
}

/// The facts of the model that a server takes this name for.
pub(crate) fn find<'m>(models: &'m [Model], name: &str) -> Option<&'m Model> {
    let exact = models.iter().find(|model| model.id == name);
    let loaded = || {
        let mut loaded = models.iter().filter(|model| model.loaded == Some(true));
        loaded.next().filter(|_| loaded.next().is_none())
    };
    let only = || models.first().filter(|_| models.len() == 1);
    exact.or_else(loaded).or_else(only)
}

/// llama.cpp, `/props`: the window that it was started with, its template's abilities, its modalities.
pub(super) fn llama_cpp_props(answer: &Value, facts: &mut Facts, _model: Option<&str>) {
    let window = answer.pointer("/default_generation_settings/n_ctx").and_then(count);
    let tools = answer.pointer("/chat_template_caps/supports_tools").and_then(Value::as_bool);
    let images = answer.pointer("/modalities/vision").and_then(Value::as_bool);
    let template = answer.get("chat_template").and_then(Value::as_str).filter(|text| text.len() <= MAX_TEMPLATE);
    // Told to leave thinking where it is, it does.
    let reasoning = answer.pointer("/default_generation_settings/params/reasoning_format").and_then(Value::as_str);
    let is_raw = reasoning == Some("none");
    for model in &mut facts.models {
        model.window = window.or(model.window);
        model.tools = tools.or(model.tools);
        model.images = images.or(model.images);
        model.loaded = Some(true);
        if let Some(template) = template {
            model.read_template(template);
            model.opens_thinking = is_raw.then(|| opens_thinking(template));
        }
    }
}

/// LM Studio, `/api/v0/models`: types, states, windows, abilities.
pub(super) fn lmstudio_models(answer: &Value, facts: &mut Facts, _model: Option<&str>) {
    for entry in answer.get("data").and_then(Value::as_array).into_iter().flatten().take(MAX_MODELS) {
        let Some(id) = entry.get("id").and_then(Value::as_str) else { continue };
        let kind = entry.get("type").and_then(Value::as_str).unwrap_or("");
        if kind == "embeddings" {
            facts.models.retain(|model| model.id != id);
            continue;
        }
        let model = facts.entry(id);
        let window =
            ["loaded_context_length", "max_context_length"].iter().find_map(|key| entry.get(key).and_then(count));
        model.window = window.or(model.window);
        model.loaded = Some(entry.get("state").and_then(Value::as_str) == Some("loaded"));
        model.images = Some(kind == "vlm");
        // Older versions do not tell; models without the word still get LM Studio's own tool prompt.
        let abilities = entry.get("capabilities").and_then(Value::as_array);
        if abilities.is_some_and(|all| all.iter().any(|ability| ability == "tool_use")) {
            model.tools = Some(true);
        }
    }
    facts.sort();
}

/// Ollama, `/api/show`: abilities, and the window that the model file sets or the model was trained with.
pub(super) fn ollama_show(answer: &Value, facts: &mut Facts, model: Option<&str>) {
    let Some(model) = model else { return };
    let model = facts.entry(model);
    if let Some(abilities) = answer.get("capabilities").and_then(Value::as_array) {
        let has = |name: &str| abilities.iter().any(|ability| ability == name);
        model.tools = Some(has("tools"));
        model.images = Some(has("vision"));
    }
    if let Some(template) = answer.get("template").and_then(Value::as_str).filter(|text| text.len() <= MAX_TEMPLATE) {
        model.read_template(template);
    }
    // The trained length is no help: Ollama loads models with far less unless it is told otherwise.
    let parameters = answer.get("parameters").and_then(Value::as_str).unwrap_or("");
    let set = parameters.lines().find_map(|line| line.trim().strip_prefix("num_ctx")?.trim().parse().ok());
    model.window = model.window.or(set);
}

/// Ollama, `/api/ps`: what is loaded, and with which window.
pub(super) fn ollama_ps(answer: &Value, facts: &mut Facts, _model: Option<&str>) {
    for entry in answer.get("models").and_then(Value::as_array).into_iter().flatten().take(MAX_MODELS) {
        let Some(name) = entry.get("model").or_else(|| entry.get("name")).and_then(Value::as_str) else { continue };
        let model = facts.entry(name);
        model.loaded = Some(true);
        model.window = entry.get("context_length").and_then(count).or(model.window);
    }
    facts.sort();
}

/// A model's own `config.json`, for servers that tell no window: the length it was made for.
pub fn model_config(json: &[u8]) -> Option<u64> {
    let config: Value = serde_json::from_slice(json).ok()?;
    let inner = config.get("text_config");
    ["max_position_embeddings", "n_positions", "max_seq_len", "seq_length"]
        .iter()
        .find_map(|key| config.get(key).and_then(count).or_else(|| inner?.get(key).and_then(count)))
}

/// Whether prompts by this template end in the marker that opens thinking, as known of a server that leaves thinking
/// in the text.
pub fn template_opens_thinking(template: &str) -> Option<bool> {
    (template.len() <= MAX_TEMPLATE).then(|| opens_thinking(template))
}

/// What a model's own chat template shows, for servers that tell nothing of it.
pub fn model_template(template: &str, model: &mut Model) {
    if template.len() <= MAX_TEMPLATE {
        model.read_template(template);
    }
}

/// The longest template that is read, in bytes; the longest known are a tenth of it.
const MAX_TEMPLATE: usize = 256 << 10;

/// A number of tokens; servers write zero for "unknown".
fn count(value: &Value) -> Option<u64> {
    value.as_u64().filter(|&count| count > 0)
}

/// The most models read of a list: gateways offer hundreds, nothing offers more.
const MAX_MODELS: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn listed(list: &Value) -> Facts {
        let mut facts = Facts::default();
        facts.read_list(list.to_string().as_bytes());
        facts
    }

    #[test]
    fn lists_tell_windows_in_many_words() {
        let facts = listed(&json!({"data": [
            {"id": "a", "max_model_len": 32768}, {"id": "b", "meta": {"n_ctx": 4096}}, {"id": "c"}, {"x": 1}]}));
        let windows: Vec<_> = facts.models.iter().map(|model| model.window).collect();
        assert_eq!(windows, [Some(32768), Some(4096), None]);
        assert!(listed(&json!([1])).models.is_empty());
        assert!(facts.of("unknown").is_none() && facts.of("a").is_some());
        assert_eq!(listed(&json!({"data": [{"id": "/x/only"}]})).of("default_model").unwrap().short_name(), "only");
    }

    #[test]
    fn llama_cpp_tells_of_its_one_model() {
        let mut facts = listed(&json!({"data": [{"id": "m"}]}));
        let template = "{% if add_generation_prompt %}<think>\n{% endif %}<tool_call>";
        let props = json!({"default_generation_settings": {"n_ctx": 8192, "params": {"reasoning_format": "none"}},
            "modalities": {"vision": true}, "chat_template_caps": {"supports_tools": false}, "chat_template": template});
        llama_cpp_props(&props, &mut facts, None);
        let model = facts.of("anything").unwrap();
        assert_eq!((model.window, model.tools, model.images), (Some(8192), Some(false), Some(true)));
        assert_eq!((model.tool_format, model.opens_thinking), (Some("hermes"), Some(true)));
    }

    #[test]
    fn lm_studio_tells_states_and_leaves_out_embeddings() {
        let mut facts = listed(&json!({"data": [{"id": "e"}, {"id": "idle"}, {"id": "busy"}]}));
        let answer = json!({"object": "list", "data": [
            {"id": "e", "type": "embeddings", "state": "not-loaded"},
            {"id": "idle", "type": "llm", "state": "not-loaded", "max_context_length": 131072},
            {"id": "busy", "type": "vlm", "state": "loaded", "max_context_length": 131072,
             "loaded_context_length": 4096, "capabilities": ["tool_use"]}]});
        lmstudio_models(&answer, &mut facts, None);
        let ids: Vec<_> = facts.models.iter().map(|model| model.id.as_str()).collect();
        assert_eq!(ids, ["busy", "idle"]);
        let busy = facts.of("whatever").unwrap();
        assert_eq!((busy.window, busy.tools, busy.images), (Some(4096), Some(true), Some(true)));
    }

    #[test]
    fn ollama_tells_the_window_that_holds() {
        let mut facts = listed(&json!({"data": [{"id": "q:7b"}, {"id": "g:2b"}]}));
        ollama_show(
            &json!({"capabilities": ["completion", "tools"], "parameters": "stop \"x\"\nnum_ctx 16384",
            "model_info": {"q.context_length": 131072}}),
            &mut facts,
            Some("q:7b"),
        );
        ollama_show(&json!({"capabilities": ["completion"]}), &mut facts, Some("g:2b"));
        ollama_ps(&json!({"models": [{"name": "g:2b", "model": "g:2b", "context_length": 4096}]}), &mut facts, None);
        let (first, second) = (&facts.models[0], &facts.models[1]);
        assert_eq!((first.id.as_str(), first.window, first.tools), ("g:2b", Some(4096), Some(false)));
        assert_eq!((second.window, second.tools, second.images), (Some(16384), Some(true), Some(false)));
    }

    #[test]
    fn configs_nest() {
        assert_eq!(model_config(br#"{"text_config":{"max_position_embeddings":40960}}"#), Some(40960));
        assert_eq!(model_config(br#"{"max_position_embeddings":0}"#), None);
        assert_eq!(model_config(b"no json"), None);
    }
}
