//! A model server that does what a script says, connection by connection.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;

use crate::clock::{Clock, wait};
use crate::steps::{Step, answer};

/// What happened so far.
#[derive(Debug, Default)]
pub struct Log {
    /// The bodies of the requests.
    pub requests: Vec<Value>,
    /// The requests byte for byte.
    pub raw: Vec<Vec<u8>>,
    /// Connections that the proxy closed before the script was over.
    pub left: usize,
    pub connections: usize,
    pub flooded: usize,
}

pub struct Backend {
    pub addr: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    clock: Clock,
    scripts: Mutex<VecDeque<Vec<Step>>>,
    log: watch::Sender<Log>,
}

impl Backend {
    pub async fn start(clock: &Clock) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        // What the kernel keeps for us has not been taken by the proxy.
        socket.set_send_buffer_size(16 << 10).unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(64).unwrap();
        let addr = listener.local_addr().unwrap();
        let shared =
            Arc::new(Shared { clock: clock.clone(), scripts: Mutex::default(), log: watch::Sender::default() });
        tokio::spawn(accept(listener, Arc::clone(&shared)));
        Backend { addr, shared }
    }

    /// What to do with the next request that has no script yet.
    pub fn script(&self, steps: impl IntoIterator<Item = Step>) {
        self.shared.scripts.lock().unwrap().push_back(steps.into_iter().collect());
    }

    /// Waits until something has happened.
    pub async fn until(&self, what: &str, happened: impl FnMut(&Log) -> bool) {
        wait(what, self.shared.log.subscribe().wait_for(happened)).await.unwrap();
    }

    pub fn log(&self) -> watch::Ref<'_, Log> {
        self.shared.log.borrow()
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.shared.clock.release();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        shared.log.send_modify(|log| log.connections += 1);
        tokio::spawn(serve(stream, Arc::clone(&shared)));
    }
}

async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
    stream.set_nodelay(true).unwrap();
    while let Some((raw, body)) = read_request(&mut stream).await {
        let script = shared.scripts.lock().unwrap().pop_front();
        shared.log.send_modify(|log| {
            log.requests.push(body);
            log.raw.push(raw);
        });
        let script = script.unwrap_or_else(|| vec![answer(500, &[], r#"{"error":"the script is over"}"#)]);
        for step in script {
            if play(&mut stream, step, &shared).await.is_err() {
                return shared.log.send_modify(|log| log.left += 1);
            }
        }
        // Scripts that end by closing have shut the stream; the next read sees it.
    }
}

/// Fails when the proxy has left.
async fn play(stream: &mut TcpStream, step: Step, shared: &Shared) -> std::io::Result<()> {
    match step {
        Step::Write(bytes) => stream.write_all(&bytes).await?,
        Step::Flood(bytes, times) => {
            for _ in 0..times {
                stream.write_all(&bytes).await?;
                shared.log.send_modify(|log| log.flooded += 1);
            }
        }
        Step::Pass(time) => tokio::select! {
            left = leaving(stream) => return Err(left),
            () = shared.clock.pass(time) => {}
        },
        Step::Settle => shared.clock.settle().await,
        Step::Silence => return Err(leaving(stream).await),
        Step::Reset => {
            stream.set_zero_linger()?;
            return replace(stream).await;
        }
        Step::Close => return replace(stream).await,
    }
    Ok(())
}

/// Drops the connection, so that the kernel sends what closing it means.
async fn replace(stream: &mut TcpStream) -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    *stream = TcpStream::connect(listener.local_addr()?).await?;
    stream.shutdown().await
}

/// Waits for the end of a connection on which nothing more is to come.
async fn leaving(stream: &mut TcpStream) -> std::io::Error {
    match stream.read(&mut [0; 64]).await {
        Ok(0) => std::io::ErrorKind::ConnectionAborted.into(),
        Ok(_) => panic!("the proxy sends more before it has its answer"),
        Err(error) => error,
    }
}

/// The next request and its body; `None` when there is none.
async fn read_request(stream: &mut TcpStream) -> Option<(Vec<u8>, Value)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = memchr::memmem::find(&bytes, b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.map_or(0, |length| length.parse().unwrap());
            if let Some(body) = bytes.get(end + 4..end + 4 + length) {
                let body = serde_json::from_slice(body).unwrap_or(Value::Null);
                return Some((bytes, body));
            }
        }
        match stream.read_buf(&mut bytes).await {
            Ok(0) | Err(_) => return None,
            Ok(_) => {}
        }
    }
}
