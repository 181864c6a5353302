//! A running proxy is given another backend.

use std::time::Duration;

use anyclaude_core::Config;
use anyclaude_core::proxy::BackendChoice;

use crate::backend::Backend;
use crate::client;
use crate::scene::Scene;
use crate::steps::{Step, end, finish, head, text};

fn choice(backend: &Backend) -> BackendChoice {
    let mut choice = BackendChoice::new("openai");
    choice.backend_url = Some(format!("http://{}", backend.addr));
    choice.model = Some("other".to_owned());
    choice
}

#[tokio::test(start_paused = true)]
async fn requests_in_flight_end_on_the_old_one() {
    let scene = Scene::new().await;
    let other = Backend::start(&scene.clock).await;
    scene.backend.script([
        head(),
        text("Old"),
        Step::Pass(Duration::from_secs(2)),
        text(" words"),
        finish("stop"),
        end(),
    ]);
    other.script([head(), text("New words"), finish("stop"), end()]);
    let mut first = scene.stream().await;
    first.head().await;
    first.event_named("content_block_delta").await;
    let info = scene.proxy.set_backend(choice(&other)).unwrap();
    assert_eq!((info.kind, info.model.as_deref()), ("openai", Some("other")));
    let mut second = scene.stream().await;
    second.head().await;
    assert_eq!(client::text(&second.events().await), "New words");
    assert_eq!(client::text(&first.events().await), " words");
    assert_eq!((scene.backend.log().requests.len(), other.log().requests.len()), (1, 1));
    assert_eq!(other.log().requests[0]["model"], "other");
}

#[tokio::test(start_paused = true)]
async fn the_key_stays_with_its_server() {
    let scene =
        Scene::with(|config: &mut Config| config.api_key = Some(anyclaude_core::Secret::new("k3y-of-old"))).await;
    let other = Backend::start(&scene.clock).await;
    other.script([head(), text("Hi"), finish("stop"), end()]);
    scene.proxy.set_backend(choice(&other)).unwrap();
    let mut client = scene.stream().await;
    client.head().await;
    client.events().await;
    let raw = String::from_utf8(other.log().raw[0].clone()).unwrap();
    assert!(!raw.contains("k3y-of-old"), "{raw}");
}

#[tokio::test(start_paused = true)]
async fn a_choice_that_makes_no_sense_changes_nothing() {
    let scene = Scene::new().await;
    let before = scene.proxy.backend();
    for (kind, url) in [("lammacpp", None), ("openai", Some("no url")), ("demo", Some("http://x"))] {
        let mut choice = BackendChoice::new(kind);
        choice.backend_url = url.map(str::to_owned);
        assert!(scene.proxy.set_backend(choice).is_err(), "{kind}");
    }
    let mut choice = BackendChoice::new("mlx-lm");
    choice.backend_api = anyclaude_core::Dialect::Messages;
    assert!(scene.proxy.set_backend(choice).unwrap_err().message().starts_with("backend_api:"));
    assert_eq!(scene.proxy.backend(), before);
}

/// A client that was told the name of the old server's model goes on asking for it.
#[tokio::test(start_paused = true)]
async fn the_old_models_name_means_the_new_one() {
    let scene = Scene::with(|config: &mut Config| config.model = Some("org/qwen3-of-old".to_owned())).await;
    let other = Backend::start(&scene.clock).await;
    for name in ["org/qwen3-of-old", "local"] {
        other.script([head(), text("Hi"), finish("stop"), end()]);
        scene.proxy.set_backend(choice(&other)).unwrap();
        let mut question = crate::scene::question(true);
        question["model"] = name.into();
        let mut client = scene.client().await;
        client.post(&question).await;
        client.head().await;
        client.events().await;
    }
    let models: Vec<_> = other.log().requests.iter().map(|body| body["model"].clone()).collect();
    assert_eq!(models, ["other", "other"]);
}

#[tokio::test(start_paused = true)]
async fn anthropic_is_asked_for_a_model_of_its_own() {
    let scene = Scene::with(|config: &mut Config| config.model = Some("qwen3-of-old".to_owned())).await;
    let far = Backend::start(&scene.clock).await;
    let mut choice = BackendChoice::new("anthropic");
    choice.backend_url = Some(format!("http://{}", far.addr));
    choice.api_key = Some(anyclaude_core::Secret::new("sk-ant-own"));
    scene.proxy.set_backend(choice.clone()).unwrap();
    let mut question = crate::scene::question(false);
    question["model"] = "qwen3-of-old".into();
    let mut client = scene.client().await;
    client.post(&question).await;
    let (refused, said) = client.answer().await;
    assert_eq!((refused.status, refused.header("x-should-retry")), (404, Some("false")));
    assert!(said["error"]["message"].as_str().unwrap().contains("--model NAME"), "{said}");
    assert!(far.log().requests.is_empty());

    choice.model = Some("claude-sonnet-5-5".to_owned());
    scene.proxy.set_backend(choice).unwrap();
    for (asked, sent) in [("qwen3-of-old", "claude-sonnet-5-5"), ("claude-haiku-5-5", "claude-haiku-5-5")] {
        far.script([crate::steps::answer(200, &[], "{}")]);
        question["model"] = asked.into();
        let mut client = scene.client().await;
        client.post(&question).await;
        assert_eq!(client.answer().await.0.status, 200);
        assert_eq!(far.log().requests.last().unwrap()["model"], sent);
    }
}
