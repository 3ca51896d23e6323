//! Stage 3 of 7, redact: finds what `Authorization` and `Cookie` headers carry. Thread: caller.

use crate::scan::context::Context;
use crate::scan::detect::credentials::assigned::{assigned, is_secret_value, plain_end};
use crate::scan::detect::credentials::LONG_BYTES;
use crate::scan::finding::Findings;
use crate::scan::keywords::Hit;
use crate::scan::kind::Kind;
use crate::scan::sets::WordSet;

/// Names of parameters of cookies that are no cookies.
static ATTRIBUTES: WordSet =
    WordSet::new("path domain expires max-age secure httponly samesite priority partitioned");
/// Most cookies of a header (RFC 6265 asks for fifty).
const MOST_PAIRS: usize = 64;
/// Most bytes of a header.
const HEADER_BYTES: usize = 8192;

/// `Bearer <token>`, `Basic <user:password>`, and parameters behind `Digest`.
pub fn scheme(context: &Context<'_>, hit: &Hit, findings: &mut Findings<'_>) -> Option<usize> {
    let text = context.text;
    let word = &text[hit.start as usize..hit.end as usize];
    let end = hit.end as usize;
    if text.get(end) != Some(&b' ') {
        return None;
    }
    let start = end + text[end..].iter().take(4).take_while(|byte| **byte == b' ').count();
    let stop = token_end(text, start);
    let token = &text[start..stop];
    if word.eq_ignore_ascii_case(b"digest") {
        let parameters = token.contains(&b'=') || text.get(stop) == Some(&b'=');
        return parameters.then(|| hide_header(context, start, Kind::BearerToken, findings));
    }
    let (kind, found) = if word.eq_ignore_ascii_case(b"basic") {
        (Kind::BasicAuth, is_basic(token))
    } else {
        (Kind::BearerToken, is_bearer(token))
    };
    if found && is_secret_value(kind, token) {
        findings.push(start, stop, kind, "header.scheme");
        return Some(stop);
    }
    None
}

/// No word of a sentence, and no `name=value`.
fn is_bearer(token: &[u8]) -> bool {
    let signs = token.iter().rev().take_while(|byte| **byte == b'=').count();
    token.len() >= 8
        && (token.len() >= 20 || token.iter().any(u8::is_ascii_digit))
        && !token[..token.len() - signs].contains(&b'=')
}

/// The end of a stretch of what tokens are made of (RFC 6750 and 7617).
fn token_end(text: &[u8], start: usize) -> usize {
    let length = text[start..]
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || b"._~+/=-:".contains(byte))
        .count();
    let mut end = start + length;
    while end > start && matches!(text[end - 1], b'.' | b':') {
        end -= 1;
    }
    end
}

/// Base64 of a text with a colon; the first part of a long one is enough.
fn is_basic(token: &[u8]) -> bool {
    let mut plain = [0u8; 96];
    let length = decode_base64(token, &mut plain);
    length >= 3 && plain[..length].contains(&b':') && plain[..length].iter().all(|byte| *byte >= 0x20)
}

/// Decodes as much base64 of either alphabet as fits; answers how many bytes.
pub fn decode_base64(text: &[u8], plain: &mut [u8]) -> usize {
    let (mut bits, mut held, mut length) = (0u32, 0, 0);
    for byte in text {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => break,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            let Some(place) = plain.get_mut(length) else { break };
            *place = (bits >> held) as u8;
            length += 1;
        }
    }
    length
}

/// `Authorization: …`: a known scheme speaks for itself, of others the whole header is hidden.
pub fn authorization(context: &Context<'_>, hit: &Hit, findings: &mut Findings<'_>) -> Option<usize> {
    let value = assigned(context.text, hit.end as usize)?;
    let given = &context.text[value.start..value.end];
    let first = given.split(|byte| *byte == b' ').next().unwrap_or_default();
    if SCHEMES.has(first) {
        let more = given.len() > first.len() || context.byte(value.end) == b' ';
        let start = value.start + first.len() + 1;
        return more.then(|| hide_header(context, start, Kind::BearerToken, findings));
    }
    let spoken =
        [&b"bearer"[..], b"basic", b"digest"].iter().any(|scheme| first.eq_ignore_ascii_case(scheme));
    let lettered = given.len() > LONG_BYTES || (given.len() >= 8 && given.iter().any(u8::is_ascii_digit));
    if !spoken && lettered && is_secret_value(Kind::BearerToken, given) {
        findings.push(value.start, value.end, Kind::BearerToken, "header.authorization");
        return Some(value.end);
    }
    None
}

/// Schemes whose parameters go on to the end of the header.
static SCHEMES: WordSet = WordSet::new(
    "aws4-hmac-sha256 aws oauth hawk signature token apikey api-key negotiate ntlm sharedkey sharedaccesssignature \
     hmac mac dpop key googlelogin",
);

/// Hides from `start` to the end of the header: a quote or the end of the line.
fn hide_header(context: &Context<'_>, start: usize, kind: Kind, findings: &mut Findings<'_>) -> usize {
    let text = context.text;
    let rest = &text[start.min(text.len())..text.len().min(start + HEADER_BYTES)];
    let quote = text[..start].iter().rev().take(48).find(|byte| matches!(byte, b'"' | b'\''));
    let length = rest
        .iter()
        .position(|byte| matches!(byte, b'\n' | b'\r') || Some(byte) == quote)
        .unwrap_or_else(|| if quote.is_some() { plain_end(rest, 0) } else { rest.len() });
    findings.push(start, start + length, kind, "header.authorization");
    start + length
}

/// `Cookie: a=b; c=d`, `Set-Cookie: a=b; Path=/`: the values, not the names.
pub fn cookie(context: &Context<'_>, hit: &Hit, findings: &mut Findings<'_>) -> Option<usize> {
    let text = context.text;
    let word = &text[hit.start as usize..hit.end as usize];
    let header = word.len() >= 6
        && [&b"cookie"[..], b"ookies"].iter().any(|end| word[word.len() - 6..].eq_ignore_ascii_case(end));
    if !header {
        return None;
    }
    let mut at = assigned(text, hit.end as usize)?.start;
    let mut hidden = None;
    for _ in 0..MOST_PAIRS {
        let Some((start, end)) = pair(text, at) else { break };
        let name = &text[at..start - 1];
        if !ATTRIBUTES.has(name) && end - start >= 8 && is_secret_value(Kind::Cookie, &text[start..end]) {
            findings.push(start, end, Kind::Cookie, "header.cookie");
            hidden = Some(end);
        }
        if context.byte(end) != b';' {
            break;
        }
        at = end + 1 + text[end + 1..].iter().take(4).take_while(|byte| **byte == b' ').count();
    }
    hidden
}

/// Start and end of the value of `name=value` at `at`.
fn pair(text: &[u8], at: usize) -> Option<(usize, usize)> {
    let rest = text.get(at..)?;
    let name = rest
        .iter()
        .take(64)
        .take_while(|byte| byte.is_ascii_alphanumeric() || b"._-%".contains(byte))
        .count();
    if name == 0 || rest.get(name) != Some(&b'=') {
        return None;
    }
    let start = at + name + 1;
    let length =
        text[start..].iter().take_while(|byte| byte.is_ascii_graphic() && !b";\"'\\,".contains(byte)).count();
    Some((start, start + length))
}
