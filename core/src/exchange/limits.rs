//! What every door of the API keeps to, unless it is told otherwise.

use std::time::Duration;

/// How long a stream may wait for the server before its head is sent: until then a failure keeps its HTTP status,
/// and clients count the time to the head against their own patience.
pub const COMMIT_AFTER: Duration = Duration::from_secs(1);

/// How often a silent stream gets a ping: well below the time after which clients and what stands between give up.
pub const PING_INTERVAL: Duration = Duration::from_secs(5);

/// How long the server may be silent in the middle of an answer. Before the first token it may be silent for ever: it
/// is reading the prompt.
pub const STALL_TIMEOUT: Duration = Duration::from_secs(120);

/// The largest request body that is taken, in bytes, compressed or not: twice what Anthropic's own servers take.
pub const MAX_BODY_BYTES: usize = 64 << 20;

/// The largest whole answer that is read, in bytes.
pub const MAX_ANSWER_BYTES: usize = 64 << 20;

/// The most bytes read of an error answer.
pub const MAX_ERROR_BYTES: usize = 64 << 10;

/// How often one request is sent: each further try follows something that the server's refusal taught.
pub const MAX_TRIES: usize = 4;
