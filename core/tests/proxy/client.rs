//! A client of the Messages API that sees every byte, and when it came.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::Instant;

use crate::clock::wait;

pub struct Client {
    stream: TcpStream,
    /// Read and not looked at yet.
    bytes: Vec<u8>,
    /// The decoded part of a chunked body, not looked at yet.
    text: String,
}

#[derive(Debug)]
pub struct Head {
    pub status: u16,
    lines: Vec<String>,
}

impl Head {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.lines.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

#[derive(Debug)]
pub struct Event {
    pub name: String,
    pub data: Value,
    /// The virtual time at which it was read.
    pub at: Instant,
}

impl Client {
    pub async fn connect(addr: SocketAddr) -> Self {
        Self::on(TcpStream::connect(addr).await.unwrap())
    }

    /// A client that cannot take more than a few kilobytes before it reads.
    pub async fn narrow(addr: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        Self::on(socket.connect(addr).await.unwrap())
    }

    fn on(stream: TcpStream) -> Self {
        Client { stream, bytes: Vec::new(), text: String::new() }
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Sends a request for a message.
    pub async fn post(&mut self, body: &Value) {
        self.post_with("", body).await;
    }

    /// The same with more headers, each ending in CR LF.
    pub async fn post_with(&mut self, headers: &str, body: &Value) {
        let body = body.to_string();
        let length = body.len();
        let host = if headers.contains("host:") { "" } else { "host: localhost\r\n" };
        self.send(format!("POST /v1/messages HTTP/1.1\r\n{host}{headers}content-length: {length}\r\n\r\n{body}")).await;
    }

    pub async fn head(&mut self) -> Head {
        let head = self.until(b"\r\n\r\n").await;
        let mut lines = head.lines().map(str::to_owned);
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).expect("a status line");
        Head { status, lines: lines.collect() }
    }

    /// An answer that is not streamed.
    pub async fn answer(&mut self) -> (Head, Value) {
        let head = self.head().await;
        let length = head.header("content-length").expect("a length").parse().unwrap();
        while self.bytes.len() < length {
            self.fill().await;
        }
        let rest = self.bytes.split_off(length);
        let body = std::mem::replace(&mut self.bytes, rest);
        (head, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    /// The body behind a head, by its length or its chunks.
    pub async fn body(&mut self, head: &Head) -> Vec<u8> {
        if let Some(length) = head.header("content-length") {
            let length = length.parse().unwrap();
            while self.bytes.len() < length {
                self.fill().await;
            }
            let rest = self.bytes.split_off(length);
            return std::mem::replace(&mut self.bytes, rest);
        }
        let mut body = Vec::new();
        loop {
            let size = usize::from_str_radix(self.until(b"\r\n").await.trim(), 16).expect("the size of a chunk");
            while self.bytes.len() < size + 2 {
                self.fill().await;
            }
            let rest = self.bytes.split_off(size + 2);
            let chunk = std::mem::replace(&mut self.bytes, rest);
            if size == 0 {
                return body;
            }
            body.extend_from_slice(&chunk[..size]);
        }
    }

    /// The next event; `None` at the end of the stream.
    pub async fn event(&mut self) -> Option<Event> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (name, data) = event.split_once('\n').expect("two lines");
                let name = name.strip_prefix("event: ").expect("a name").to_owned();
                let data = serde_json::from_str(data.strip_prefix("data: ").expect("data")).unwrap();
                self.text = rest.to_owned();
                return Some(Event { name, data, at: Instant::now() });
            }
            let size = usize::from_str_radix(self.until(b"\r\n").await.trim(), 16).expect("the size of a chunk");
            while self.bytes.len() < size + 2 {
                self.fill().await;
            }
            let rest = self.bytes.split_off(size + 2);
            let chunk = std::mem::replace(&mut self.bytes, rest);
            if size == 0 {
                assert!(self.text.is_empty(), "half an event at the end: {}", self.text);
                return None;
            }
            self.text.push_str(std::str::from_utf8(&chunk[..size]).unwrap());
        }
    }

    /// Reads events up to one of this name.
    pub async fn event_named(&mut self, name: &str) -> Event {
        let found = async {
            loop {
                let event = self.event().await.unwrap_or_else(|| panic!("the stream has no {name}"));
                if event.name == name {
                    return event;
                }
            }
        };
        wait(name, found).await
    }

    /// The rest of the stream, to its regular end.
    pub async fn events(&mut self) -> Vec<Event> {
        let all = async {
            let mut events = Vec::new();
            while let Some(event) = self.event().await {
                events.push(event);
            }
            events
        };
        wait("the end of the stream", all).await
    }

    /// Reads until the connection is closed or broken, and tells what came before.
    pub async fn cut(&mut self) -> String {
        loop {
            match wait("the proxy closes", self.stream.read_buf(&mut self.bytes)).await {
                Ok(0) | Err(_) => return String::from_utf8_lossy(&self.bytes).into_owned(),
                Ok(_) => {}
            }
        }
    }

    async fn until(&mut self, mark: &[u8]) -> String {
        loop {
            if let Some(at) = memchr::memmem::find(&self.bytes, mark) {
                let rest = self.bytes.split_off(at + mark.len());
                let before = std::mem::replace(&mut self.bytes, rest);
                return String::from_utf8(before).unwrap();
            }
            self.fill().await;
        }
    }

    async fn fill(&mut self) {
        let read = wait("the proxy answers", self.stream.read_buf(&mut self.bytes)).await.unwrap();
        assert!(read > 0, "the proxy cut the connection behind {:?}", String::from_utf8_lossy(&self.bytes));
    }
}

/// All the text of a stream.
pub fn text(events: &[Event]) -> String {
    events.iter().filter_map(|event| event.data["delta"]["text"].as_str()).collect()
}

/// The longest time without any event.
pub fn longest_gap(events: &[Event]) -> Duration {
    events.windows(2).map(|pair| pair[1].at - pair[0].at).max().unwrap_or_default()
}

pub fn pings(events: &[Event]) -> usize {
    events.iter().filter(|event| event.name == "ping").count()
}
