//! Stage 6 of 7, export: what an OTLP/HTTP response means for the block it answers. Thread: sender.
//!
//! The rules are OTLP's ("OTLP/HTTP Response"): 429, 502, 503 and 504 are retried and nothing else is, a
//! partial success is never retried, and 413 alone is worth a smaller request.

use super::echo::Echo;
use crate::wire::{Fields, Value};
use serde_json::Value as Json;
use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

/// Longest text of a server that is repeated to people, in characters.
const TEXT_CHARS: usize = 200;

/// What one attempt to send a block came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The server took the request.
    Delivered {
        /// Records of it that the server refused (OTLP `partial_success`); not to be sent again.
        rejected_records: u64,
        /// What the server said about them, or about a request it took in full.
        warning: Option<String>,
    },
    /// Nothing was taken and trying again can help.
    Retry {
        /// The server's `Retry-After`.
        after: Option<Duration>,
        /// Why, for people.
        cause: String,
    },
    /// The request is larger than the server takes (413): halves of it may pass.
    TooLarge {
        /// Why, for people.
        cause: String,
    },
    /// The server will never take this request.
    Rejected {
        /// Why, for people.
        cause: String,
    },
}

/// Classifies one HTTP response. `now` is what an HTTP date in `Retry-After` is compared with; `echo` is not quoted.
#[must_use]
pub fn classify(
    status: u16,
    retry_after: Option<&str>,
    content_type: Option<&str>,
    body: &[u8],
    now: SystemTime,
    echo: &Echo,
) -> Answer {
    match status {
        200..=299 => {
            let (rejected_records, warning) = partial_success(content_type, body, echo);
            Answer::Delivered { rejected_records, warning }
        }
        429 | 502 | 503 | 504 => Answer::Retry {
            after: retry_after.and_then(|value| parse_retry_after(value, now)),
            cause: describe(status, content_type, body, echo),
        },
        413 => Answer::TooLarge { cause: describe(status, content_type, body, echo) },
        _ => Answer::Rejected { cause: describe(status, content_type, body, echo) },
    }
}

/// `Retry-After` as seconds or an HTTP date (RFC 9110, 10.2.3); a past date is zero, anything else is ignored.
fn parse_retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a u64 holds still means "very long"; the retry settings cap it.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// `ExportLogsServiceResponse.partial_success`, or a full success when the body is not one.
fn partial_success(content_type: Option<&str>, body: &[u8], echo: &Echo) -> (u64, Option<String>) {
    if is_type(content_type, "application/x-protobuf") {
        read_partial_success(body, echo).unwrap_or_default()
    } else if is_type(content_type, "application/json") {
        read_json_partial_success(body, echo).unwrap_or_default()
    } else {
        (0, None)
    }
}

fn read_json_partial_success(body: &[u8], echo: &Echo) -> Option<(u64, Option<String>)> {
    let response: Json = serde_json::from_slice(body).ok()?;
    let partial = response.get("partialSuccess")?;
    // An int64 is a string in OTLP/JSON; numbers are understood too, as readers of it should.
    let rejected = match partial.get("rejectedLogRecords") {
        Some(Json::String(digits)) => digits.parse().unwrap_or(0),
        Some(number) => number.as_u64().unwrap_or(0),
        None => 0,
    };
    let warning = partial.get("errorMessage").and_then(Json::as_str);
    Some((rejected, warning.and_then(|text| quote(text.as_bytes(), echo))))
}

fn read_partial_success(body: &[u8], echo: &Echo) -> Option<(u64, Option<String>)> {
    let mut rejected_records = 0;
    let mut warning = None;
    let mut response = Fields::new(body);
    for (number, value) in response.by_ref() {
        let (1, Value::Bytes(message)) = (number, value) else { continue };
        let mut fields = Fields::new(message);
        for field in fields.by_ref() {
            match field {
                // An int64 on the wire; a negative count is nonsense and counts as none.
                (1, Value::Varint(count)) => rejected_records = i64::try_from(count).map_or(0, |_| count),
                (2, Value::Bytes(text)) => warning = quote(text, echo),
                _ => {}
            }
        }
        if fields.malformed() {
            return None;
        }
    }
    (!response.malformed()).then_some((rejected_records, warning))
}

/// "HTTP 401 Unauthorized: <what the server says> (<what to do>)".
fn describe(status: u16, content_type: Option<&str>, body: &[u8], echo: &Echo) -> String {
    let reason = ureq::http::StatusCode::from_u16(status).ok().and_then(|code| code.canonical_reason());
    let mut cause = format!("HTTP {status}");
    if let Some(reason) = reason {
        let _ = write!(cause, " {reason}");
    }
    if let Some(text) = server_text(content_type, body, echo) {
        let _ = write!(cause, ": {text}");
    }
    if let Some(hint) = hint(status) {
        let _ = write!(cause, " ({hint})");
    }
    cause
}

/// The message of a `google.rpc.Status`, as protobuf or JSON; of other bodies only plain text and JSON, as they are.
fn server_text(content_type: Option<&str>, body: &[u8], echo: &Echo) -> Option<String> {
    if is_type(content_type, "application/json") {
        let status = serde_json::from_slice::<Json>(body).ok();
        let message = status.as_ref().and_then(|status| status.get("message")).and_then(Json::as_str);
        return quote(message.map_or(body, str::as_bytes), echo);
    }
    if is_type(content_type, "text/plain") {
        return quote(body, echo);
    }
    let mut message = None;
    let mut fields = Fields::new(body);
    for field in fields.by_ref() {
        if let (2, Value::Bytes(text)) = field {
            message = Some(std::str::from_utf8(text).ok()?);
        }
    }
    (!fields.malformed()).then_some(message?).and_then(|text| quote(text.as_bytes(), echo))
}

const fn hint(status: u16) -> Option<&'static str> {
    match status {
        300..=399 => Some("redirects are not followed: set the endpoint to the final URL"),
        401 | 403 => Some("check the credentials in the exporter's headers"),
        404 | 405 => Some("check the path of the endpoint, usually /v1/logs"),
        407 => Some("check the credentials in the proxy's URL"),
        415 => Some("check that the endpoint takes this protocol with this compression"),
        _ => None,
    }
}

fn is_type(content_type: Option<&str>, wanted: &str) -> bool {
    let media_type = content_type.and_then(|value| value.split(';').next()).unwrap_or("");
    media_type.trim().eq_ignore_ascii_case(wanted)
}

/// What a server says, fit to be shown. Secrets go first: of one that is cut nobody would know that it was one.
fn quote(text: &[u8], echo: &Echo) -> Option<String> {
    clean(&echo.hide(text))
}

/// The first 200 characters with control characters escaped; `None` when nothing is left.
pub(super) fn clean(text: &[u8]) -> Option<String> {
    // Four bytes per character at most: never look at more of a large body than can be shown.
    let text = String::from_utf8_lossy(&text[..text.len().min(TEXT_CHARS * 8)]);
    let text = text.trim();
    let mut shown = String::with_capacity(text.len().min(TEXT_CHARS * 4));
    for character in text.chars().take(TEXT_CHARS) {
        if character.is_control() || is_invisible(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    if text.chars().nth(TEXT_CHARS).is_some() {
        shown.push('…');
    }
    (!shown.is_empty()).then_some(shown)
}

/// Line separators and marks that turn the direction of text: they too can forge a log line.
const fn is_invisible(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
