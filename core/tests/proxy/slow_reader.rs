//! A client that does not read: the backend has to wait, and nothing is lost.

use crate::client::{self, Client};
use crate::scene::{Scene, question};
use crate::steps::Step::{self, Flood};
use crate::steps::{end, finish, head, text};

/// One event of the backend.
const WORDS: &str = "Words and words and words, as many as fit into a kilobyte or so. ";

/// The answer, in events of about a kilobyte: 16 MiB.
const EVENTS: usize = 16 << 10;

/// What may be on its way: the buffers of the proxy's two sockets, which the kernel sizes (about 3 MiB
/// on Linux), and tens of kilobytes of the proxy's own.
const MAX_ON_THE_WAY: usize = 12 << 20;

#[tokio::test(start_paused = true)]
async fn holds_the_backend_up() {
    let scene = Scene::new().await;
    let words = WORDS.repeat(15);
    let Step::Write(token) = text(&words) else { unreachable!() };
    let size = token.len();
    scene.backend.script([head(), Flood(token, EVENTS), finish("stop"), end()]);
    let mut client = Client::narrow(scene.proxy.addr()).await;
    client.post(&question(true)).await;
    scene.backend.until("the answer begins", |log| log.flooded > 0).await;
    let mut taken = 0;
    // Standing still for a while of real time: nothing is read any more.
    loop {
        for _ in 0..5 {
            scene.clock.settle().await;
        }
        let now = scene.backend.log().flooded;
        if now == taken {
            break;
        }
        taken = now;
    }
    assert!(taken * size < MAX_ON_THE_WAY, "{} bytes were taken from the backend", taken * size);
    assert_eq!(scene.proxy.stats().active, 1);

    client.head().await;
    let events = client.events().await;
    assert_eq!(client::text(&events).len(), words.len() * EVENTS);
    assert_eq!(events.last().unwrap().name, "message_stop");
}

/// Others are served meanwhile.
#[tokio::test(start_paused = true)]
async fn holds_nobody_else_up() {
    let scene = Scene::new().await;
    let Step::Write(token) = text(&WORDS.repeat(15)) else { unreachable!() };
    scene.backend.script([head(), Flood(token, EVENTS)]);
    let mut slow = Client::narrow(scene.proxy.addr()).await;
    slow.post(&question(true)).await;
    scene.backend.until("the first answer begins", |log| log.flooded > 0).await;
    scene.backend.script([head(), text("Hello"), finish("stop"), end()]);
    let mut client = scene.stream().await;
    client.head().await;
    assert_eq!(client::text(&client.events().await), "Hello");
    drop(slow);
    scene.backend.until("the flood ends with its reader", |log| log.left == 1).await;
}
