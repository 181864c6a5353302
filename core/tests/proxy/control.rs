//! The control endpoint and the run file that opens it.

use anyclaude_core::proxy::{RunFile, running};
use anyclaude_core::{Config, Secret};
use serde_json::Value;

use crate::client::Head;
use crate::scene::Scene;
use crate::steps::answer;

/// A scene with a run file in a folder of its own.
struct Owned {
    scene: Scene,
    config: Config,
    folder: std::path::PathBuf,
}

impl Owned {
    async fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("anyclaude-control-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        let mut config = Config::default();
        config.home = Some(folder.clone());
        let scene = Scene::with(|config: &mut Config| {
            config.home = Some(folder.clone());
            config.run_file = true;
            config.inbound_token = Some(Secret::new("d00r"));
        })
        .await;
        Owned { scene, config, folder }
    }

    fn file(&self) -> RunFile {
        running(&self.config).unwrap().pop().expect("a run file")
    }

    async fn ask(&self, request: &str, headers: &str, body: &str) -> (Head, Value) {
        let mut client = self.scene.client().await;
        let length = body.len();
        client
            .send(format!("{request} HTTP/1.1\r\nhost: localhost\r\n{headers}content-length: {length}\r\n\r\n{body}"))
            .await;
        client.answer().await
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_token_of_the_run_file_opens_it() {
    let owned = Owned::new("token").await;
    let file = owned.file();
    assert_eq!((file.url.as_str(), file.pid), (owned.scene.proxy.base_url().as_str(), std::process::id()));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        for entry in std::fs::read_dir(owned.folder.join("run")).unwrap() {
            assert_eq!(entry.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
    let with = format!("x-anyclaude-control: {}\r\n", file.token);
    for (headers, status) in [
        ("", 403),
        ("x-anyclaude-control: \r\n", 403),
        ("x-anyclaude-control: 00\r\n", 403),
        ("x-api-key: d00r\r\n", 403),
        (&format!("{with}origin: http://evil.test\r\n"), 403),
    ] {
        assert_eq!(owned.ask("GET /anyclaude/status", headers, "").await.0.status, status, "{headers}");
    }
    owned.scene.backend.script([answer(200, &[], r#"{"data":[{"id":"m","max_model_len":4096}]}"#)]);
    let (head, status) = owned.ask("GET /anyclaude/status", &with, "").await;
    assert_eq!((head.status, &status["backend"]["kind"]), (200, &"openai".into()));
    assert_eq!((&status["models"][0]["window"], &status["reachable"]), (&4096.into(), &true.into()));
    assert_eq!(owned.ask("GET /anyclaude/nothing", &with, "").await.0.status, 404);
}

/// A program that has got the port of a proxy which is gone cannot say it.
#[tokio::test(start_paused = true)]
async fn the_proxy_proves_that_it_is_the_one() {
    let owned = Owned::new("proof").await;
    let (file, nonce) = (owned.file(), "x-anyclaude-nonce: 17\r\n");
    let (head, said) = owned.ask("GET /anyclaude/proof", nonce, "").await;
    assert_eq!((head.status, said["proof"].as_str().unwrap()), (200, file.proof("17").as_str()));
    assert_ne!(file.proof("17"), file.proof("18"));
    assert!(!said.to_string().contains(&file.token));
    assert_eq!(owned.ask("GET /anyclaude/proof", "", "").await.0.status, 400);
    let long = format!("x-anyclaude-nonce: {}\r\n", "1".repeat(129));
    assert_eq!(owned.ask("GET /anyclaude/proof", &long, "").await.0.status, 400);
}

#[tokio::test(start_paused = true)]
async fn a_backend_is_chosen_by_it() {
    let owned = Owned::new("choice").await;
    let with = format!("x-anyclaude-control: {}\r\n", owned.file().token);
    for (body, words) in [
        (r#"{"backend":"nothing"}"#, "choose one of"),
        (r#"{"bakcend":"demo"}"#, "unknown field `bakcend`"),
        ("no json", "backend choice"),
    ] {
        let (head, said) = owned.ask("POST /anyclaude/backend", &with, body).await;
        assert_eq!(head.status, 400);
        assert!(said["error"]["message"].as_str().unwrap().contains(words), "{said}");
    }
    let (head, said) = owned.ask("POST /anyclaude/backend", &with, r#"{"backend":"demo"}"#).await;
    assert_eq!((head.status, &said["backend"]["kind"]), (200, &"demo".into()));
    assert_eq!(owned.scene.proxy.backend().kind, "demo");
}

#[tokio::test(start_paused = true)]
async fn the_file_goes_with_the_proxy() {
    let owned = Owned::new("end").await;
    assert_eq!(running(&owned.config).unwrap().len(), 1);
    std::fs::write(owned.folder.join("run/odd.json"), "no json").unwrap();
    assert_eq!(running(&owned.config).unwrap().len(), 1, "what cannot be read is none");
    let Owned { scene, config, .. } = &owned;
    let _ = scene;
    let config = config.clone();
    drop(owned);
    assert!(running(&config).unwrap().is_empty());
}
