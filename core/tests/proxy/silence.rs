//! A backend that says nothing for a while, or for ever.

use std::time::Duration;

use crate::client::{self, longest_gap, pings};
use crate::scene::Scene;
use crate::steps::Step::{Pass, Silence};
use crate::steps::{answer, begun, delta, end, finish, head, text};

const TEN_MINUTES: Duration = Duration::from_secs(600);

/// The interval of pings, and a second for what else has its time.
const GAP: Duration = Duration::from_secs(6);

#[tokio::test(start_paused = true)]
async fn ten_minutes_before_the_head_are_full_of_pings() {
    let scene = Scene::new().await;
    scene.backend.script([Pass(TEN_MINUTES), head(), text("At last"), finish("stop"), end()]);
    let mut client = scene.stream().await;
    assert_eq!(client.head().await.status, 200);
    let events = client.events().await;
    assert_eq!(client::text(&events), "At last");
    assert_eq!(events.last().unwrap().name, "message_stop");
    assert!((115..=120).contains(&pings(&events)), "{} pings", pings(&events));
    assert!(longest_gap(&events) <= GAP, "{:?}", longest_gap(&events));
}

#[tokio::test(start_paused = true)]
async fn ten_minutes_between_head_and_first_token_as_well() {
    let scene = Scene::new().await;
    let role = delta(&serde_json::json!({"role": "assistant", "content": ""}));
    scene.backend.script([head(), role, Pass(TEN_MINUTES), text("At last"), finish("stop"), end()]);
    let mut client = scene.stream().await;
    assert_eq!(client.head().await.status, 200);
    let events = client.events().await;
    assert_eq!(client::text(&events), "At last");
    assert!((115..=120).contains(&pings(&events)), "{} pings", pings(&events));
    assert!(longest_gap(&events) <= GAP, "{:?}", longest_gap(&events));
}

#[tokio::test(start_paused = true)]
async fn ten_minutes_in_the_middle_when_no_patience_is_set() {
    let scene = Scene::with(|config| config.stall_timeout = None).await;
    scene.backend.script([head(), text("Half"), Pass(TEN_MINUTES), text(" and half"), finish("stop"), end()]);
    let mut client = scene.stream().await;
    client.head().await;
    let events = client.events().await;
    assert_eq!(client::text(&events), "Half and half");
    assert!((115..=120).contains(&pings(&events)), "{} pings", pings(&events));
    assert!(longest_gap(&events) <= GAP, "{:?}", longest_gap(&events));
}

/// Every token begins the patience anew.
#[tokio::test(start_paused = true)]
async fn a_slow_answer_is_no_silence() {
    let scene = Scene::new().await;
    let slow = |word| [Pass(Duration::from_secs(100)), text(word)];
    let tokens = ["a", "b", "c", "d"].into_iter().flat_map(slow);
    scene.backend.script([head()].into_iter().chain(tokens).chain([finish("stop"), end()]));
    let mut client = scene.stream().await;
    client.head().await;
    let events = client.events().await;
    assert_eq!(client::text(&events), "abcd");
    assert_eq!(events.last().unwrap().name, "message_stop");
}

#[tokio::test(start_paused = true)]
async fn silence_behind_the_first_token_ends_with_an_error() {
    let scene = Scene::new().await;
    scene.backend.script([head(), text("Half"), Silence]);
    let mut client = scene.stream().await;
    client.head().await;
    let first = client.event_named("content_block_delta").await;
    let (events, ()) = tokio::join!(client.events(), scene.clock.pass(Duration::from_secs(130)));
    let last = events.last().unwrap();
    assert_eq!((last.name.as_str(), &last.data["error"]["type"]), ("error", &"api_error".into()));
    assert!(last.data["error"]["message"].as_str().unwrap().contains("120"), "{}", last.data);
    assert!(last.at - first.at >= Duration::from_secs(120));
    assert!((20..=24).contains(&pings(&events)), "{} pings", pings(&events));
    scene.backend.until("the proxy leaves the silent backend", |log| log.left == 1).await;
}

