//! Sizes of compressed streams, found out before anything is unpacked into memory.

use flate2::{Decompress, FlushDecompress, Status};
use pdf_extract::{Dictionary, Object, Stream};

use super::PdfError;

/// Refuses a file whose streams would not fit into memory. Loading a document unpacks its object and
/// cross-reference streams, so this looks at the raw file; the other streams are unpacked later
/// and one by one, through [`decoded`].
pub(super) fn check_file(bytes: &[u8]) -> Result<(), PdfError> {
    let mut budget = MAX_LOADED_BYTES;
    let encrypted = memchr::memmem::find(bytes, b"/Encrypt").is_some();
    for at in memchr::memmem::find_iter(bytes, b"stream") {
        let before = bytes.get(at.saturating_sub(MAX_DICTIONARY_BYTES)..at).unwrap_or_default();
        let after = bytes.get(at + b"stream".len()..).unwrap_or_default();
        let dictionary = names(before);
        if before.ends_with(b"end") || !is_unpacked_at_load(&dictionary) {
            continue;
        }
        // Never used for these streams by any producer, and not checked here.
        if dictionary.contains("LZW") || dictionary.contains("ASCII85") || dictionary.matches("FlateDecode").count() > 1
        {
            return Err(PdfError::Bomb);
        }
        // Encrypted data cannot be measured, so the worst is assumed.
        if encrypted && has_name(&dictionary, "/First") {
            let worst = length(&dictionary, after).and_then(|length| length.checked_mul(MAX_DEFLATE_RATIO));
            budget = worst.and_then(|size| budget.checked_sub(size)).ok_or(PdfError::Encrypted)?;
            continue;
        }
        let data = after.strip_prefix(b"\r\n").or_else(|| after.strip_prefix(b"\n")).unwrap_or(after);
        budget = inflated_size(data, budget).and_then(|size| budget.checked_sub(size)).ok_or(PdfError::Bomb)?;
    }
    Ok(())
}

/// Object streams have `/First` and `/N`, cross-reference streams `/W`; images have `/Width`.
fn is_unpacked_at_load(dictionary: &str) -> bool {
    ["/First", "/W", "/ObjStm", "/XRef"].iter().any(|key| has_name(dictionary, key))
}

fn has_name(dictionary: &str, name: &str) -> bool {
    dictionary.match_indices(name).any(|(at, _)| {
        !dictionary.get(at + name.len()..).unwrap_or_default().starts_with(|c: char| c.is_ascii_alphanumeric())
    })
}

/// The length of a stream: as declared, or up to its end mark, whatever is more. `None` if it is
/// declared elsewhere.
fn length(dictionary: &str, data: &[u8]) -> Option<usize> {
    let declared = dictionary.rsplit_once("/Length")?.1.trim_start();
    let digits = declared.find(|c: char| !c.is_ascii_digit()).and_then(|end| declared.split_at_checked(end))?;
    let reference = digits.1.trim_start().starts_with(|c: char| c.is_ascii_digit());
    let end = memchr::memmem::find(data, b"endstream").unwrap_or(data.len());
    if reference { None } else { Some(digits.0.parse::<usize>().ok()?.max(end)) }
}

