//! Servers whose grammar engine breaks on the schemas of tools, and models that call their tools wrongly.

use serde_json::{Value, json};

use crate::client;
use crate::scene::{Scene, question};
use crate::steps::{Step, answer, end, finish, head, text};

/// llama.cpp's words.
const GRAMMAR: &str = "Failed to initialize samplers: failed to parse grammar";

fn refusal(status: u16) -> Step {
    let body = json!({"error": {"code": status, "message": GRAMMAR, "type": "invalid_request_error"}});
    answer(status, &[], &body.to_string())
}

fn hello() -> [Step; 4] {
    [head(), text("Hello"), finish("stop"), end()]
}

fn dated() -> Value {
    json!({"name": "when", "input_schema": {"type": "object", "properties": {
        "pattern": {"type": "string", "pattern": "^\\d{4}-\\d{2}$", "maxLength": 65_536}}}})
}

async fn ask(scene: &Scene, question: &Value) -> u16 {
    let mut client = scene.client().await;
    client.post(question).await;
    let head = client.head().await;
    if head.status == 200 {
        assert_eq!(client::text(&client.events().await), "Hello");
    }
    head.status
}

fn schemas(request: &Value) -> Vec<String> {
    request["tools"].as_array().unwrap().iter().map(|tool| tool["function"]["parameters"].to_string()).collect()
}

#[tokio::test(start_paused = true)]
async fn hostile_schemas_are_relaxed_once_and_from_then_on() {
    for status in [400, 500] {
        let scene = Scene::new().await;
        scene.backend.script([refusal(status)]);
        (0..3).for_each(|_| scene.backend.script(hello()));
        let mut question = question(true);
        question["tools"].as_array_mut().unwrap().push(dated());
        assert_eq!(ask(&scene, &question).await, 200);
        assert_eq!(ask(&scene, &question).await, 200);
        // A tool more: those before it stay as the model has read them.
        let mut more = dated();
        more["name"] = "more".into();
        more["input_schema"]["properties"]["other"] = json!({"type": "string", "format": "uri"});
        question["tools"].as_array_mut().unwrap().push(more);
        assert_eq!(ask(&scene, &question).await, 200);
        let log = scene.backend.log();
        let sent: Vec<Vec<String>> = log.requests.iter().map(schemas).collect();
        assert_eq!(sent.len(), 4);
        assert!(sent[0][1].contains("65536"));
        assert_eq!(sent[1][1], json!({"type": "object", "properties": {"pattern": {"type": "string"}}}).to_string());
        assert_eq!(sent[1][0], sent[0][0]);
        assert_eq!(sent[2], sent[1]);
        assert_eq!(sent[3][..2], sent[1][..]);
        assert!(sent[3][2].contains("uri"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_refuses_again_has_its_say() {
    let scene = Scene::new().await;
    (0..8).for_each(|_| scene.backend.script([refusal(400)]));
    let mut question = question(true);
    question["tools"].as_array_mut().unwrap().push(dated());
    assert_eq!(ask(&scene, &question).await, 400);
    assert_eq!(scene.backend.log().requests.len(), 2);
    assert_eq!(ask(&scene, &question).await, 400);
    assert_eq!(scene.backend.log().requests.len(), 3, "it is known already");
}

/// The schema of an answer, or a choice of tool, can be what the engine breaks on: the tools have nothing to give.
#[tokio::test(start_paused = true)]
async fn nothing_to_relax_is_nothing_to_repeat() {
    let scene = Scene::new().await;
    (0..8).for_each(|_| scene.backend.script([refusal(400)]));
    let mut question = question(true);
    question["output_config"] =
        json!({"format": {"type": "json_schema", "schema": {"type": "string", "pattern": "\\d"}}});
    question["tool_choice"] = json!({"type": "tool", "name": "Bash"});
    assert_eq!(ask(&scene, &question).await, 400);
    assert_eq!(scene.backend.log().requests.len(), 1);
    question["tools"] = json!([]);
    assert_eq!(ask(&scene, &question).await, 400);
    assert_eq!(scene.backend.log().requests.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn calls_that_do_not_fit_are_counted() {
    let scene = Scene::new().await;
    for arguments in [r#"{"command":"ls"}"#, r#"{"command":["ls"]}"#, r#"{"comm"#] {
        let call = json!({"id": "c", "type": "function", "function": {"name": "Bash", "arguments": arguments}});
        let body = json!({"choices": [{"message": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]});
        scene.backend.script([answer(200, &[], &body.to_string())]);
        scene.whole().await.answer().await;
    }
    let counted = scene.proxy.stats().invalid_calls;
    assert_eq!(counted, 2);
}
