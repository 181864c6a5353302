//! However a stream is cut, the same events come out of it.
#![no_main]

use anyclaude_core::wire::sse::{SseEvent, SseSplitter};
use anyclaude_fuzz::Input;
use libfuzzer_sys::fuzz_target;

type Events = Vec<(Option<Vec<u8>>, Vec<u8>)>;

fn split<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Events {
    let mut events = Events::new();
    let mut splitter = SseSplitter::new();
    let mut each = |event: SseEvent<'_>| {
        events.push((event.name.map(<[u8]>::to_vec), event.data.to_vec()));
        Ok(())
    };
    for piece in pieces {
        splitter.push(piece, &mut each).expect("inputs are below the limit");
    }
    splitter.finish(&mut each).expect("inputs are below the limit");
    events
}

fuzz_target!(|data: &[u8]| {
    let Some(input) = Input::new(data) else { return };
    let whole = split(std::iter::once(input.bytes));
    assert_eq!(split(input.pieces().into_iter()), whole);
    assert_eq!(split(input.bytes.chunks(1)), whole);
    assert!(whole.iter().all(|(_, data)| !data.contains(&b'\r')));
});