#[tokio::test(start_paused = true)]
async fn the_first_byte_may_be_limited() {
    let limit = Duration::from_secs(30);
    let scene = Scene::with(|config| config.first_byte_timeout = Some(limit)).await;
    for script in [vec![Silence], vec![head(), Silence]] {
        let left = scene.backend.log().left;
        let asked = scene.backend.log().requests.len();
        scene.backend.script(script);
        let mut client = scene.stream().await;
        scene.backend.until("the request", |log| log.requests.len() > asked).await;
        scene.clock.settle().await;
        let read = async {
            client.head().await;
            client.events().await
        };
        let (events, ()) = tokio::join!(read, scene.clock.pass(limit + Duration::from_secs(1)));
        assert_eq!(events.last().unwrap().name, "error");
        scene.backend.until("the proxy leaves the silent backend", |log| log.left > left).await;
    }
}

/// Without a stream there is nothing to ping through, and a status tells best.
#[tokio::test(start_paused = true)]
async fn a_limited_first_byte_is_a_status_without_a_stream() {
    let limit = Duration::from_secs(30);
    let scene = Scene::with(|config| config.first_byte_timeout = Some(limit)).await;
    scene.backend.script([Silence]);
    let mut client = scene.whole().await;
    scene.backend.until("the request", |log| log.requests.len() == 1).await;
    let ((head, body), ()) = tokio::join!(client.answer(), scene.clock.pass(limit + Duration::from_secs(1)));
    assert_eq!((head.status, &body["error"]["type"]), (504, &"api_error".into()));
    scene.backend.until("the proxy leaves the silent backend", |log| log.left == 1).await;
}

/// A server that was asked to stream and sends one answer, in its own time.
#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_streamed_is_waited_for_with_pings() {
    let scene = Scene::new().await;
    let whole = r#"{"choices":[{"message":{"content":"All at once"},"finish_reason":"stop"}]}"#;
    scene.backend.script([Pass(TEN_MINUTES), answer(200, &[], whole)]);
    let mut client = scene.stream().await;
    client.head().await;
    let events = client.events().await;
    assert_eq!(client::text(&events), "All at once");
    assert!(longest_gap(&events) <= GAP, "{:?}", longest_gap(&events));
}

/// One answer that stops in its middle, asked for as a stream and as a whole.
#[tokio::test(start_paused = true)]
async fn half_an_answer_is_not_waited_for() {
    for stream in [true, false] {
        let scene = Scene::new().await;
        scene.backend.script([begun(200, r#"{"choices":"#), Silence]);
        let mut client = if stream { scene.stream().await } else { scene.whole().await };
        scene.backend.until("the request", |log| log.requests.len() == 1).await;
        scene.clock.settle().await;
        let read = async {
            if !stream {
                return client.answer().await.1;
            }
            client.head().await;
            client.event_named("error").await.data
        };
        let (error, ()) = tokio::join!(read, scene.clock.pass(Duration::from_secs(121)));
        assert_eq!(error["error"]["type"], "api_error");
        assert!(error["error"]["message"].as_str().unwrap().contains("silent for 120 s"), "{error}");
        scene.backend.until("the proxy leaves the silent backend", |log| log.left == 1).await;
    }
}

/// The status of a refusal says enough when its body does not come.
#[tokio::test(start_paused = true)]
async fn half_a_refusal_is_not_waited_for() {
    for body in ["", r#"{"error":{"message":"the GPU is on fire"#] {
        let scene = Scene::new().await;
        scene.backend.script([begun(429, body), Silence]);
        let mut client = scene.whole().await;
        scene.backend.until("the request", |log| log.requests.len() == 1).await;
        scene.clock.settle().await;
        let ((head, body), ()) = tokio::join!(client.answer(), scene.clock.pass(Duration::from_secs(11)));
        assert_eq!((head.status, &body["error"]["type"]), (429, &"rate_limit_error".into()));
    }
}
