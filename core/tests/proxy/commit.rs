//! Refusals: statuses while nothing has been committed, error events afterwards.

use std::time::Duration;

use crate::scene::Scene;
use crate::steps::Step::Pass;
use crate::steps::answer;

struct Refusal {
    status: u16,
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
    /// What the client gets: status, type, `retry-after`, `x-should-retry`.
    expect: (u16, &'static str, Option<&'static str>, Option<&'static str>),
}

const REFUSALS: &[Refusal] = &[
    Refusal {
        status: 400,
        headers: &[],
        body: r#"{"error":{"message":"messages[1]: this will not do","type":"invalid_request_error"}}"#,
        expect: (400, "invalid_request_error", None, None),
    },
    Refusal {
        status: 429,
        headers: &[("retry-after", "7")],
        body: r#"{"error":{"message":"Rate limit reached for requests","type":"requests"}}"#,
        expect: (429, "rate_limit_error", Some("7"), None),
    },
    Refusal {
        status: 429,
        headers: &[],
        body: r#"{"error":{"message":"You exceeded your current quota","code":"insufficient_quota"}}"#,
        expect: (429, "rate_limit_error", None, Some("false")),
    },
    Refusal {
        status: 503,
        headers: &[("retry-after", "3")],
        body: r#"{"error":{"message":"Loading model","code":503}}"#,
        expect: (503, "api_error", Some("3"), None),
    },
    Refusal {
        status: 404,
        headers: &[],
        body: r#"{"detail":"Not Found"}"#,
        expect: (502, "api_error", None, Some("false")),
    },
];

#[tokio::test(start_paused = true)]
async fn at_once_they_are_statuses() {
    let scene = Scene::new().await;
    for refusal in REFUSALS {
        for stream in [true, false] {
            scene.backend.script([answer(refusal.status, refusal.headers, refusal.body)]);
            let mut client = if stream { scene.stream().await } else { scene.whole().await };
            let (head, body) = client.answer().await;
            let kind = body["error"]["type"].as_str().unwrap();
            let got = (head.status, kind, head.header("retry-after"), head.header("x-should-retry"));
            assert_eq!(got, refusal.expect, "{body}");
            assert_eq!(body["type"], "error");
            assert_eq!(body["request_id"].as_str(), head.header("request-id"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn two_seconds_later_they_are_events() {
    let scene = Scene::new().await;
    for refusal in REFUSALS {
        scene.backend.script([Pass(Duration::from_secs(2)), answer(refusal.status, refusal.headers, refusal.body)]);
        let mut client = scene.stream().await;
        assert_eq!(client.head().await.status, 200);
        let events = client.events().await;
        let names: Vec<&str> = events.iter().map(|event| event.name.as_str()).collect();
        assert_eq!(names, ["message_start", "error"]);
        assert_eq!(events[1].data["error"]["type"], refusal.expect.1);
    }
}

/// Without a stream nothing is committed, however long it takes.
#[tokio::test(start_paused = true)]
async fn without_a_stream_they_stay_statuses() {
    let scene = Scene::new().await;
    for refusal in REFUSALS {
        scene.backend.script([Pass(Duration::from_secs(300)), answer(refusal.status, refusal.headers, refusal.body)]);
        let (head, body) = scene.whole().await.answer().await;
        assert_eq!((head.status, body["error"]["type"].as_str().unwrap()), (refusal.expect.0, refusal.expect.1));
    }
}

#[tokio::test(start_paused = true)]
async fn the_limit_is_a_setting() {
    let scene = Scene::with(|config| config.commit_after = Duration::from_secs(60)).await;
    let refusal = &REFUSALS[1];
    scene.backend.script([Pass(Duration::from_secs(59)), answer(refusal.status, refusal.headers, refusal.body)]);
    assert_eq!(scene.stream().await.head().await.status, 429);
}
