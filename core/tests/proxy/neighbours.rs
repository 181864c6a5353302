//! Requests that run side by side: what happens to one is nothing to the others.

use serde_json::json;

use crate::client;
use crate::scene::Scene;
use crate::steps::Step::{Close, Pass, Reset, Silence};
use crate::steps::{answer, delta, end, finish, head, text};

#[tokio::test(start_paused = true)]
async fn one_that_fails_disturbs_no_other() {
    let scene = Scene::new().await;
    let broken = delta(&json!({"tool_calls": [{"index": 0, "function": {"name": "Bash", "arguments": "{"}}]}));
    let good = |word| vec![head(), text(word), Pass(std::time::Duration::from_secs(30)), finish("stop"), end()];
    let scripts = [
        good("one"),
        vec![Reset],
        vec![answer(500, &[], "{}")],
        vec![head(), broken, Close],
        good("two"),
        vec![head(), text("Half"), Silence],
    ];
    let mut clients = Vec::new();
    for (number, script) in scripts.into_iter().enumerate() {
        scene.backend.script(script);
        clients.push(scene.stream().await);
        scene.backend.until("the request", |log| log.requests.len() == number + 1).await;
    }
    drop(clients.pop());
    scene.backend.until("the last one is left", |log| log.left == 1).await;
    for (number, client) in clients.iter_mut().enumerate() {
        match number {
            0 | 4 => {
                assert_eq!(client.head().await.status, 200);
                let events = client.events().await;
                assert_eq!(client::text(&events), if number == 0 { "one" } else { "two" });
                assert_eq!(events.last().unwrap().name, "message_stop");
            }
            1 => assert_eq!(client.head().await.status, 502),
            2 => assert_eq!(client.head().await.status, 500),
            _ => {
                client.head().await;
                assert_eq!(client.events().await.last().unwrap().name, "error");
            }
        }
    }
    let stats = scene.proxy.stats();
    assert_eq!((stats.requests, stats.errors, stats.cancelled, stats.active), (6, 3, 1, 0));
}

/// One connection, one request after the other, whatever became of the one before.
#[tokio::test(start_paused = true)]
async fn a_connection_outlives_its_errors() {
    let scene = Scene::new().await;
    let mut client = scene.client().await;
    let question = crate::scene::question(true);
    for script in [vec![Reset], vec![answer(429, &[], "{}")], vec![answer(503, &[], "no json")]] {
        scene.backend.script(script);
        client.post(&question).await;
        assert!(client.answer().await.0.status >= 400);
    }
    for script in [vec![head(), text("Half"), end()], vec![head(), text("Hello"), finish("stop"), end()]] {
        scene.backend.script(script);
        client.post(&question).await;
        assert_eq!(client.head().await.status, 200);
        assert!(["error", "message_stop"].contains(&client.events().await.last().unwrap().name.as_str()));
    }
}
