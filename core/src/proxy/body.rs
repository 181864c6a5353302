//! Request bodies: limits of size and time, and the encodings that clients use.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::HeaderMap;
use hyper::body::{Body as _, Incoming};
use hyper::header::CONTENT_ENCODING;

use crate::wire::{ApiError, ErrorType, encoding};

/// Reads a body whole, decoded.
///
/// # Errors
/// As [`read_raw`] and [`decode`].
pub(super) async fn read(headers: &HeaderMap, body: Incoming, limit: usize, time: Duration) -> Result<Bytes, ApiError> {
    decode(headers, read_raw(body, limit, time).await?, limit)
}

/// Reads a body whole, as it comes.
///
/// # Errors
/// 413 over the limit, 408 over the time.
pub(super) async fn read_raw(body: Incoming, limit: usize, time: Duration) -> Result<Bytes, ApiError> {
    if body.size_hint().lower() > limit as u64 {
        return Err(encoding::too_large(limit));
    }
    tokio::time::timeout(time, collect(body, limit)).await.map_err(|_| {
        ApiError::new(408, ErrorType::Timeout, format!("the request body did not arrive within {} s", time.as_secs()))
    })?
}

/// Decodes what `content-encoding` says.
///
/// # Errors
/// 413 over the limit, 400 for an encoding that is unknown or broken.
pub(super) fn decode(headers: &HeaderMap, bytes: Bytes, limit: usize) -> Result<Bytes, ApiError> {
    match headers.get(CONTENT_ENCODING) {
        None => Ok(bytes),
        Some(encoding) => Ok(encoding::decode(Some(encoding.to_str().unwrap_or("")), &bytes, limit)?.into()),
    }
}

/// Into one buffer of the announced size, so that a large body is held once.
async fn collect(mut body: Incoming, limit: usize) -> Result<Bytes, ApiError> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(0);
    let mut all = Vec::with_capacity(announced.min(limit));
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| ApiError::invalid_request(format!("the request body broke off: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        if all.len() + data.len() > limit {
            return Err(encoding::too_large(limit));
        }
        all.extend_from_slice(&data);
    }
    Ok(all.into())
}
