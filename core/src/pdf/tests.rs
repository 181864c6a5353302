use std::time::{Duration, Instant};

use super::*;

const LIMITS: PdfLimits = PdfLimits { max_bytes: 1 << 20, max_pages: 10, max_text_bytes: 10_000 };

/// A PDF of these objects, numbered from 1; the first one is the catalog.
fn pdf(objects: &[Vec<u8>]) -> Vec<u8> {
    pdf_with_trailer(objects, "")
}

fn pdf_with_trailer(objects: &[Vec<u8>], trailer: &str) -> Vec<u8> {
    let mut out = b"%PDF-1.4\n".to_vec();
    let mut offsets = Vec::new();
    for (index, object) in objects.iter().enumerate() {
        offsets.push(out.len());
        out.extend(format!("{} 0 obj\n", index + 1).bytes());
        out.extend(object);
        out.extend(b"\nendobj\n");
    }
    let xref = out.len();
    out.extend(format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).bytes());
    offsets.iter().for_each(|offset| out.extend(format!("{offset:010} 00000 n \n").bytes()));
    out.extend(
        format!("trailer\n<< /Size {} /Root 1 0 R {trailer} >>\nstartxref\n{xref}\n%%EOF\n", objects.len() + 1).bytes(),
    );
    out
}

fn stream(dictionary: &str, content: &[u8]) -> Vec<u8> {
    let mut out = format!("<< {dictionary} /Length {} >>\nstream\n", content.len()).into_bytes();
    out.extend(content);
    out.extend(b"\nendstream");
    out
}

fn shows(text: &str) -> String {
    format!("BT /F1 12 Tf 72 720 Td ({text}) Tj ET")
}

