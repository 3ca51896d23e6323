//! Stage 3 of 7, redact: finds secrets that show what they are: JSON web tokens, private keys. Thread: caller.

use crate::scan::classes::Run;
use crate::scan::context::Context;
use crate::scan::detect::credentials::headers::decode_base64;
use crate::scan::finding::Findings;
use crate::scan::keywords::Hit;
use crate::scan::kind::Kind;

/// Parts of an encrypted token (RFC 7516).
const JWE_PARTS: u8 = 5;

/// `eyJ….….…`, with a header that names its algorithm.
pub fn json_web_token(context: &Context<'_>, run: &Run, findings: &mut Findings<'_>) {
    let range = run.range();
    if context.byte(range.end) != b'.' {
        return;
    }
    let mut header = [0u8; 256];
    let length = decode_base64(&context.text[range.clone()], &mut header);
    let header = &header[..length];
    if ![&b"\"alg\""[..], b"\"enc\"", b"\"typ\"", b"\"kid\""].iter().any(|name| contains(header, name)) {
        return;
    }
    // An encrypted one has five parts; behind them another one may begin.
    let mut dots = 0;
    let length = context.text[range.end..]
        .iter()
        .take_while(|byte| {
            dots += u8::from(**byte == b'.');
            dots < JWE_PARTS && (byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
        })
        .count();
    let mut end = range.end + length;
    while context.before(end) == b'.' {
        end -= 1;
    }
    findings.push(range.start, end, Kind::Jwt, "jwt");
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// `-----BEGIN … PRIVATE KEY-----` to its end; without one, to the end of the text.
pub fn private_key(context: &Context<'_>, hit: &Hit, findings: &mut Findings<'_>) -> Option<usize> {
    let text = context.text;
    let rest = &text[hit.end as usize..];
    if !(rest.starts_with(b"-----") || rest.starts_with(b" BLOCK-----")) {
        return None;
    }
    let from = (hit.start as usize).saturating_sub(48);
    let begin = memchr::memmem::rfind(&text[from..hit.start as usize], b"-----BEGIN ")? + from;
    // `RSA `, `ENCRYPTED `: the name of the key and nothing else.
    let named = &text[begin + b"-----BEGIN ".len()..hit.start as usize];
    if !named.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b' ') {
        return None;
    }
    let behind = hit.end as usize + 5;
    let end = memchr::memmem::find(&text[behind..], b"-----END ").map_or(text.len(), |end| {
        let end = behind + end + 9;
        memchr::memmem::find(&text[end..text.len().min(end + 64)], b"-----")
            .map_or(end, |more| end + more + 5)
    });
    findings.push(begin, end, Kind::PrivateKey, "pem");
    Some(end)
}
