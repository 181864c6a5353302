//! Page after page: made harmless, read, put under its heading.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};

use pdf_extract::{Document, ObjectId, PlainTextOutput, output_doc_page};

use super::sanitize::{Page, Sanitizer};
use super::sink::Sink;
use super::{PdfError, PdfLimits, PdfText, fonts};

/// The text of a loaded document.
pub(super) fn read(mut document: Document, limits: &PdfLimits, cancelled: &AtomicBool) -> Result<PdfText, PdfError> {
    let pages: Vec<(u32, ObjectId)> = document.get_pages().into_iter().collect();
    if pages.is_empty() {
        return Err(PdfError::Broken("it has no pages".to_owned()));
    }
    fonts::make_harmless(&mut document);
    let mut sanitizer = Sanitizer::default();
    let mut out = PdfText { text: String::new(), pages: pages.len(), pages_read: 0, truncated: false };
    let (mut has_text, mut all_whole) = (false, true);
    for (number, id) in pages.iter().take(limits.max_pages) {
        if cancelled.load(Ordering::Relaxed) {
            return Err(PdfError::TimedOut);
        }
        let room = limits.max_text_bytes.saturating_sub(out.text.len());
        if room == 0 {
            break;
        }
        let (text, whole) = page_text(&mut document, &mut sanitizer, (*number, *id), room, cancelled);
        has_text |= !text.is_empty();
        all_whole &= whole;
        out.pages_read += 1;
        append(&mut out, *number, &text, whole);
    }
    if !has_text {
        let unread = PdfError::Broken("none of its pages could be read".to_owned());
        return Err(if all_whole { PdfError::NoText { pages: out.pages_read } } else { unread });
    }
    cut(&mut out, limits);
    Ok(out)
}

/// A page's text, and whether all of it could be read.
fn page_text(
    document: &mut Document,
    sanitizer: &mut Sanitizer,
    (number, id): (u32, ObjectId),
    room: usize,
    cancelled: &AtomicBool,
) -> (String, bool) {
    let Page::Ready = sanitizer.prepare(document, id) else { return (String::new(), false) };
    let mut text = String::new();
    let sink = Sink { text: &mut text, room, cancelled };
    let read =
        catch_unwind(AssertUnwindSafe(|| output_doc_page(document, &mut PlainTextOutput::new(sink), number).is_ok()));
    sanitizer.release(document, id);
    // What was written before a panic is still worth having. A full sink counts as read: the cut
    // is told at the end.
    let whole = read.unwrap_or(false) || text.len() >= room;
    (tidy(&text), whole)
}

fn append(out: &mut PdfText, number: u32, text: &str, whole: bool) {
    let heading = format!("--- page {number} of {} ---\n", out.pages);
    if !out.text.is_empty() {
        out.text.push('\n');
    }
    out.text.push_str(&heading);
    out.text.push_str(text);
    if !text.is_empty() {
        out.text.push('\n');
    }
    if !whole {
        out.text.push_str("[part of this page could not be read]\n");
    } else if text.is_empty() {
        out.text.push_str("[no text on this page]\n");
    }
}

/// Lines without spaces at their ends, at most one empty line in a row.
fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut blank = true;
    for line in text.lines().map(str::trim_end) {
        if line.is_empty() && blank {
            continue;
        }
        blank = line.is_empty();
        out.push_str(line);
        out.push('\n');
    }
    out.trim_end().to_owned()
}

/// Cuts the text and tells what is missing.
fn cut(out: &mut PdfText, limits: &PdfLimits) {
    let cut = out.text.len() > limits.max_text_bytes;
    if cut {
        let end = (0..=limits.max_text_bytes).rev().find(|end| out.text.is_char_boundary(*end)).unwrap_or(0);
        out.text.truncate(end);
        out.text.push('\n');
    }
    out.truncated = cut || out.pages_read < out.pages;
    if out.truncated {
        let note = format!("\n[The text ends here: {} of {} pages were read", out.pages_read, out.pages);
        out.text.push_str(&note);
        out.text.push_str(if cut { ", the last one not to its end.]\n" } else { ".]\n" });
    }
}
