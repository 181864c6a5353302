//! Refusals that teach the proxy something: the request is sent again, changed.

use serde_json::json;

use crate::client;
use crate::scene::{Scene, question};
use crate::steps::{Step, answer, end, finish, head, text};

fn refusal(message: &str) -> Step {
    answer(400, &[], &json!({"error": {"message": message, "type": "invalid_request_error"}}).to_string())
}

fn hello() -> [Step; 4] {
    [head(), text("Hello"), finish("stop"), end()]
}

/// vLLM's words for a window of 32768 tokens and a prompt of 6000.
const TOO_LARGE: &str = "'max_tokens' or 'max_completion_tokens' is too large: 64000. This model's maximum context \
    length is 32768 tokens and your request has 6000 input tokens (64000 > 32768 - 6000).";

#[tokio::test(start_paused = true)]
async fn a_refused_parameter_is_left_out_from_then_on() {
    let scene = Scene::new().await;
    scene.backend.script([refusal("Unrecognized request argument supplied: reasoning_effort")]);
    scene.backend.script(hello());
    scene.backend.script(hello());
    let mut question = question(true);
    question["thinking"] = json!({"type": "enabled", "budget_tokens": 2000});
    for _ in 0..2 {
        let mut client = scene.client().await;
        client.post(&question).await;
        assert_eq!(client.head().await.status, 200);
        assert_eq!(client::text(&client.events().await), "Hello");
    }
    let log = scene.backend.log();
    let sent: Vec<bool> = log.requests.iter().map(|body| body.get("reasoning_effort").is_some()).collect();
    assert_eq!(sent, [true, false, false]);
    assert_eq!(log.requests[0]["messages"], log.requests[1]["messages"]);
    assert_eq!(log.connections, 1, "the connection is used again");
}

/// The server has told its window: from then on nothing asks for more than that.
#[tokio::test(start_paused = true)]
async fn a_smaller_answer_is_asked_for_once() {
    let scene = Scene::new().await;
    for script in [vec![refusal(TOO_LARGE)], hello().to_vec(), hello().to_vec()] {
        scene.backend.script(script);
    }
    for _ in 0..2 {
        let mut client = scene.stream().await;
        assert_eq!(client.head().await.status, 200);
        assert_eq!(client::text(&client.events().await), "Hello");
    }
    let log = scene.backend.log();
    let asked: Vec<u64> = log.requests.iter().map(|body| body["max_tokens"].as_u64().unwrap()).collect();
    assert_eq!(asked[0], 64_000);
    assert!(asked[1] > 20_000 && asked[1] + 6000 < 32_768, "{asked:?}");
    assert_eq!(asked[2], 32_768);
}

/// The most that an answer may have belongs to the server: it is refused once, and known from then on.
#[tokio::test(start_paused = true)]
async fn the_limit_of_answers_is_learned() {
    let scene = Scene::new().await;
    for script in [vec![refusal("max_tokens exceeds server limit (8192)")], hello().to_vec(), hello().to_vec()] {
        scene.backend.script(script);
    }
    for _ in 0..2 {
        let mut client = scene.stream().await;
        assert_eq!(client.head().await.status, 200);
        client.events().await;
    }
    let asked: Vec<u64> =
        scene.backend.log().requests.iter().map(|body| body["max_tokens"].as_u64().unwrap()).collect();
    assert_eq!(asked, [64_000, 8192, 8192]);
}

/// A server that was started anew, with a larger window, is believed.
#[tokio::test(start_paused = true)]
async fn a_server_that_was_away_is_asked_for_everything_again() {
    let scene = Scene::new().await;
    for script in [vec![refusal(TOO_LARGE)], hello().to_vec(), vec![Step::Reset], hello().to_vec()] {
        scene.backend.script(script);
    }
    for status in [200, 502, 200] {
        let mut client = scene.stream().await;
        assert_eq!(client.head().await.status, status);
    }
    let asked: Vec<u64> =
        scene.backend.log().requests.iter().map(|body| body["max_tokens"].as_u64().unwrap()).collect();
    assert_eq!((asked[2], asked[3]), (32_768, 64_000));
}

#[tokio::test(start_paused = true)]
async fn both_lessons_in_one_request() {
    let scene = Scene::new().await;
    scene.backend.script([refusal("Unrecognized request argument supplied: reasoning_effort")]);
    scene.backend.script([refusal(TOO_LARGE)]);
    scene.backend.script([answer(200, &[], r#"{"choices":[{"message":{"content":"Hello"},"finish_reason":"stop"}]}"#)]);
    let mut question = question(false);
    question["thinking"] = json!({"type": "enabled", "budget_tokens": 2000});
    let mut client = scene.client().await;
    client.post(&question).await;
    let (head, body) = client.answer().await;
    assert_eq!((head.status, &body["content"][0]["text"]), (200, &"Hello".into()));
    let log = scene.backend.log();
    assert!(log.requests[2].get("reasoning_effort").is_none() && log.requests[2]["max_tokens"].as_u64() < Some(32_768));
}

/// A server that says the same again and again gets no third chance.
#[tokio::test(start_paused = true)]
async fn a_lesson_is_learned_once() {
    for message in ["Unrecognized request argument supplied: reasoning_effort", TOO_LARGE] {
        let scene = Scene::new().await;
        for _ in 0..8 {
            scene.backend.script([refusal(message)]);
        }
        let mut question = question(true);
        question["thinking"] = json!({"type": "enabled", "budget_tokens": 2000});
        let mut client = scene.client().await;
        client.post(&question).await;
        let (head, body) = client.answer().await;
        assert_eq!((head.status, &body["error"]["type"]), (400, &"invalid_request_error".into()));
        assert_eq!(scene.backend.log().requests.len(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_plain_refusal_is_not_repeated() {
    let scene = Scene::new().await;
    scene.backend.script([refusal("messages[1]: this will not do")]);
    assert_eq!(scene.stream().await.answer().await.0.status, 400);
    assert_eq!(scene.backend.log().requests.len(), 1);
}
