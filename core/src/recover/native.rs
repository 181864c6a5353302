//! A call that the server has read itself, on its way to the client.

use crate::session::KeptText;
use crate::toolcall::NativeArguments;
use crate::toolcall::schema::Tools;
use crate::wire::JsonText;

/// Makes the arguments of one call fit, and remembers how the model wrote them.
#[derive(Debug)]
pub(super) struct NativeCall {
    arguments: NativeArguments,
    written: KeptText,
    sent: KeptText,
}

impl NativeCall {
    pub(super) fn new(tools: &Tools, name: &JsonText<'_>) -> Self {
        let arguments = NativeArguments::of(tools, &name.decode());
        NativeCall { arguments, written: KeptText::default(), sent: KeptText::default() }
    }

    /// More of the arguments; gives what goes out.
    pub(super) fn push<'t>(&mut self, text: &JsonText<'t>) -> JsonText<'t> {
        let plain = text.decode();
        self.written.push(&plain);
        let mut out = String::with_capacity(plain.len());
        self.arguments.push(&plain, &mut out);
        self.sent.push(&out);
        if out == *plain { text.clone() } else { JsonText::from_plain(&out) }
    }

    /// Nothing more comes; gives what was held back, and the arguments as they were written if they went out otherwise.
    pub(super) fn finish(mut self) -> (JsonText<'static>, Option<JsonText<'static>>) {
        let mut out = String::new();
        // An object that was cut off stays one: a command that looks complete and is not must not run.
        if !self.arguments.is_open() {
            self.arguments.finish(&mut out);
        } else if let Some(rest) = self.written.get().strip_prefix(self.sent.get()) {
            out.push_str(rest);
        }
        self.sent.push(&out);
        let written = self.written.get();
        let is_other = written != self.sent.get() && written.trim_start().starts_with('{');
        (JsonText::from_plain(&out), is_other.then(|| JsonText::from_plain(written)))
    }
}