/// A document with one page for each content stream. Pages take objects 4, 6, 8, ...
fn document(contents: &[String]) -> Vec<u8> {
    let kids: Vec<String> = (0..contents.len()).map(|index| format!("{} 0 R", 4 + 2 * index)).collect();
    let mut objects = vec![
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        format!(
            "<< /Type /Pages /Kids [{}] /Count {} /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >> >>",
            kids.join(" "),
            contents.len()
        )
        .into_bytes(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_vec(),
    ];
    for (index, content) in contents.iter().enumerate() {
        objects.push(format!("<< /Type /Page /Parent 2 0 R /Contents {} 0 R >>", 5 + 2 * index).into_bytes());
        objects.push(stream("", content.as_bytes()));
    }
    pdf(&objects)
}

/// One page with its own dictionary; `extra` are the objects from 6 on.
fn page(dictionary: &str, content: &str, extra: Vec<Vec<u8>>) -> Vec<u8> {
    let mut objects = vec![
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        b"<< /Type /Pages /Kids [4 0 R] /Count 1 >>".to_vec(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_vec(),
        format!("<< /Type /Page /Parent 2 0 R /Contents 5 0 R {dictionary} >>").into_bytes(),
        stream("", content.as_bytes()),
    ];
    objects.extend(extra);
    pdf(&objects)
}

fn text(bytes: &[u8]) -> String {
    extract_text(bytes, &LIMITS).unwrap().text
}

#[test]
fn pages_stand_under_headings() {
    let read = extract_text(&document(&[shows("Hello World"), String::new(), shows("Goodbye")]), &LIMITS).unwrap();
    assert_eq!(
        read.text,
        "--- page 1 of 3 ---\nHello World\n\n--- page 2 of 3 ---\n[no text on this page]\n\n--- page 3 of 3 ---\nGoodbye\n"
    );
    assert_eq!((read.pages, read.pages_read, read.truncated), (3, 3, false));
}

#[test]
fn limits_are_told_in_the_text() {
    let file = document(&vec![shows("some words of text"); 5]);
    let few = extract_text(&file, &PdfLimits { max_pages: 2, ..LIMITS }).unwrap();
    assert!(few.text.ends_with("[The text ends here: 2 of 5 pages were read.]\n"), "{}", few.text);
    assert!(few.truncated && few.pages_read == 2);
    let short = extract_text(&file, &PdfLimits { max_text_bytes: 50, ..LIMITS }).unwrap();
    assert!(short.text.contains("pages were read, the last one not to its end.]"), "{}", short.text);
    assert!(short.truncated && short.text.len() < 150);
    assert_eq!(
        extract_text(&file, &PdfLimits { max_bytes: 10, ..LIMITS }),
        Err(PdfError::TooLarge { bytes: file.len(), max_bytes: 10 })
    );
}

#[test]
fn compressed_content_is_read() {
    use std::io::Write;
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(shows("packed").as_bytes()).unwrap();
    let mut objects = vec![
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        b"<< /Type /Pages /Kids [4 0 R] /Count 1 >>".to_vec(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_vec(),
        b"<< /Type /Page /Parent 2 0 R /Contents 5 0 R /Resources << /Font << /F1 3 0 R >> >> >>".to_vec(),
    ];
    objects.push(stream("/Filter /FlateDecode", &encoder.finish().unwrap()));
    assert!(text(&pdf(&objects)).contains("packed"), "a page without MediaBox is read too");
}

#[test]
fn empty_scanned_broken_and_foreign_files_say_so() {
    assert_eq!(extract_text(&document(&[String::new(), String::new()]), &LIMITS), Err(PdfError::NoText { pages: 2 }));
    assert_eq!(extract_text(b"", &LIMITS), Err(PdfError::NotAPdf));
    assert_eq!(extract_text(b"<html>", &LIMITS), Err(PdfError::NotAPdf));
    assert!(matches!(extract_text(b"%PDF-1.4\nnothing", &LIMITS), Err(PdfError::Broken(_))));
    let no_pages = pdf(&[b"<< /Type /Catalog >>".to_vec()]);
    assert!(matches!(extract_text(&no_pages, &LIMITS), Err(PdfError::Broken(_))));
    for error in [
        PdfError::NotAPdf,
        PdfError::Bomb,
        PdfError::Encrypted,
        PdfError::NoText { pages: 1 },
        PdfError::TimedOut,
        PdfError::Busy,
    ] {
        assert!(error.to_string().starts_with("[The attached"));
    }
}

#[test]
fn encrypted_files_say_so() {
    let encrypt = "<< /Filter /Standard /V 1 /R 2 /P -4 /O (01234567890123456789012345678901) /U (01234567890123456789012345678901) >>";
    let objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        b"<< /Type /Pages /Kids [] /Count 0 >>".to_vec(),
        encrypt.as_bytes().to_vec(),
    ];
    let file = pdf_with_trailer(&objects, "/Encrypt 3 0 R /ID [(0123456789abcdef) (0123456789abcdef)]");
    assert_eq!(extract_text(&file, &LIMITS), Err(PdfError::Encrypted));
}

#[test]
fn operators_that_the_parser_would_panic_on_are_dropped() {
    let content = format!(
        "Q Q 1 cm /Odd cs /None scn (x) Tj /F9 3 Tf (y) Tj q {} Q (z) Tj BT [(a) /b] TJ ET /Im Do",
        shows("kept")
    );
    let read = text(&page("/MediaBox [0 0 (x)] /Resources << /Font << /F1 3 0 R >> >>", &content, vec![]));
    assert_eq!(read, "--- page 1 of 1 ---\nkept\n");
}

#[test]
fn forms_are_read_and_images_are_not() {
    let form = stream(
        "/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /Font << /F1 3 0 R >> >>",
        shows("in a form").as_bytes(),
    );
    let image = stream("/Type /XObject /Subtype /Image /Width 1 /Height 1", b"(not text) Tj BT 1 cm");
    let resources = "/Resources << /Font << /F1 3 0 R >> /XObject << /Fm 6 0 R /Im 7 0 R >> >>";
    assert_eq!(text(&page(resources, "/Fm Do /Im Do", vec![form, image])), "--- page 1 of 1 ---\nin a form\n");
}

#[test]
fn cycles_and_multiplied_forms_end() {
    let font = "/Font << /F1 3 0 R >>";
    let own = stream(
        &format!("/Subtype /Form /Resources << {font} /XObject << /Fm 6 0 R >> >>"),
        format!("{} /Fm Do", shows("once")).as_bytes(),
    );
    let read = text(&page(&format!("/Resources << {font} /XObject << /Fm 6 0 R >> >>"), "/Fm Do", vec![own]));
    assert_eq!(read, "--- page 1 of 1 ---\nonce\n");

    // Ten forms, each drawing the next one ten times: 10^10 operators if executed.
    let forms = (0..10).map(|index| {
        let resources = format!("/Subtype /Form /Resources << {font} /XObject << /Fm {} 0 R >> >>", 7 + index);
        stream(&resources, format!("{} {}", shows("x"), "/Fm Do ".repeat(10)).as_bytes())
    });
    let started = Instant::now();
    let many = page(
        &format!("/Resources << {font} /XObject << /Fm 6 0 R >> >>"),
        &format!("{} /Fm Do", shows("top")),
        forms.collect(),
    );
    assert!(text(&many).contains("top"));
    assert!(started.elapsed() < Duration::from_secs(20));

    let parent = pdf(&[
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        b"<< /Type /Pages /Kids [3 0 R 2 0 R] /Count 1 /Parent 2 0 R >>".to_vec(),
        b"<< /Type /Page /Parent 3 0 R /Contents 4 0 R >>".to_vec(),
        stream("", shows("lost").as_bytes()),
    ]);
    assert!(extract_text(&parent, &LIMITS).is_err());
}

#[test]
fn deep_nesting_does_not_overflow_the_stack() {
    let deep = 200_000;
    for (open, close) in [("[", "]"), ("<<", ">>"), ("(", ")"), ("<< /a ", ">>")] {
        let nested = format!("{}{}", open.repeat(deep), close.repeat(deep));
        let objects = page(
            "/Resources << /Font << /F1 3 0 R >> >>",
            &format!("{nested} {}", shows("after")),
            vec![nested.clone().into_bytes()],
        );
        let limits = PdfLimits { max_bytes: 16 << 20, ..LIMITS };
        let _ = extract_with_deadline(objects, limits, Duration::from_secs(60));
        let font =
            "<< /Type /Font /Subtype /Type1 /BaseFont /X /ToUnicode 7 0 R /FontDescriptor << /FontFile 7 0 R >> >>";
        let map = stream("", format!("%!PS begincmap /Encoding {nested} def endcmap").as_bytes());
        let file =
            page("/Resources << /Font << /F1 6 0 R >> >>", &shows("mapped"), vec![font.as_bytes().to_vec(), map]);
        let _ = extract_with_deadline(file, limits, Duration::from_secs(60));
    }
}

#[test]
fn a_file_cut_anywhere_gives_text_or_an_error() {
    let file = document(&[shows("Hello"), shows("World")]);
    for end in 0..file.len() {
        let _ = extract_text(&file[..end], &LIMITS);
    }
}

#[test]
fn random_bytes_do_no_harm() {
    let mut seed = 42u32;
    let mut random = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 24) as u8
    };
    let whole = document(&[shows("Hello")]);
    for _ in 0..200 {
        let mut noise = b"%PDF-1.7\n".to_vec();
        noise.extend((0..300).map(|_| random()));
        let _ = extract_text(&noise, &LIMITS);
        let mut damaged = whole.clone();
        for _ in 0..5 {
            let at = usize::from(random()) * damaged.len() / 256;
            damaged[at] = random();
        }
        let _ = extract_text(&damaged, &LIMITS);
    }
}

