//! The end of the proxy: `stop` with its grace, and a handle that is dropped.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::client;
use crate::clock::wait;
use crate::scene::Scene;
use crate::steps::Step::{Pass, Silence};
use crate::steps::{end, finish, head, text};

#[tokio::test(start_paused = true)]
async fn what_is_in_flight_ends_and_nothing_new_begins() {
    let scene = Scene::new().await;
    scene.backend.script([head(), text("Just"), Silence]);
    scene.backend.script([head(), text("Just"), Pass(Duration::from_secs(3)), text(" in time"), finish("stop"), end()]);
    let _other = scene.stream().await;
    scene.backend.until("the first request", |log| log.requests.len() == 1).await;
    let mut client = scene.stream().await;
    client.head().await;
    let addr = scene.proxy.addr();
    let begun = Instant::now();
    let stop = tokio::spawn(scene.proxy.stop(Duration::from_secs(10)));
    scene.clock.settle().await;
    TcpStream::connect(addr).await.expect_err("the port is closed");
    assert_eq!(client::text(&client.events().await), "Just in time");
    assert!(!stop.is_finished(), "the other request is still in flight");
    let (stopped, ()) = tokio::join!(stop, scene.clock.pass(Duration::from_secs(10)));
    stopped.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(10));
    scene.backend.until("the other request is broken off", |log| log.left == 1).await;
}

#[tokio::test(start_paused = true)]
async fn nothing_in_flight_needs_no_grace() {
    let scene = Scene::new().await;
    let mut idle = scene.client().await;
    idle.send("GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert_eq!(idle.answer().await.0.status, 200);
    let begun = Instant::now();
    wait("the proxy stops", scene.proxy.stop(Duration::from_secs(10))).await;
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert_eq!(idle.cut().await, "");
}

/// On an open connection the answer in flight is the last one.
#[tokio::test(start_paused = true)]
async fn the_connection_ends_with_its_answer() {
    let scene = Scene::new().await;
    scene.backend.script([head(), text("Half"), Pass(Duration::from_secs(3)), finish("stop"), end()]);
    let mut client = scene.stream().await;
    client.head().await;
    client.event_named("content_block_delta").await;
    let stop = scene.proxy.stop(Duration::from_secs(10));
    let read = async {
        assert_eq!(client.events().await.last().unwrap().name, "message_stop");
        client.cut().await
    };
    let ((), rest) = tokio::join!(stop, read);
    assert_eq!(rest, "");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_handle_breaks_off() {
    let scene = Scene::new().await;
    scene.backend.script([head(), text("Half"), Silence]);
    scene.backend.script([Silence]);
    let mut client = scene.stream().await;
    client.head().await;
    client.event_named("content_block_delta").await;
    let mut waiting = scene.whole().await;
    scene.backend.until("both requests", |log| log.requests.len() == 2).await;
    let addr = scene.proxy.addr();
    drop(scene.proxy);
    assert!(!client.cut().await.contains("message_stop"));
    assert_eq!(waiting.cut().await, "");
    scene.backend.until("both are broken off", |log| log.left == 2).await;
    TcpStream::connect(addr).await.expect_err("the port is closed");
}
