//! Web pages that proxies and CDNs send instead of an error body: only the title is kept.

/// Whether a text is a web page.
pub(super) fn is_page(text: &str) -> bool {
    let start: String = text.trim_start().chars().take(MAX_SNIFF_CHARS).collect::<String>().to_ascii_lowercase();
    start.starts_with('<')
        && ["<!doctype html", "<html", "<head", "<body", "<title", "<h1"].iter().any(|tag| start.contains(tag))
}

/// The page's title, or its first heading, or nothing; without tags, line breaks and entities.
pub(super) fn title(page: &str) -> String {
    let lower = page.to_ascii_lowercase();
    let inside = ["title", "h1"].iter().find_map(|tag| element(page, &lower, tag)).unwrap_or_default();
    let text =
        inside.replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">").replace("&nbsp;", " ").replace('|', "-");
    text.split_whitespace().take(MAX_TITLE_WORDS).collect::<Vec<_>>().join(" ")
}

/// The text of the first element with that name. `lower` is `page` in ASCII lower case, which keeps
/// every byte position.
fn element<'a>(page: &'a str, lower: &str, tag: &str) -> Option<&'a str> {
    let open = lower.find(&format!("<{tag}"))?;
    let start = open + lower.get(open..)?.find('>')? + 1;
    let end = start + lower.get(start..)?.find('<')?;
    page.get(start..end).map(str::trim).filter(|text| !text.is_empty())
}

/// How far a page is looked at to see that it is one.
const MAX_SNIFF_CHARS: usize = 300;

/// Words of a title that are shown; a longer one is no title.
const MAX_TITLE_WORDS: usize = 12;

#[cfg(test)]
mod tests {
    use super::{is_page, title};

    #[test]
    fn titles_of_common_pages() {
        let nginx = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body><center><h1>502 Bad Gateway</h1>";
        assert!(is_page(nginx));
        assert_eq!(title(nginx), "502 Bad Gateway");
        assert_eq!(
            title("<!DOCTYPE html><TITLE>example.org | 524: A\n timeout</TITLE>"),
            "example.org - 524: A timeout"
        );
        assert_eq!(title("<html><body><h1>Not Found</h1></body></html>"), "Not Found");
        assert_eq!(title("<html><title>"), "");
        assert!(!is_page("{\"error\":\"<html>\"}"));
        assert!(!is_page("<|tool_call|> is not allowed"));
    }
}
