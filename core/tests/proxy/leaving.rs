//! The client goes away: the backend's connection is closed at once, so that it stops computing.
//!
//! Time stands still in all of these, so "at once" means without any timer.

use std::time::Duration;

use crate::client::Client;
use crate::scene::Scene;
use crate::steps::Step::{self, Pass, Silence};
use crate::steps::{begun, head, text};

/// Drops the client and waits until the backend is left alone.
async fn goes_away(scene: &Scene, client: Client) {
    assert_eq!(scene.backend.log().left, 0);
    drop(client);
    scene.backend.until("the backend's connection is closed", |log| log.left == 1).await;
    scene.clock.settle().await;
    let stats = scene.proxy.stats();
    assert_eq!((stats.requests, stats.cancelled, stats.active, stats.errors), (1, 1, 0, 0));
}

async fn asked(script: impl IntoIterator<Item = Step>, stream: bool) -> (Scene, Client) {
    let scene = Scene::new().await;
    scene.backend.script(script);
    let client = if stream { scene.stream().await } else { scene.whole().await };
    scene.backend.until("the request", |log| log.requests.len() == 1).await;
    (scene, client)
}

#[tokio::test(start_paused = true)]
async fn before_anything_was_sent() {
    let (scene, client) = asked([Silence], true).await;
    goes_away(&scene, client).await;
}

#[tokio::test(start_paused = true)]
async fn while_only_the_proxy_has_spoken() {
    let (scene, mut client) = asked([Pass(Duration::from_secs(2)), Silence], true).await;
    assert_eq!(client.head().await.status, 200);
    client.event_named("message_start").await;
    goes_away(&scene, client).await;
}

#[tokio::test(start_paused = true)]
async fn in_the_middle_of_the_answer() {
    let (scene, mut client) = asked([head(), text("Half"), Silence], true).await;
    client.head().await;
    client.event_named("content_block_delta").await;
    goes_away(&scene, client).await;
}

#[tokio::test(start_paused = true)]
async fn without_a_stream() {
    let (scene, client) = asked([Silence], false).await;
    goes_away(&scene, client).await;
}

#[tokio::test(start_paused = true)]
async fn without_a_stream_behind_the_head() {
    let (scene, client) = asked([begun(200, "{"), Silence], false).await;
    scene.clock.settle().await;
    goes_away(&scene, client).await;
}

/// A backend that is sending all the time is told by a failing write.
#[tokio::test(start_paused = true)]
async fn while_the_backend_sends() {
    let Step::Write(token) = text("more and more") else { unreachable!() };
    let (scene, mut client) = asked([head(), Step::Flood(token, usize::MAX)], true).await;
    client.head().await;
    client.event_named("content_block_delta").await;
    goes_away(&scene, client).await;
}
