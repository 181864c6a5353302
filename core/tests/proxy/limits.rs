//! Bodies that are too large, and clients that are too slow.

use std::time::Duration;

use crate::scene::{Scene, question};
use crate::steps::answer;

const HEAD: &str = "POST /v1/messages HTTP/1.1\r\nhost: localhost\r\n";

#[tokio::test(start_paused = true)]
async fn a_body_is_refused_by_its_announced_size() {
    let scene = Scene::with(|config| config.max_body_bytes = 4096).await;
    let mut client = scene.client().await;
    client.send(format!("{HEAD}content-length: 4097\r\n\r\n")).await;
    let (head, body) = client.answer().await;
    assert_eq!((head.status, &body["error"]["type"]), (413, &"request_too_large".into()));
    assert!(body["error"]["message"].as_str().unwrap().contains("4096"));
}

#[tokio::test(start_paused = true)]
async fn a_body_is_refused_by_the_size_it_has() {
    let scene = Scene::with(|config| config.max_body_bytes = 4096).await;
    let mut client = scene.client().await;
    client.send(format!("{HEAD}transfer-encoding: chunked\r\n\r\n")).await;
    for _ in 0..5 {
        client.send(format!("400\r\n{}\r\n", "x".repeat(1024))).await;
    }
    assert_eq!(client.answer().await.0.status, 413);
}

/// A little that becomes much is refused before it is held.
#[tokio::test(start_paused = true)]
async fn a_body_is_refused_by_the_size_it_unfolds_to() {
    use std::io::Write as _;
    let scene = Scene::with(|config| config.max_body_bytes = 1 << 20).await;
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    bomb.write_all(&vec![b' '; 64 << 20]).unwrap();
    let bomb = bomb.finish().unwrap();
    let mut client = scene.client().await;
    client.send(format!("{HEAD}content-encoding: gzip\r\ncontent-length: {}\r\n\r\n", bomb.len())).await;
    client.send(bomb).await;
    assert_eq!(client.answer().await.0.status, 413);
}

#[tokio::test(start_paused = true)]
async fn a_body_must_come_in_time() {
    let scene = Scene::new().await;
    let mut client = scene.client().await;
    client.send(format!("{HEAD}content-length: 100\r\n\r\n{{\"model\":")).await;
    scene.clock.settle().await;
    let ((head, body), ()) = tokio::join!(client.answer(), scene.clock.pass(Duration::from_secs(61)));
    assert_eq!((head.status, &body["error"]["type"]), (408, &"timeout_error".into()));
    assert!(scene.backend.log().requests.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_head_must_come_in_time() {
    let scene = Scene::new().await;
    let mut client = scene.client().await;
    client.send(&HEAD[..20]).await;
    scene.clock.settle().await;
    let (rest, ()) = tokio::join!(client.cut(), scene.clock.pass(Duration::from_secs(31)));
    assert!(rest.is_empty() || rest.starts_with("HTTP/1.1 408"), "{rest}");
}

/// The time for a body is that of its way here; what the backend does with it takes as long as it takes.
#[tokio::test(start_paused = true)]
async fn the_times_end_with_the_body() {
    let scene = Scene::new().await;
    let body = r#"{"choices":[{"message":{"content":"Hello"},"finish_reason":"stop"}]}"#;
    scene.backend.script([crate::steps::Step::Pass(Duration::from_secs(1000)), answer(200, &[], body)]);
    let (head, body) = scene.whole().await.answer().await;
    assert_eq!((head.status, &body["content"][0]["text"]), (200, &"Hello".into()));
}

#[tokio::test(start_paused = true)]
async fn nobody_at_the_backends_address_is_told_at_once() {
    let scene = Scene::with(|config| {
        // Bound and closed again: nobody listens there.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        config.backend_url = Some(format!("http://{free}/v1"));
    })
    .await;
    for stream in [true, false] {
        let mut client = scene.client().await;
        client.post(&question(stream)).await;
        let (head, body) = client.answer().await;
        assert_eq!((head.status, &body["error"]["type"]), (502, &"api_error".into()));
        assert!(body["error"]["message"].as_str().unwrap().contains("--backend-url"), "{body}");
    }
}

/// A connection that waits for its next request waits for a head, too. It is closed without a word, so
/// that a client which is just sending does not take an answer for its own.
#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_in_silence() {
    let scene = Scene::new().await;
    let mut client = scene.client().await;
    for wait in [0, 29, 29] {
        scene.clock.pass(Duration::from_secs(wait)).await;
        client.send("GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
        assert_eq!(client.answer().await.0.status, 200);
    }
    let (rest, ()) = tokio::join!(client.cut(), scene.clock.pass(Duration::from_secs(31)));
    assert_eq!(rest, "");
}
