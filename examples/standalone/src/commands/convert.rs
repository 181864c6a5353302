//! `anyclaude translate` and `anyclaude stream`: the pure core on files.

use std::io::Read;

use anyclaude_core::{Options, RequestContext, RequestMeta, StreamConverter, Translator, backend};

use crate::args::Convert;
use crate::failure::Failure;
use crate::output;

/// Prints the body that the backend would be sent; what was dropped goes to standard error.
pub(crate) fn translate(args: &Convert) -> Result<(), Failure> {
    let mut options = Options::default();
    options.model.clone_from(&args.model);
    let translator = Translator::new(*backend::by_name(&args.backend)?, options);
    let translated = translator.request_json(&read(args)?, &RequestMeta::default())?;
    for note in &translated.notes {
        output::note(note);
    }
    output::line(String::from_utf8_lossy(&translated.body))?;
    Ok(())
}

/// Prints the events that the client would get. The bytes end where the file ends.
pub(crate) fn stream(args: &Convert) -> Result<(), Failure> {
    let mut context = RequestContext::for_model(args.model.as_deref().unwrap_or("claude"));
    context.backend = backend::by_name(&args.backend)?.name;
    let mut converter = StreamConverter::new(context);
    let mut out = Vec::new();
    converter.push(&read(args)?, &mut out);
    converter.finish(&mut out);
    output::bytes(&out)?;
    Ok(())
}

fn read(args: &Convert) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    if args.file.as_os_str() == "-" {
        std::io::stdin().read_to_end(&mut bytes)?;
        return Ok(bytes);
    }
    std::fs::read(&args.file).map_err(|error| Failure::new(format!("{}: {error}", args.file.display())))
}
