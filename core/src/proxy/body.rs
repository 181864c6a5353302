//! Request bodies: limits of size and time, and the encodings that clients use.

use std::io::Read;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::HeaderMap;
use hyper::body::{Body as _, Incoming};
use hyper::header::CONTENT_ENCODING;

use crate::wire::{ApiError, ErrorType};

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
        return Err(too_large(limit));
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
        Some(encoding) => decode_as(encoding.to_str().unwrap_or("").trim(), bytes, limit),
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
            return Err(too_large(limit));
        }
        all.extend_from_slice(&data);
    }
    Ok(all.into())
}

fn too_large(limit: usize) -> ApiError {
    let message = format!("the request body is larger than {limit} bytes, the limit of this proxy (max_body_bytes)");
    ApiError::new(413, ErrorType::RequestTooLarge, message)
}

fn decode_as(encoding: &str, bytes: Bytes, limit: usize) -> Result<Bytes, ApiError> {
    let broken = |error: &dyn std::fmt::Display| {
        ApiError::invalid_request(format!("content-encoding: the body is not sound {encoding}: {error}"))
    };
    let source: &[u8] = &bytes;
    let reader: Box<dyn Read> = match encoding.to_ascii_lowercase().as_str() {
        "" | "identity" => return Ok(bytes),
        "gzip" | "x-gzip" => Box::new(flate2::read::MultiGzDecoder::new(source)),
        "deflate" => Box::new(flate2::read::ZlibDecoder::new(source)),
        "br" => Box::new(brotli_decompressor::Decompressor::new(source, 4096)),
        "zstd" => Box::new(ruzstd::decoding::StreamingDecoder::new(source).map_err(|error| broken(&error))?),
        other => {
            let message = format!("content-encoding: {other:?} is not known; use gzip, br, zstd, deflate or none");
            return Err(ApiError::invalid_request(message));
        }
    };
    let mut out = Vec::new();
    // One byte more than allowed tells a body that is too large from one that just fits.
    reader.take(limit as u64 + 1).read_to_end(&mut out).map_err(|error| broken(&error))?;
    if out.len() > limit { Err(too_large(limit)) } else { Ok(out.into()) }
}
