//! Whatever a client sends, it is refused with a sentence or becomes a request that servers take.
#![no_main]

use std::sync::LazyLock;

use anyclaude_core::backend::BACKENDS;
use anyclaude_core::{Options, RequestMeta, Translator};
use anyclaude_fuzz::check_request;
use libfuzzer_sys::fuzz_target;

static TRANSLATORS: LazyLock<Vec<Translator>> =
    LazyLock::new(|| BACKENDS.iter().map(|spec| Translator::new(*spec, Options::default())).collect());

fuzz_target!(|body: &[u8]| {
    let mut first = None;
    for translator in TRANSLATORS.iter() {
        let translated = translator.request_json(body, &RequestMeta::default());
        match &translated {
            Ok(translated) => check_request(&translated.body),
            Err(error) => {
                assert!(!error.message().is_empty());
                let told = error.to_api().to_json("req_0");
                serde_json::from_slice::<serde_json::Value>(&told).expect("errors are JSON");
            }
        }
        // What a request means does not depend on who is to answer it.
        assert_eq!(*first.get_or_insert(translated.is_ok()), translated.is_ok());
    }
});