/// The dictionary before a stream as text, from its object's beginning, with `#41` written as `A`.
fn names(before: &[u8]) -> String {
    let start = memchr::memmem::rfind(before, b" obj").unwrap_or(0);
    let mut out = String::new();
    let mut rest = before.get(start..).unwrap_or_default();
    while let Some((byte, after)) = rest.split_first() {
        let escaped = (*byte == b'#').then(|| after.get(..2)).flatten();
        let code =
            escaped.and_then(|hex| std::str::from_utf8(hex).ok()).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(char::from(code.unwrap_or(*byte)));
        rest = if code.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    out
}

/// The bytes of a stream, unpacked; `None` if it is not text-like (an image), broken, or larger
/// than `max_bytes`.
pub(super) fn decoded(stream: &Stream, max_bytes: usize) -> Option<Vec<u8>> {
    let filters: Vec<Vec<u8>> =
        stream.filters().map_or_else(|_| Vec::new(), |all| all.into_iter().map(<[u8]>::to_vec).collect());
    if filters.len() > MAX_FILTERS {
        return None;
    }
    let mut data = stream.content.clone();
    for filter in filters {
        match filter.as_slice() {
            b"FlateDecode" => inflated_size(&data, max_bytes).map(drop)?,
            b"LZWDecode" if data.len() <= MAX_LZW_BYTES => {}
            b"ASCII85Decode" => {}
            _ => return None,
        }
        let mut dictionary = Dictionary::new();
        dictionary.set("Filter", Object::Name(filter));
        if let Ok(parameters) = stream.dict.get(b"DecodeParms") {
            dictionary.set("DecodeParms", parameters.clone());
        }
        data = Stream::new(dictionary, data).decompressed_content().ok()?;
    }
    (data.len() <= max_bytes).then_some(data)
}

/// The size of zlib data when unpacked, or `None` if it is larger than `max_bytes`. Broken data
/// counts as far as it goes. Header and checksum are not looked at, as the parser forgives them.
fn inflated_size(data: &[u8], max_bytes: usize) -> Option<usize> {
    let mut inflater = Decompress::new(false);
    let mut buffer = [0u8; 16 * 1024];
    let data = data.get(ZLIB_HEADER_BYTES..).unwrap_or_default();
    loop {
        let read = usize::try_from(inflater.total_in()).ok()?;
        let before = inflater.total_out();
        let status = inflater.decompress(data.get(read..)?, &mut buffer, FlushDecompress::None);
        let size = usize::try_from(inflater.total_out()).ok()?;
        if size > max_bytes {
            return None;
        }
        let stuck = inflater.total_out() == before && inflater.total_in() == read as u64;
        if stuck || !matches!(status, Ok(Status::Ok | Status::BufError)) {
            return Some(size);
        }
    }
}

/// All streams that loading unpacks, together. Real ones stay below a few megabytes.
const MAX_LOADED_BYTES: usize = 128 << 20;

/// Deflate cannot do better than this.
const MAX_DEFLATE_RATIO: usize = 1032;

/// How far back a stream's dictionary is searched. Longer ones hold no stream of interest.
const MAX_DICTIONARY_BYTES: usize = 4096;

/// LZW can unpack to about 1200 times its size and cannot be measured cheaply; this keeps it below
/// 80 MB. Only files of the nineties use it, in small streams.
const MAX_LZW_BYTES: usize = 64 << 10;

/// Two occur (ASCII85 around Flate); more are an attack.
const MAX_FILTERS: usize = 3;

const ZLIB_HEADER_BYTES: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_measured_up_to_the_limit() {
        use std::io::Write;
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(&vec![b'a'; 1_000_000]).unwrap();
        let packed = encoder.finish().unwrap();
        assert_eq!(inflated_size(&packed, 1_000_000), Some(1_000_000));
        assert_eq!(inflated_size(&packed, 999_999), None);
        assert!(inflated_size(&packed[..packed.len() / 2], 1_000_000).is_some());
        assert_eq!(inflated_size(b"", 10), Some(0));
        assert_eq!(inflated_size(b"x\x9cnot zlib", 10), Some(0));
        let file =
            [b"1 0 obj <</#54ype/Obj#53tm /First 5 /N 1>> stream\n".as_slice(), &packed, b"\nendstream"].concat();
        assert_eq!(check_file(&file), Ok(()));
        let many = file.repeat(200);
        assert_eq!(check_file(&many), Err(PdfError::Bomb));
    }

    #[test]
    fn images_are_no_object_streams() {
        assert!(!is_unpacked_at_load("<</Width 400/Filter[/ASCII85Decode/FlateDecode]>>"));
        assert!(is_unpacked_at_load("<</W[1 2 1]>>") && is_unpacked_at_load("<</N 1 /First 5>>"));
    }

    #[test]
    fn encrypted_object_streams_are_assumed_to_be_the_worst() {
        let file = |length: usize| {
            format!("/Encrypt 1 0 obj <</N 1/First 5/Length {length}>> stream\nabc\nendstream").into_bytes()
        };
        assert_eq!(check_file(&file(100_000)), Ok(()));
        assert_eq!(check_file(&file(1_000_000)), Err(PdfError::Encrypted));
        assert_eq!(check_file(b"/Encrypt 1 0 obj <</First 5/Length 3 0 R>> stream\nabc"), Err(PdfError::Encrypted));
    }

    #[test]
    fn names_are_unescaped() {
        assert_eq!(names(b"<<x>> 1 0 obj <</F#69lter /#"), " obj <</Filter /#");
    }
}