#[test]
fn deadline_and_cache() {
    let file = document(&[shows("Hello")]);
    let second = Duration::from_secs(10);
    assert!(extract_with_deadline(file.clone(), LIMITS, second).unwrap().text.contains("Hello"));
    assert_eq!(extract_with_deadline(b"x".to_vec(), LIMITS, second), Err(PdfError::NotAPdf));

    let cache = PdfCache::new(1000);
    let first = cache.get_or_extract(&file, LIMITS, second).unwrap();
    // A deadline of nothing shows that the second answer comes from the cache.
    let again = cache.get_or_extract(&file, LIMITS, Duration::ZERO).unwrap();
    assert!(std::sync::Arc::ptr_eq(&first, &again));
    assert_eq!(cache.get_or_extract(b"x", LIMITS, second), Err(PdfError::NotAPdf));
    assert_eq!(cache.usage().0, 2);
    for index in 0..20 {
        cache.get_or_extract(&document(&[shows(&format!("text {index}"))]), LIMITS, second).unwrap();
    }
    let (entries, bytes) = cache.usage();
    assert!(entries >= 1 && bytes <= 1000, "{entries} {bytes}");
    let none = PdfCache::new(0);
    none.get_or_extract(&file, LIMITS, second).unwrap();
    assert_eq!(none.usage(), (0, 0));

    // Whatever is given up ends soon and leaves nothing behind.
    for _ in 0..20 {
        let result = extract_with_deadline(file.clone(), LIMITS, Duration::ZERO);
        assert!(matches!(result, Ok(_) | Err(PdfError::TimedOut | PdfError::Busy)), "{result:?}");
    }
    let started = Instant::now();
    while extract_with_deadline(file.clone(), LIMITS, second) == Err(PdfError::Busy) {
        assert!(started.elapsed() < second);
        std::thread::yield_now();
    }
}
