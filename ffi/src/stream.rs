//! The converter of streams.

use std::mem::MaybeUninit;
use std::ptr::NonNull;

use anyclaude_core::wire::ApiError;
use anyclaude_core::{RequestContext, StreamConverter, TurnRecord};

use crate::buffer::{Buffer, append};
use crate::error::Error;
use crate::guard::{free, guard};
use crate::handle::{Bytes, Exclusive, hand_over, lent, required};
use crate::status::Status;
use crate::translated::Translated;

/// Turns the event stream of a backend into that of the Messages API. Each answer has one of its own, used by one
/// thread at a time.
pub struct Stream {
    converter: Exclusive<StreamConverter>,
    context: RequestContext,
}

/// How far an answer is: one of `ANYCLAUDE_PROGRESS_...`.
pub type Progress = i32;

/// The model has not said anything yet.
pub const ANYCLAUDE_PROGRESS_WAITING: Progress = 0;
/// Some of the answer has been given.
pub const ANYCLAUDE_PROGRESS_ANSWERING: Progress = 1;
/// The last event has been given; the rest of the backend's stream is of no interest.
pub const ANYCLAUDE_PROGRESS_ENDED: Progress = 2;

/// Makes the converter of one answer to this request, which may be freed before it. Free `*out` with
/// `anyclaude_stream_free`.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_stream_new(
    translated: Option<&Translated>,
    out: Option<&mut MaybeUninit<Option<Box<Stream>>>>,
    error: Option<&mut MaybeUninit<Option<Box<Error>>>>,
) -> Status {
    guard(error, || {
        let context = required(translated, "translated")?.context().clone();
        let out = required(out, "out")?;
        let converter = Exclusive::new(StreamConverter::new(context.clone()));
        hand_over(out, Stream { converter, context });
        Ok(())
    })
}

/// Takes the next bytes of the backend's stream, cut anywhere; appends the events for the client to `out`. `progress`
/// may be NULL.
///
/// What the backend says never makes it fail: its errors become events.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_stream_push(
    stream: Option<NonNull<Stream>>,
    bytes: Bytes,
    out: Option<NonNull<Buffer>>,
    progress: Option<&mut MaybeUninit<Progress>>,
    error: Option<&mut MaybeUninit<Option<Box<Error>>>>,
) -> Status {
    guard(error, || {
        let bytes = bytes.get("bytes")?;
        convert(stream, out, progress, |core, out| core.push(bytes, out))
    })
}

/// As `anyclaude_stream_push`, for the JSON of one chunk, from a server whose events are split already.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_stream_push_chunk(
    stream: Option<NonNull<Stream>>,
    chunk_json: Bytes,
    out: Option<NonNull<Buffer>>,
    progress: Option<&mut MaybeUninit<Progress>>,
    error: Option<&mut MaybeUninit<Option<Box<Error>>>>,
) -> Status {
    guard(error, || {
        let chunk = chunk_json.get("chunk_json")?;
        convert(stream, out, progress, |core, out| core.push_chunk(chunk, out))
    })
}

/// Call when the client has been sent nothing for some seconds: appends a ping to `out`, after the begin of the stream
/// where nothing has been pushed yet. `progress` may be NULL.
///
/// Where the backend's answer is complete and only the end of its stream has not come, it appends the client's end
/// instead, and `progress` becomes `ANYCLAUDE_PROGRESS_ENDED`.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_stream_tick(
    stream: Option<NonNull<Stream>>,
    out: Option<NonNull<Buffer>>,
    progress: Option<&mut MaybeUninit<Progress>>,
    error: Option<&mut MaybeUninit<Option<Box<Error>>>>,
) -> Status {
    guard(error, || convert(stream, out, progress, |core, out| core.tick(out)))
}

/// The backend's stream has broken: appends the end of the client's stream to `out`. `status` is the HTTP status
/// that says why, such as 502 for a connection that broke or 504 for silence; `message` is for people.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_stream_fail(
    stream: Option<NonNull<Stream>>,
    status: u16,
    message: Bytes,
    out: Option<NonNull<Buffer>>,
    error: Option<&mut MaybeUninit<Option<Box<Error>>>>,
) -> Status {
    guard(error, || {
        let broken = ApiError::api(status, message.text("message")?);
        convert(stream, out, None, |core, out| {
            core.fail(&broken, out);
            core.progress()
        })
    })
}

/// The backend's stream has ended: appends the end of the client's stream to `out`, an error if the answer was not
/// complete. After the end it appends nothing.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_stream_finish(
    stream: Option<NonNull<Stream>>,
    out: Option<NonNull<Buffer>>,
    error: Option<&mut MaybeUninit<Option<Box<Error>>>>,
) -> Status {
    guard(error, || {
        convert(stream, out, None, |core, out| {
            core.finish(out);
            core.progress()
        })
    })
}

/// Frees a converter. NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn anyclaude_stream_free(stream: Option<Box<Stream>>) {
    free(stream);
}

/// Calls the converter, which writes into `out`.
fn convert(
    stream: Option<NonNull<Stream>>,
    out: Option<NonNull<Buffer>>,
    progress: Option<&mut MaybeUninit<Progress>>,
    call: impl FnOnce(&mut StreamConverter, &mut Vec<u8>) -> anyclaude_core::Progress,
) -> Result<(), Error> {
    let stream = lent(stream, "stream")?;
    let reached = append(out, |out| stream.converter.call(|core| Ok(call(core, out))))?;
    if let Some(place) = progress {
        place.write(match reached {
            anyclaude_core::Progress::Waiting => ANYCLAUDE_PROGRESS_WAITING,
            anyclaude_core::Progress::Ended => ANYCLAUDE_PROGRESS_ENDED,
            // Whatever else there will be, it lies between the two.
            _ => ANYCLAUDE_PROGRESS_ANSWERING,
        });
    }
    Ok(())
}

impl Stream {
    /// What the turn was, and the request it belongs to.
    pub(crate) fn turn(stream: Option<NonNull<Stream>>) -> Result<(RequestContext, TurnRecord), Error> {
        let stream = lent(stream, "stream")?;
        Ok((stream.context.clone(), stream.converter.call(|core| Ok(core.record()))?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buffer::{anyclaude_buffer_bytes, anyclaude_buffer_new};
    use crate::status::{ANYCLAUDE_OK, ANYCLAUDE_POISONED};

    /// By the exports that C calls; only the defect itself has to come from inside.
    #[test]
    fn a_panic_poisons_the_stream_and_not_the_buffer() {
        let context = RequestContext::for_model("x");
        let converter = Exclusive::new(StreamConverter::new(context.clone()));
        let stream = Box::new(Stream { converter, context });
        let out = anyclaude_buffer_new();
        let push = || {
            let (stream, out) = (Some(NonNull::from(&*stream)), Some(NonNull::from(&*out)));
            anyclaude_stream_push(stream, Bytes::none(), out, None, None)
        };
        let written = || anyclaude_buffer_bytes(Some(&out)).len;
        assert_eq!(push(), ANYCLAUDE_OK);
        let before = written();
        let failed = append(Some(NonNull::from(&*out)), |out| {
            stream.converter.call::<()>(|_| {
                out.extend_from_slice(b"half of an event");
                panic!("a defect")
            })
        });
        assert!(before > 0 && failed.is_err());
        assert_eq!((push(), written()), (ANYCLAUDE_POISONED, before));
        anyclaude_stream_free(Some(stream));
    }
}
