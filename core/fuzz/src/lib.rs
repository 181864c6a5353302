//! What holds for every output, shared by the targets and stated once.

mod dialogue;
mod events;

pub use dialogue::check_request;
pub use events::check_events;

/// Bytes at the head of an input that say how the rest is used.
pub const CONTROL: usize = 5;

/// The choices of an input, and the bytes they are about.
pub struct Input<'a> {
    /// Picks an end, a status or a backend.
    pub choice: u8,
    cuts: [usize; 2],
    pub bytes: &'a [u8],
}

impl<'a> Input<'a> {
    /// `None` for inputs that are too short to have a control part.
    pub fn new(data: &'a [u8]) -> Option<Self> {
        let (&[choice, a, b, c, d], bytes) = data.split_first_chunk::<CONTROL>()?;
        let place = |high, low| usize::from(u16::from_be_bytes([high, low])) % (bytes.len() + 1);
        let (a, b) = (place(a, b), place(c, d));
        Some(Input { choice, cuts: [a.min(b), a.max(b)], bytes })
    }

    /// The bytes in three pieces, some of which may be empty.
    pub fn pieces(&self) -> [&'a [u8]; 3] {
        let [first, second] = self.cuts;
        [&self.bytes[..first], &self.bytes[first..second], &self.bytes[second..]]
    }
}
