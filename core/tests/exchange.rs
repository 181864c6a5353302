//! A request and its answer without a socket: what a door in the server's own process relies on.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::sync::Arc;

use anyclaude_core::exchange::{Exchange, MAX_TRIES, MessagesApi, ReadAs, Received, Refusal};
use anyclaude_core::{Progress, Timestamp, Translator};
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp(1_000_000);

fn api(settings: &Value) -> Arc<MessagesApi> {
    Arc::new(MessagesApi::new(Translator::from_config_json(settings.to_string().as_bytes()).unwrap()))
}

fn ask(api: &Arc<MessagesApi>, more: &Value) -> Exchange {
    let mut request = json!({"model": "claude-x", "max_tokens": 5000, "stream": true,
        "messages": [{"role": "user", "content": "Hi"}]});
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let received = Received { now: NOW, ..Received::default() };
    api.exchange(&received, request.to_string().as_bytes()).unwrap()
}

fn body(exchange: &Exchange) -> Value {
    serde_json::from_slice(exchange.body()).unwrap()
}

fn refusal(status: u16, message: &str) -> Refusal {
    let body = json!({"error": {"message": message}}).to_string().into_bytes();
    Refusal { status, body, ..Refusal::default() }
}

#[test]
fn a_parameter_that_is_refused_is_left_out_from_then_on() {
    let api = api(&json!({}));
    let mut exchange = ask(&api, &json!({}));
    assert!(body(&exchange).get("stream_options").is_some());
    exchange.refused(&refusal(400, "Unrecognized request argument: stream_options")).unwrap();
    assert!(body(&exchange).get("stream_options").is_none());
    assert_eq!(exchange.end(NOW).len(), 1, "the log is told");
    assert_eq!(exchange.end(NOW), [""; 0]);
    assert!(body(&ask(&api, &json!({}))).get("stream_options").is_none());
}

#[test]
fn a_window_that_is_told_bounds_this_answer_and_the_next() {
    let api = api(&json!({"model": "m"}));
    let mut exchange = ask(&api, &json!({}));
    let told = "This model's maximum context length is 4096 tokens. However, you requested 5010 tokens \
                (10 in the messages, 5000 in the completion). Please reduce the length of the messages or completion.";
    exchange.refused(&refusal(400, told)).unwrap();
    let smaller = body(&exchange)["max_tokens"].as_u64().unwrap();
    assert!(smaller < 4096, "{smaller}");
    // A bare estimate of the prompt must not cut an answer short: then the window alone bounds it.
    assert_eq!(body(&ask(&api, &json!({})))["max_tokens"], 4096);
}

#[test]
fn a_refusal_that_teaches_nothing_is_the_clients() {
    let api = api(&json!({}));
    let mut exchange = ask(&api, &json!({}));
    let error = exchange.refused(&refusal(429, "slow down")).unwrap_err();
    assert_eq!(error.status, 429);
    // However much is learned, it ends.
    let mut exchange = ask(&api, &json!({"temperature": 0.5, "top_p": 0.5, "stop_sequences": ["x"]}));
    let refused = ["stream_options", "'temperature'", "top_p", "'stop'"];
    let refusals = refused.map(|name| refusal(400, &format!("Unrecognized request argument supplied: {name}")));
    let tries = refusals.iter().take_while(|refusal| exchange.refused(refusal).is_ok()).count();
    assert_eq!(tries, MAX_TRIES - 1);
}

#[test]
fn the_head_tells_how_the_body_is_read() {
    let api = api(&json!({}));
    let (stream, whole) = (ask(&api, &json!({})), ask(&api, &json!({"stream": false})));
    assert_eq!(stream.reading(200, "text/event-stream; charset=utf-8"), ReadAs::Events);
    assert_eq!(stream.reading(200, "application/json"), ReadAs::Whole);
    assert_eq!(whole.reading(200, "application/json"), ReadAs::Whole);
    // Some servers stream whatever they are asked for.
    assert_eq!(whole.reading(200, "text/event-stream"), ReadAs::Whole);
    for (status, kind) in [(200, "text/html"), (302, ""), (404, "application/json"), (500, "text/event-stream")] {
        assert_eq!(stream.reading(status, kind), ReadAs::Refusal, "{status} {kind}");
    }
}

#[test]
fn models_are_asked_for_where_they_decide() {
    let now = |seconds: u64| Timestamp(NOW.0 + seconds * 1000);
    let lists = api(&json!({}));
    let exchange = ask(&lists, &json!({}));
    assert!(lists.wants_models(exchange.context(), NOW));
    lists.told_list(None, NOW);
    assert!(!lists.wants_models(exchange.context(), now(1)), "it has just told nothing");
    assert!(lists.wants_models(exchange.context(), now(4)));
    lists.told_list(Some(br#"{"data":[{"id":"tiny","max_model_len":2000}]}"#), now(4));
    let exchange = ask(&lists, &json!({}));
    assert!(!lists.wants_models(exchange.context(), now(100)));
    assert_eq!(body(&exchange)["model"], "tiny");
    assert_eq!(body(&exchange)["max_tokens"], 2000);

    let named = api(&json!({"model": "mine"}));
    assert!(!named.wants_models(ask(&named, &json!({})).context(), NOW));
}

#[test]
fn a_stream_that_began_before_the_second_try_goes_on() {
    let api = api(&json!({}));
    let mut exchange = ask(&api, &json!({}));
    let mut out = Vec::new();
    exchange.start(&mut out);
    exchange.refused(&refusal(400, "Unrecognized request argument: stream_options")).unwrap();
    exchange.push(b"data: {\"choices\":[{\"delta\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}]}\n\n", &mut out);
    exchange.finish(&mut out);
    assert_eq!(exchange.progress(), Progress::Ended);
    let text = String::from_utf8(out).unwrap();
    assert_eq!((text.matches("event: message_start").count(), text.matches("event: message_stop").count()), (1, 1));
}
