//! The table of ends in the crate's documentation, every cell of it, through the proxy.

use std::time::Duration;

use serde_json::json;

use crate::client;
use crate::scene::Scene;
use crate::steps::Step::{self, Close, Pass, Reset, Silence};
use crate::steps::{begun, delta, end, event, finish, head, text};

/// What the backend has sent, and the turn that all causes but success then end in.
struct Row {
    name: &'static str,
    sent: Vec<Step>,
    completes: bool,
}

fn call(arguments: &str) -> Step {
    let function = json!({"name": "Bash", "arguments": arguments});
    delta(&json!({"tool_calls": [{"index": 0, "id": "call_0", "type": "function", "function": function}]}))
}

fn rows() -> Vec<Row> {
    let row = |name, sent, completes| Row { name, sent, completes };
    vec![
        row("nothing", vec![delta(&json!({"role": "assistant"}))], false),
        row("thinking", vec![delta(&json!({"reasoning_content": "Let me see"}))], false),
        row("text", vec![text("Half an ans")], false),
        row("an open call", vec![call(r#"{"comm"#)], false),
        row("text and an open call", vec![text("So"), call("")], false),
        row("a complete call", vec![call(r#"{"command":"ls"}"#)], true),
        row("text and a complete call", vec![text("So"), call(r#"{"command":"ls"}"#)], true),
    ]
}

fn failure() -> Step {
    event(&json!({"error": {"message": "the GPU is on fire", "type": "server_error", "code": 500}}))
}

/// Sends what a row says, then breaks off.
async fn check(row: &Row, cause: &str, last: Vec<Step>) {
    let place = format!("{}, {cause}", row.name);
    let scene = Scene::new().await;
    let is_silent = matches!(last.last(), Some(Silence));
    scene.backend.script([head()].into_iter().chain(row.sent.clone()).chain(last));
    let mut client = scene.stream().await;
    assert_eq!(client.head().await.status, 200, "{place}");
    client.event_named("message_start").await;
    let time = if is_silent { Duration::from_secs(125) } else { Duration::ZERO };
    scene.clock.settle().await;
    let (events, ()) = tokio::join!(client.events(), scene.clock.pass(time));
    let ending: Vec<&str> = events.iter().map(|event| event.name.as_str()).filter(|&name| name != "ping").collect();
    if row.completes {
        assert!(ending.ends_with(&["content_block_stop", "message_delta", "message_stop"]), "{place}: {ending:?}");
        let told = &events.iter().find(|event| event.name == "message_delta").unwrap().data;
        assert_eq!(told["delta"]["stop_reason"], "tool_use", "{place}");
    } else {
        assert_eq!(ending.last(), Some(&"error"), "{place}: {ending:?}");
        assert!(!ending.contains(&"message_delta") && !ending.contains(&"message_stop"), "{place}: {ending:?}");
        let error = &events.last().unwrap().data["error"];
        assert_eq!(error["type"], "api_error", "{place}");
        assert!(cause != "error object" || error["message"].as_str().unwrap().contains("on fire"), "{place}: {error}");
    }
    let stats = scene.proxy.stats();
    assert_eq!((stats.errors, stats.cancelled), (u64::from(!row.completes), 0), "{place}");
}

#[tokio::test(start_paused = true)]
async fn closed_early() {
    for row in rows() {
        check(&row, "the body ends", vec![end()]).await;
        check(&row, "closed inside of the body", vec![Close]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn connection_reset() {
    for row in rows() {
        check(&row, "reset", vec![Step::Settle, Reset]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn error_object() {
    for row in rows() {
        check(&row, "error object", vec![failure(), end()]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn silence() {
    for row in rows() {
        if row.name != "nothing" {
            check(&row, "silence", vec![Silence]).await;
        }
    }
}

/// The one cell of silence that is none of an end.
#[tokio::test(start_paused = true)]
async fn silence_before_the_first_token_is_patience() {
    let scene = Scene::new().await;
    let role = delta(&json!({"role": "assistant"}));
    scene.backend.script([head(), role, Pass(Duration::from_secs(1800)), text("Done"), finish("stop"), end()]);
    let mut client = scene.stream().await;
    client.head().await;
    let events = client.events().await;
    assert!(client::pings(&events) > 350);
    assert_eq!(client::text(&events), "Done");
    assert_eq!(events.last().unwrap().name, "message_stop");
}

/// What was asked for has come: the counts and the close are no part of the answer.
#[tokio::test(start_paused = true)]
async fn behind_a_finish_reason_nothing_can_go_wrong() {
    for last in [vec![Close], vec![Step::Settle, Reset], vec![failure(), end()], vec![Silence]] {
        let scene = Scene::new().await;
        scene.backend.script([head(), text("All of it"), finish("stop")].into_iter().chain(last.clone()));
        let mut client = scene.stream().await;
        client.head().await;
        let (events, ()) = tokio::join!(client.events(), scene.clock.pass(Duration::from_secs(6)));
        assert_eq!(events.last().unwrap().name, "message_stop", "{last:?}");
        assert_eq!(client::text(&events), "All of it");
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_stream_a_break_is_a_status() {
    let half = || begun(200, r#"{"choices":"#);
    for script in [vec![Reset], vec![Close], vec![half(), Step::Settle, Reset], vec![half(), Close]] {
        let scene = Scene::new().await;
        scene.backend.script(script.clone());
        let (answer, body) = scene.whole().await.answer().await;
        assert_eq!((answer.status, &body["error"]["type"]), (502, &"api_error".into()), "{script:?}");
    }
}
