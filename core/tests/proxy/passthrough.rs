//! For Anthropic itself nothing is translated: bytes in, bytes out.

use anyclaude_core::{Config, SIGNATURE, Secret};

use crate::client::Head;
use crate::scene::Scene;
use crate::steps::{Step, answer};

async fn scene(change: impl FnOnce(&mut Config)) -> Scene {
    Scene::with(|config| {
        config.backend = "anthropic".to_owned();
        config.model = None;
        change(config);
    })
    .await
}

/// The request as it arrived: its line, its headers without `host`, its body.
fn arrived(scene: &Scene, index: usize) -> (String, Vec<String>, Vec<u8>) {
    let raw = &scene.backend.log().raw[index];
    let end = memchr::memmem::find(raw, b"\r\n\r\n").unwrap();
    let head = String::from_utf8(raw[..end].to_vec()).unwrap();
    let mut lines = head.lines().map(str::to_owned);
    let line = lines.next().unwrap();
    let mut headers: Vec<String> = lines.filter(|line| !line.starts_with("host: ")).collect();
    headers.sort();
    (line, headers, raw[end + 4..].to_vec())
}

async fn send(scene: &Scene, request: &str) -> (Head, Vec<u8>) {
    let mut client = scene.client().await;
    client.send(request).await;
    let head = client.head().await;
    let body = client.body(&head).await;
    (head, body)
}

#[tokio::test(start_paused = true)]
async fn requests_and_answers_pass_byte_for_byte() {
    let scene = scene(|_| {}).await;
    let body = "{ \"model\":\"claude-x\",\n \"messages\":[ ], \"x\" : 1.0e3, \"dup\":1, \"dup\":2 }";
    let events = "event: message_start\ndata: {\"odd\":  \"spacing\"}\n\n";
    let chunked = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nrequest-id: req_theirs\r\nanthropic-ratelimit-x: 5\r\n\
         transfer-encoding: chunked\r\n\r\n{:x}\r\n{events}\r\n0\r\n\r\n",
        events.len()
    );
    scene.backend.script([Step::Write(chunked.into_bytes())]);
    let headers =
        "accept: application/json\r\nanthropic-beta: a-1,b-2\r\nauthorization: Bearer sk-ant-oat01-secret\r\n";
    let length = body.len();
    let request = format!(
        "POST /v1/messages?beta=true HTTP/1.1\r\nhost: localhost\r\n{headers}connection: keep-alive, x-hop\r\nx-hop: 1\r\n\
         content-length: {length}\r\n\r\n{body}"
    );
    let (head, answer) = send(&scene, &request).await;
    let (line, sent, arrived_body) = arrived(&scene, 0);
    assert_eq!(line, "POST /v1/messages?beta=true HTTP/1.1");
    let mut wanted: Vec<String> = headers.lines().map(str::to_owned).collect();
    wanted.push(format!("content-length: {length}"));
    wanted.sort();
    assert_eq!(sent, wanted);
    assert_eq!(arrived_body, body.as_bytes());
    assert_eq!((head.status, head.header("request-id")), (200, Some("req_theirs")));
    assert_eq!(head.header("anthropic-ratelimit-x"), Some("5"));
    assert_eq!(answer, events.as_bytes());
}

#[tokio::test(start_paused = true)]
async fn errors_pass_as_they_are() {
    let scene = scene(|_| {}).await;
    let words = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"extra":[1]}"#;
    scene.backend.script([answer(529, &[("retry-after", "7"), ("x-should-retry", "true")], words)]);
    let request =
        "POST /v1/messages HTTP/1.1\r\nhost: localhost\r\nx-api-key: sk-ant-key1\r\ncontent-length: 2\r\n\r\n{}";
    let (head, body) = send(&scene, request).await;
    assert_eq!(
        (head.status, head.header("retry-after"), head.header("x-should-retry")),
        (529, Some("7"), Some("true"))
    );
    assert_eq!(body, words.as_bytes());
    assert_eq!((scene.proxy.stats().requests, scene.proxy.stats().errors), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn other_paths_pass_too() {
    let scene = scene(|_| {}).await;
    for (method, path) in [("GET", "/v1/models?limit=1000"), ("DELETE", "/v1/files/f%2F1"), ("GET", "/api/hello")] {
        scene.backend.script([answer(404, &[], "{}")]);
        let request = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nx-api-key: sk-ant-key1\r\n\r\n");
        assert_eq!(send(&scene, &request).await.0.status, 404);
        let count = scene.backend.log().raw.len();
        assert_eq!(arrived(&scene, count - 1).0, format!("{method} {path} HTTP/1.1"));
    }
}

#[tokio::test(start_paused = true)]
async fn only_thinking_of_our_own_is_cut() {
    let scene = scene(|_| {}).await;
    scene.backend.script([answer(200, &[], "{}")]);
    let theirs = r#"{"type":"thinking","thinking":"t","signature":"EqQB"}"#;
    let ours = format!(r#"{{"type":"thinking","thinking":"u","signature":"{SIGNATURE}"}}"#);
    let body = |blocks: &str| {
        format!(
            r#"{{"messages" : [{{"role":"assistant","content":[{blocks}{{"type":"text","text":"{SIGNATURE}"}}]}}]}}"#
        )
    };
    let sent = body(&format!("{theirs}, {ours} ,"));
    let request = format!(
        "POST /v1/messages HTTP/1.1\r\nhost: localhost\r\nx-api-key: sk-ant-key1\r\ncontent-length: {}\r\n\r\n{sent}",
        sent.len()
    );
    send(&scene, &request).await;
    let (_, headers, arrived_body) = arrived(&scene, 0);
    let text = String::from_utf8(arrived_body.clone()).unwrap();
    assert!(!text.contains(r#""thinking":"u""#) && text.contains(theirs), "{text}");
    let value: serde_json::Value = serde_json::from_slice(&arrived_body).unwrap();
    assert_eq!(value["messages"][0]["content"].as_array().unwrap().len(), 2);
    assert!(headers.contains(&format!("content-length: {}", arrived_body.len())));
}

#[tokio::test(start_paused = true)]
async fn the_proxys_own_token_is_no_login() {
    let scene = scene(|config| config.inbound_token = Some(Secret::new("d00r"))).await;
    for header in ["authorization: Bearer d00r", "x-api-key: d00r"] {
        let request =
            format!("POST /v1/messages HTTP/1.1\r\nhost: localhost\r\n{header}\r\ncontent-length: 2\r\n\r\n{{}}");
        let (head, body) = send(&scene, &request).await;
        assert_eq!((head.status, head.header("x-should-retry")), (403, Some("false")));
        assert!(String::from_utf8_lossy(&body).contains("anyclaude use anthropic"));
    }
    assert!(scene.backend.log().raw.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_configured_key_stands_for_the_clients() {
    let scene = scene(|config| config.api_key = Some(Secret::new("sk-ant-own"))).await;
    scene.backend.script([answer(200, &[], "{}")]);
    let request = "POST /v1/messages HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer anyclaude\r\n\
                   content-length: 2\r\n\r\n{}";
    send(&scene, request).await;
    let (_, headers, _) = arrived(&scene, 0);
    assert!(headers.contains(&"x-api-key: sk-ant-own".to_owned()), "{headers:?}");
    assert!(!headers.iter().any(|header| header.starts_with("authorization")), "{headers:?}");
}
