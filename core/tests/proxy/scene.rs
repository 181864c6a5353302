//! A proxy in front of a scripted backend.

use anyclaude_core::{Config, ProxyHandle, start_proxy};
use serde_json::{Value, json};

use crate::backend::Backend;
use crate::client::Client;
use crate::clock::Clock;

pub struct Scene {
    pub clock: Clock,
    pub backend: Backend,
    pub proxy: ProxyHandle,
}

impl Scene {
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// A scene with other settings.
    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let clock = Clock::held();
        let backend = Backend::start(&clock).await;
        let mut config = Config::default();
        config.backend = "openai".to_owned();
        config.backend_url = Some(format!("http://{}", backend.addr));
        // With a name at hand the proxy does not ask for the list of models.
        config.model = Some("scripted".to_owned());
        change(&mut config);
        let proxy = start_proxy(config).await.unwrap();
        Scene { clock, backend, proxy }
    }

    /// A client on a connection of its own.
    pub async fn client(&self) -> Client {
        Client::connect(self.proxy.addr()).await
    }

    /// A client that has asked for a stream.
    pub async fn stream(&self) -> Client {
        self.ask(&question(true)).await
    }

    /// A client that has asked for a whole answer.
    pub async fn whole(&self) -> Client {
        self.ask(&question(false)).await
    }

    async fn ask(&self, body: &Value) -> Client {
        let mut client = self.client().await;
        client.post(body).await;
        client
    }
}

pub fn question(stream: bool) -> Value {
    json!({
        "model": "claude-opus-5-5", "max_tokens": 64_000, "stream": stream,
        "messages": [{"role": "user", "content": "Say hello"}],
        "tools": [{"name": "Bash", "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}}}],
    })
}
