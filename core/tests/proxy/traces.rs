//! Trace files: what is in them, and what is not.

use std::path::{Path, PathBuf};

use anyclaude_core::{Config, Secret};
use serde_json::{Value, json};

use crate::scene::{Scene, question};
use crate::steps::{answer, end, finish, head, text};

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("anyclaude-traced-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        Folder(folder)
    }

    /// The records of the only trace, once the writer has ended it.
    fn records(&self) -> Vec<Value> {
        let begun = std::time::Instant::now();
        loop {
            let text = read_all(&self.0.join("traces"));
            let records: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
            if records.iter().any(|record| record["stage"] == "outcome") {
                return records;
            }
            assert!(begun.elapsed().as_secs() < 20, "no trace was ended: {text}");
            std::thread::yield_now();
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn read_all(folder: &Path) -> String {
    let Ok(entries) = std::fs::read_dir(folder) else { return String::new() };
    entries.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap()).collect()
}

async fn scene(folder: &Folder, debug: u8) -> Scene {
    Scene::with(|config: &mut Config| {
        config.home = Some(folder.0.clone());
        config.debug = debug;
        config.api_key = Some(Secret::new("k3y-of-the-server"));
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn a_trace_tells_the_whole_way() {
    let folder = Folder::new("way");
    let scene = scene(&folder, 2).await;
    scene.backend.script([head(), text("Hello"), finish("stop"), end()]);
    let mut client = scene.stream().await;
    client.head().await;
    client.events().await;
    let records = folder.records();
    let stages: Vec<&str> = records.iter().map(|record| record["stage"].as_str().unwrap()).collect();
    let wanted = ["request", "translated", "response", "backend", "client", "timing", "outcome"];
    assert!(wanted.iter().all(|stage| stages.contains(stage)), "{stages:?}");
    let find = |stage: &str| records.iter().find(|record| record["stage"] == stage).unwrap();
    assert_eq!(find("request")["body"], question(true));
    assert_eq!(find("translated")["body"], scene.backend.log().requests[0]);
    let joined = |stage| -> String {
        records.iter().filter(|record| record["stage"] == stage).filter_map(|record| record["data"].as_str()).collect()
    };
    assert!(joined("backend").contains(r#""content":"Hello""#));
    assert!(
        joined("client").starts_with("event: message_start\n") && joined("client").ends_with("\"message_stop\"}\n\n")
    );
    assert_eq!(find("outcome")["stop_reason"], "end_turn");
    for stage in ["read", "translate", "send", "first_token", "end"] {
        assert!(find("timing")[stage].is_number(), "{stage}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_secret_gets_in() {
    let folder = Folder::new("secrets");
    let scene = scene(&folder, 3).await;
    let echo = r#"{"error":{"message":"key k3y-of-the-server of cl1ent-key is wrong: sk-proj-abcdef123456"}}"#;
    scene.backend.script([answer(400, &[("x-echo", "Bearer cl1ent-key"), ("set-cookie", "s=1")], echo)]);
    let mut body = question(true);
    body["messages"][0]["content"] = json!("my key is sk-ant-api03-abcdefgh and theirs k3y-of-the-server");
    body["metadata"] = json!({"authorization": "Bearer cl1ent-key"});
    let mut client = scene.client().await;
    let headers = "x-api-key: cl1ent-key\r\nauthorization: Bearer 0ther-token\r\ncookie: c00kie=1\r\n\
                   x-goog-api-key: plainsecret77\r\nx-auth-token: 9f8e7d6c5b4a\r\n";
    client.post_with(headers, &body).await;
    client.answer().await;
    folder.records();
    let text = read_all(&folder.0.join("traces"));
    for secret in [
        "k3y-of-the-server",
        "cl1ent-key",
        "0ther-token",
        "c00kie",
        "plainsecret77",
        "9f8e7d6c5b4a",
        "sk-ant-api03",
        "sk-proj-abc",
    ] {
        assert!(!text.contains(secret), "{secret} is in\n{text}");
    }
    assert!(text.contains("[redacted]"));
}

#[tokio::test(start_paused = true)]
async fn the_key_of_another_backend_is_masked_too() {
    let folder = Folder::new("switched");
    let scene = scene(&folder, 2).await;
    let mut choice = anyclaude_core::proxy::BackendChoice::new("openai");
    choice.backend_url = Some(format!("http://{}", scene.backend.addr));
    choice.model = Some("scripted".to_owned());
    choice.api_key = Some(Secret::new("k3y-of-another"));
    scene.proxy.set_backend(choice).unwrap();
    scene.backend.script([answer(400, &[], r#"{"error":{"message":"no: k3y-of-another"}}"#)]);
    let mut client = scene.stream().await;
    client.answer().await;
    folder.records();
    assert!(!read_all(&folder.0.join("traces")).contains("k3y-of-another"));
}

#[tokio::test(start_paused = true)]
async fn below_level_two_nothing_is_written() {
    let folder = Folder::new("none");
    let scene = scene(&folder, 1).await;
    scene.backend.script([head(), text("Hello"), finish("stop"), end()]);
    let mut client = scene.stream().await;
    client.head().await;
    client.events().await;
    assert!(!folder.0.exists());
}
