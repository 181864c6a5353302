//! Who gets in, asked through a socket.

use anyclaude_core::Secret;
use serde_json::Value;

use crate::client::{Client, Head};
use crate::scene::{Scene, question};
use crate::steps::answer;

async fn post(scene: &Scene, headers: &str) -> (Head, Value) {
    let mut client = scene.client().await;
    client.post_with(headers, &question(false)).await;
    client.answer().await
}

fn hello(scene: &Scene) {
    let body = r#"{"choices":[{"message":{"content":"Hello"},"finish_reason":"stop"}]}"#;
    scene.backend.script([answer(200, &[], body)]);
}

#[tokio::test(start_paused = true)]
async fn names_that_are_not_ours_and_pages_stay_outside() {
    let scene = Scene::new().await;
    for headers in [
        "host: evil.example\r\n",
        "host: localhost.evil.example:80\r\n",
        "origin: http://evil.example\r\n",
        "origin: null\r\n",
        "host: localhost\r\norigin: http://localhost\r\n",
    ] {
        let (head, body) = post(&scene, headers).await;
        assert_eq!((head.status, &body["error"]["type"]), (403, &"permission_error".into()), "{headers}");
        assert_eq!(head.header("access-control-allow-origin"), None);
    }
    assert!(scene.backend.log().requests.is_empty());
    for headers in ["host: 127.0.0.1:9\r\n", "host: LOCALHOST\r\n", "host: [::1]:1\r\n"] {
        hello(&scene);
        assert_eq!(post(&scene, headers).await.0.status, 200, "{headers}");
    }
}

/// A target with a name in it counts, whatever the header says.
#[tokio::test(start_paused = true)]
async fn the_target_of_a_request_is_a_name_too() {
    let scene = Scene::new().await;
    for (target, host, status) in [
        ("http://evil.example/health", "localhost", 403),
        ("http://localhost/health", "localhost", 200),
        ("/health", "evil.example", 403),
    ] {
        let mut client = scene.client().await;
        client.send(format!("GET {target} HTTP/1.1\r\nhost: {host}\r\n\r\n")).await;
        assert_eq!(client.answer().await.0.status, status, "{target} at {host}");
    }
    let mut client = scene.client().await;
    client.send("GET /health HTTP/1.1\r\n\r\n").await;
    assert_eq!(client.answer().await.0.status, 400, "no host at all");
}

#[tokio::test(start_paused = true)]
async fn what_is_allowed_gets_in() {
    let scene = Scene::with(|config| {
        config.allowed_hosts = vec!["my.box".to_owned()];
        config.allowed_origins = vec!["http://my.page".to_owned()];
    })
    .await;
    hello(&scene);
    assert_eq!(post(&scene, "host: my.box:8\r\norigin: http://my.page\r\n").await.0.status, 200);
}

#[tokio::test(start_paused = true)]
async fn the_token_is_asked_of_every_path() {
    let scene = Scene::with(|config| config.inbound_token = Some(Secret::new("s3cret"))).await;
    for headers in ["", "x-api-key: s3cre\r\n", "authorization: s3cret\r\n", "authorization: Bearer s3cret2\r\n"] {
        let (head, body) = post(&scene, headers).await;
        assert_eq!((head.status, &body["error"]["type"]), (401, &"authentication_error".into()), "{headers}");
        assert_eq!(head.header("x-should-retry"), Some("false"));
        assert!(!body.to_string().contains("s3cret"));
    }
    for path in ["/v1/models", "/v1/messages/count_tokens", "/health/ready", "/api/event"] {
        let mut client: Client = scene.client().await;
        client.send(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n")).await;
        assert_eq!(client.answer().await.0.status, 401, "{path}");
    }
    assert!(scene.backend.log().requests.is_empty());
    for headers in ["x-api-key: s3cret\r\n", "authorization: Bearer s3cret\r\n"] {
        hello(&scene);
        assert_eq!(post(&scene, headers).await.0.status, 200, "{headers}");
    }
}
