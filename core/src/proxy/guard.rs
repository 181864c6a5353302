//! Who may talk to the proxy: no web page, no rebound DNS name, nobody without the token.

use std::net::IpAddr;

use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HOST, HeaderName, HeaderValue, ORIGIN};
use subtle::ConstantTimeEq;

use super::Config;
use crate::launch::TOKEN_HEADER;
use crate::wire::{ApiError, ErrorType};

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Checks the headers of a request; `asks_token` is off where another token is asked for.
pub(super) fn check(
    config: &Config,
    headers: &HeaderMap,
    authority: Option<&str>,
    asks_token: bool,
) -> Result<(), ApiError> {
    check_host(config, headers, authority)?;
    check_origin(config, headers)?;
    if asks_token { check_token(config, headers) } else { Ok(()) }
}

/// A page on a name that was rebound to 127.0.0.1 sends its own name here.
fn check_host(config: &Config, headers: &HeaderMap, authority: Option<&str>) -> Result<(), ApiError> {
    let header = headers.get(HOST).map(|value| value.to_str().unwrap_or(""));
    let Some(host) = authority.or(header) else {
        return Err(ApiError::invalid_request("the Host header is missing"));
    };
    let name = without_port(host);
    let is_own = name.trim_matches(['[', ']']).parse().is_ok_and(|address: IpAddr| address == config.host);
    let mut known =
        ["127.0.0.1", "localhost", "[::1]"].into_iter().chain(config.allowed_hosts.iter().map(String::as_str));
    if is_own || known.any(|known| known.eq_ignore_ascii_case(name)) {
        return Ok(());
    }
    Err(refused("Host", "is not a name of this proxy; add it to allowed_hosts if it is meant to be"))
}

/// Browsers name the page that sends a request; Claude Code and the SDKs send nothing.
fn check_origin(config: &Config, headers: &HeaderMap) -> Result<(), ApiError> {
    if !headers.contains_key(ORIGIN) || allowed_origin(config, headers).is_some() {
        return Ok(());
    }
    Err(refused("Origin", "is a web page that may not use this proxy; add it to allowed_origins if it may"))
}

/// The page that sends a request, if it may use this proxy.
pub(super) fn allowed_origin(config: &Config, headers: &HeaderMap) -> Option<HeaderValue> {
    let origin = headers.get(ORIGIN)?;
    config.allowed_origins.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes()).then(|| origin.clone())
}

fn check_token(config: &Config, headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(token) = &config.inbound_token else { return Ok(()) };
    let bearer = headers.get(AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    let key = headers.get(X_API_KEY).map(|value| value.as_bytes());
    let beside = headers.get(TOKEN_HEADER).map(|value| value.as_bytes());
    let expected = token.expose().as_bytes();
    // All are compared whole, so that the time tells nothing about any.
    let matches = |given: Option<&[u8]>| given.map_or(0, |given| expected.ct_eq(given).unwrap_u8());
    if matches(bearer) | matches(key) | matches(beside) == 1 {
        return Ok(());
    }
    let message = "the token of this proxy is missing or wrong; set ANTHROPIC_AUTH_TOKEN to its inbound_token";
    Err(ApiError::new(401, ErrorType::Authentication, message).with_should_retry(false))
}

fn refused(header: &str, why: &str) -> ApiError {
    ApiError::new(403, ErrorType::Permission, format!("the {header} header {why}"))
}

/// `[::1]:80` and `localhost:80` without the port.
fn without_port(host: &str) -> &str {
    let Some((name, port)) = host.rsplit_once(':') else { return host };
    let is_name = !name.contains(':') || name.ends_with(']');
    if is_name && port.chars().all(|c| c.is_ascii_digit()) { name } else { host }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;

    fn check(config: &Config, headers: &HeaderMap, authority: Option<&str>) -> Result<(), ApiError> {
        super::check(config, headers, authority, true)
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn only_loopback_names_are_hosts() {
        let config = Config { allowed_hosts: vec!["my.box".to_owned()], ..Config::default() };
        for host in ["127.0.0.1:1", "localhost", "LOCALHOST:9", "[::1]:80", "[::1]", "my.box:7", "My.Box"] {
            assert!(check(&config, &headers(&[("host", host)]), None).is_ok(), "{host}");
        }
        for host in ["evil.test", "127.0.0.1.evil.test", "localhost.evil.test:80", "", "localhost:80:80", "x:localhost"]
        {
            assert_eq!(check(&config, &headers(&[("host", host)]), None).unwrap_err().status, 403, "{host}");
        }
        assert_eq!(check(&config, &headers(&[]), None).unwrap_err().status, 400);
        let config = Config { host: "fd00::1".parse().unwrap(), ..Config::default() };
        assert!(check(&config, &headers(&[("host", "[fd00::1]:80")]), None).is_ok());
    }

    #[test]
    fn pages_need_leave() {
        let config = Config { allowed_origins: vec!["http://localhost:3000".to_owned()], ..Config::default() };
        let from = |origin| check(&config, &headers(&[("host", "localhost"), ("origin", origin)]), None);
        assert!(from("http://localhost:3000").is_ok());
        for origin in ["http://localhost", "null", "http://localhost:3000.evil.test", "https://localhost:3000"] {
            assert_eq!(from(origin).unwrap_err().status, 403, "{origin}");
        }
    }

    #[test]
    fn the_token_comes_in_any_of_its_headers() {
        let config = Config { inbound_token: Some(Secret::new("abc")), ..Config::default() };
        let with = |name, value| check(&config, &headers(&[("host", "localhost"), (name, value)]), None);
        assert!(with("x-api-key", "abc").is_ok());
        assert!(with("authorization", "Bearer abc").is_ok());
        assert!(with(TOKEN_HEADER, "abc").is_ok() && with(TOKEN_HEADER, "abd").is_err());
        for (name, value) in [("x-api-key", "abd"), ("x-api-key", "ab"), ("authorization", "abc"), ("accept", "abc")] {
            assert_eq!(with(name, value).unwrap_err().status, 401);
        }
    }
}
