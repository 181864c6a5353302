//! The encodings of request bodies that clients use.

#[cfg(feature = "encodings")]
use std::io::Read;

use super::api_error::{ApiError, ErrorType};

/// Decodes what the header `content-encoding` says. Without the feature `encodings` only plain bodies are known.
///
/// # Errors
/// 413 for more than `limit` bytes, 400 for an encoding that is unknown or broken.
pub(crate) fn decode(encoding: Option<&str>, bytes: &[u8], limit: usize) -> Result<Vec<u8>, ApiError> {
    let encoding = encoding.unwrap_or("").trim();
    match encoding.to_ascii_lowercase().as_str() {
        "" | "identity" if bytes.len() > limit => Err(too_large(limit)),
        "" | "identity" => Ok(bytes.to_vec()),
        #[cfg(feature = "encodings")]
        known => inflate(known, bytes, limit),
        #[cfg(not(feature = "encodings"))]
        other => Err(ApiError::invalid_request(format!("content-encoding: {other:?} is not known; use none"))),
    }
}

/// 413, in words that name the limit.
pub(crate) fn too_large(limit: usize) -> ApiError {
    let message = format!("the request body is larger than {limit} bytes, the limit of this proxy (max_body_bytes)");
    ApiError::new(413, ErrorType::RequestTooLarge, message)
}

#[cfg(feature = "encodings")]
fn inflate(encoding: &str, source: &[u8], limit: usize) -> Result<Vec<u8>, ApiError> {
    let broken = |error: &dyn std::fmt::Display| {
        ApiError::invalid_request(format!("content-encoding: the body is not sound {encoding}: {error}"))
    };
    let reader: Box<dyn Read> = match encoding {
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
    if out.len() > limit { Err(too_large(limit)) } else { Ok(out) }
}
