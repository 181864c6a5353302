//! What the program that embeds the proxy is told: events, and the log of this proxy alone.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use anyclaude_core::proxy::{BackendChoice, Events, ProxyEvent};
use anyclaude_core::{Config, ErrorKind, blocking};
use serde_json::{Value, json};

use crate::clock::wait;
use crate::scene::Scene;
use crate::steps::Step::Silence;
use crate::steps::{answer, delta, end, finish, head, text};

/// The next `count` events as JSON, without what differs from run to run.
async fn told(events: &Events, count: usize) -> Vec<Value> {
    let mut told = Vec::new();
    for _ in 0..count {
        let event = wait("an event", events.next()).await.unwrap();
        let mut event: Value = serde_json::from_str(&event.to_json()).unwrap();
        let fields = event.as_object_mut().unwrap();
        assert!(fields.remove("request_id").unwrap().as_str().unwrap().starts_with("req_"));
        fields.remove("ms");
        told.push(event);
    }
    told
}

fn started(stream: bool) -> Value {
    json!({
        "type": "request_started", "model": "claude-opus-5-5", "backend_model": "scripted", "stream": stream,
        "estimated_input_tokens": 51,
    })
}

#[tokio::test(start_paused = true)]
async fn a_request_from_its_start_to_its_end() {
    let scene = Scene::new().await;
    let events = scene.proxy.events();
    let call = json!({"index": 0, "id": "call_1", "function": {"name": "Bash", "arguments": r#"{"command":"ls"}"#}});
    let call = delta(&json!({"tool_calls": [call]}));
    scene.backend.script([head(), text("Well"), call, finish("tool_calls"), end()]);
    let mut client = scene.stream().await;
    client.head().await;
    client.events().await;
    let told = told(&events, 4).await;
    assert_eq!(told.first(), Some(&started(true)));
    assert_eq!(told.get(1), Some(&json!({"type": "first_token"})));
    let id = told.get(2).unwrap().get("id").unwrap();
    assert_eq!(told.get(2), Some(&json!({"type": "tool_call", "id": id, "name": "Bash"})));
    let done = told.get(3).unwrap();
    assert_eq!((done["type"].as_str(), done["status"].as_u64()), (Some("done"), Some(200)));
    assert_eq!(done["stop_reason"], "tool_use");
    assert!(done["output_tokens"].as_u64().unwrap() > 0);
}

/// Some servers answer whole although they were asked for a stream.
#[tokio::test(start_paused = true)]
async fn a_whole_answer_to_a_streaming_client() {
    let scene = Scene::new().await;
    let events = scene.proxy.events();
    let said = r#"{"choices":[{"index":0,"message":{"content":"Well"},"finish_reason":"stop"}]}"#;
    scene.backend.script([answer(200, &[], said)]);
    let mut client = scene.stream().await;
    client.head().await;
    client.events().await;
    let types: Vec<_> = told(&events, 3).await.iter().map(|event| event["type"].clone()).collect();
    assert_eq!(types, ["request_started", "first_token", "done"]);
}

/// Models make up names of any length, and nobody may be pulling.
#[tokio::test(start_paused = true)]
async fn what_is_long_is_cut() {
    let scene = Scene::new().await;
    let events = scene.proxy.events();
    let call = json!({"index": 0, "id": "call_1", "function": {"name": "x".repeat(200_000), "arguments": "{}"}});
    scene.backend.script([head(), delta(&json!({"tool_calls": [call]})), finish("tool_calls"), end()]);
    let mut client = scene.stream().await;
    client.head().await;
    client.events().await;
    scene.proxy.stop(Duration::ZERO).await;
    let mut lengths = Vec::new();
    while let Some(event) = events.next().await {
        lengths.push(event.to_json().len());
    }
    assert!(lengths.len() == 4 && lengths.iter().all(|length| *length < 2000), "{lengths:?}");
}

#[tokio::test(start_paused = true)]
async fn failures_and_clients_that_go_away() {
    let scene = Scene::new().await;
    let events = scene.proxy.events();
    scene.backend.script([answer(503, &[], r#"{"error":{"message":"still loading"}}"#)]);
    scene.whole().await.answer().await;
    let failed = told(&events, 2).await;
    assert_eq!(failed.first(), Some(&started(false)));
    let error = failed.get(1).unwrap();
    assert_eq!((error["type"].as_str(), error["kind"].as_str()), (Some("error"), Some("api_error")));
    assert!(error["message"].as_str().unwrap().contains("still loading"));

    scene.backend.script([head(), text("Half"), Silence]);
    let mut client = scene.stream().await;
    client.head().await;
    client.event_named("content_block_delta").await;
    drop(client);
    let left = told(&events, 3).await;
    assert_eq!(left.last(), Some(&json!({"type": "cancelled"})));

    scene.proxy.stop(Duration::ZERO).await;
    assert_eq!(events.next().await, None);
}

fn demo() -> Config {
    let mut config = Config::default();
    config.backend = "demo".to_owned();
    config
}

/// A request over a plain socket: the tests of a blocking proxy have no runtime.
fn ask(url: &str) -> String {
    use std::io::{Read, Write};
    let body = r#"{"model":"claude-opus-5-5","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#;
    let mut socket = std::net::TcpStream::connect(url.trim_start_matches("http://")).unwrap();
    write!(
        socket,
        "POST /v1/messages HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_blocking_proxy_logs_into_its_own_sink_until_it_stops() {
    let records = Arc::new(Mutex::new(Vec::<Value>::new()));
    let kept = Arc::clone(&records);
    let log = blocking::Log::new("info", move |record| {
        kept.lock().unwrap().push(serde_json::from_slice(record).unwrap());
    });
    let proxy = blocking::start_proxy_with(demo(), Some(log.unwrap())).unwrap();
    let other = blocking::start_proxy(demo()).unwrap();
    assert!(ask(&proxy.base_url()).contains("200 OK"));
    assert!(ask(&other.base_url()).contains("200 OK"));
    proxy.stop(Duration::from_secs(5)).unwrap();
    proxy.stop(Duration::ZERO).unwrap();
    // The sink is gone, so that nothing comes any more.
    let records = Arc::into_inner(records).unwrap().into_inner().unwrap();
    let answered: Vec<_> = records.iter().filter(|record| record["message"] == "answered").collect();
    let [answered] = answered.as_slice() else { panic!("{records:?}") };
    assert!(answered["request_id"].as_str().unwrap().starts_with("req_"));
    assert_eq!(answered["fields"]["model"], "claude-opus-5-5");
}

/// The calls that would wait for the thread that they are made on are refused, and nothing is worse for it.
#[test]
fn the_sink_of_a_log_may_call_the_proxy() {
    static PROXY: OnceLock<blocking::ProxyHandle> = OnceLock::new();
    let refused = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&refused);
    let dropped = Dropped(Arc::clone(&refused));
    let log = blocking::Log::new("info", move |_| {
        let _ = &dropped;
        let Some(proxy) = PROXY.get() else { return };
        let kinds = [
            proxy.stop(Duration::ZERO).map_err(|error| error.kind()),
            proxy.set_backend(BackendChoice::new("demo")).map(drop).map_err(|error| error.kind()),
            proxy.next_event(Duration::MAX).map(drop).map_err(|error| error.kind()),
            proxy.wait_event(Duration::MAX).map(drop).map_err(|error| error.kind()),
        ];
        kept.lock().unwrap().extend(kinds);
    });
    /// What belongs to the sink calls the proxy while it is dropped.
    struct Dropped(Arc<Mutex<Vec<Result<(), ErrorKind>>>>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            let stopped = PROXY.get().unwrap().stop(Duration::ZERO).map_err(|error| error.kind());
            self.0.lock().unwrap().push(stopped);
        }
    }
    let proxy = PROXY.get_or_init(|| blocking::start_proxy_with(demo(), Some(log.unwrap())).unwrap());
    assert!(ask(&proxy.base_url()).contains("200 OK"));
    proxy.set_backend(BackendChoice::new("demo")).unwrap();
    proxy.stop(Duration::from_secs(5)).unwrap();
    let refused = refused.lock().unwrap();
    assert!(refused.len() > 8, "{refused:?}");
    assert!(refused.iter().all(|kind| *kind == Err(ErrorKind::WouldDeadlock)), "{refused:?}");
}

#[test]
fn a_blocking_proxy_is_stopped_by_any_thread_but_its_own() {
    let proxy = Arc::new(blocking::start_proxy(demo()).unwrap());
    ask(&proxy.base_url());
    while !matches!(proxy.next_event(Duration::MAX), Ok(Some(ProxyEvent::Done { .. }))) {}
    assert_eq!(proxy.next_event(Duration::from_millis(1)).unwrap(), None);
    let waiting = Arc::clone(&proxy);
    let puller = std::thread::spawn(move || waiting.next_event(Duration::MAX));

    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let refused = runtime.block_on(async { proxy.stop(Duration::ZERO) }).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::WouldDeadlock);
    assert!(!puller.is_finished());

    proxy.stop(Duration::ZERO).unwrap();
    assert_eq!(puller.join().unwrap().unwrap_err().kind(), ErrorKind::Stopped);
    assert_eq!(proxy.stats().requests, 1);
    std::net::TcpStream::connect(proxy.addr()).expect_err("the port is closed");
}
