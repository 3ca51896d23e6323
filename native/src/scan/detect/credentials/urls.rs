//! Stage 3 of 7, redact: finds secrets in addresses: user and password, signatures, whole addresses of hooks. Thread: caller.

use crate::scan::classes::flag;
use crate::scan::context::Context;
use crate::scan::detect::credentials::assigned::is_secret_value;
use crate::scan::detect::credentials::placeholders::is_placeholder;
use crate::scan::finding::Findings;
use crate::scan::kind::Kind;
use crate::scan::sets::WordSet;

/// Most bytes between `://` and the host.
const AUTHORITY_BYTES: usize = 512;
/// Most bytes of an address that is hidden whole.
const ADDRESS_BYTES: usize = 2048;

/// Names of parameters that are secrets: those of the semantic conventions for `url.query`, and what OAuth passes.
static PARAMETERS: WordSet = WordSet::new(
    "x-amz-signature x-amz-credential x-amz-security-token awsaccesskeyid signature sig x-goog-signature \
     x-goog-credential googleaccessid key-pair-id token access_token refresh_token id_token auth_token \
     session_token api_key apikey key password passwd pwd pass secret client_secret code code_verifier \
     assertion ticket otp auth jwt sas se_sig hash_key",
);

/// Addresses that let whoever has them post.
const HOOKS: [&[u8]; 6] = [
    b"hooks.slack.com/services/",
    b"hooks.slack.com/workflows/",
    b"hooks.slack.com/triggers/",
    b"discord.com/api/webhooks/",
    b"discordapp.com/api/webhooks/",
    b"hooks.zapier.com/hooks/catch/",
];

/// Appends what it finds.
pub fn detect(context: &Context<'_>, findings: &mut Findings<'_>) {
    let mut done = 0;
    for &scheme in &context.anchors.schemes {
        let start = scheme as usize + 3;
        if start < done {
            continue;
        }
        userinfo(context, start, findings);
        done = hook(context, start, findings).unwrap_or(done);
    }
    if !context.anchors.has(flag::QUERY) {
        return;
    }
    let mut done = 0;
    for &sign in &context.anchors.assigns {
        let sign = sign as usize;
        if sign >= done && context.byte(sign) == b'=' {
            done = parameter(context, sign, findings).unwrap_or(done);
        }
    }
}

/// `user:password@`. A password that was not encoded may hold signs that end the host, except in addresses of the web.
fn userinfo(context: &Context<'_>, start: usize, findings: &mut Findings<'_>) {
    let rest = &context.text[start..context.text.len().min(start + AUTHORITY_BYTES)];
    let word = rest.iter().position(|byte| byte.is_ascii_whitespace() || b"\"'<>`".contains(byte));
    let rest = &rest[..word.unwrap_or(rest.len())];
    let host = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#' | b'\\')).unwrap_or(rest.len());
    let web = context.text[..start].ends_with(b"http://") || context.text[..start].ends_with(b"https://");
    let at = rest[..host].iter().rposition(|byte| *byte == b'@').or_else(|| {
        let colon = rest[..host].contains(&b':');
        rest.iter().position(|byte| *byte == b'@').filter(|_| colon && !web)
    });
    let Some(at) = at else { return };
    let user = &rest[..at];
    let found = match user.iter().position(|byte| *byte == b':') {
        Some(colon) => {
            at > colon + 1 && is_secret_value(Kind::UrlUserinfo, &user[colon + 1..])
                || is_number(&user[colon + 1..])
        }
        None => at >= 16,
    };
    if found && !is_placeholder(user) {
        findings.push(start, start + at, Kind::UrlUserinfo, "url.userinfo");
    }
}

fn is_number(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

/// The whole address of a hook, with its scheme.
fn hook(context: &Context<'_>, start: usize, findings: &mut Findings<'_>) -> Option<usize> {
    let rest = context.text.get(start..)?;
    let known = HOOKS.iter().any(|hook| rest.starts_with(hook)) || {
        let host = &rest[..rest.len().min(96)];
        let end = host.iter().position(|byte| *byte == b'/').unwrap_or(0);
        host[..end].ends_with(b".webhook.office.com")
    };
    if !known {
        return None;
    }
    let length = rest
        .iter()
        .take(ADDRESS_BYTES)
        .take_while(|byte| byte.is_ascii_alphanumeric() || b"/._-@%?=&".contains(byte))
        .count();
    let scheme =
        context.text[..start - 3].iter().rev().take(5).take_while(|byte| byte.is_ascii_alphabetic()).count();
    findings.push(start - 3 - scheme, start + length, Kind::SlackWebhook, "url.hook");
    Some(start + length)
}

/// `?sig=…`, `&code=…`. Answers where the value ends.
fn parameter(context: &Context<'_>, sign: usize, findings: &mut Findings<'_>) -> Option<usize> {
    let text = context.text;
    let name = text[..sign].iter().rev().take(32).take_while(|byte| is_name(**byte)).count();
    let led = matches!(context.before(sign - name), b'?' | b'&') || (sign == name && is_query(context));
    if !led || !PARAMETERS.has(&text[sign - name..sign]) {
        return None;
    }
    let start = sign + 1;
    let ends = |byte: &u8| !byte.is_ascii_graphic() || b"&#\"'<>;,\\".contains(byte);
    let end = text[start..].iter().position(ends).map_or(text.len(), |end| start + end);
    let given = &text[start..end];
    if given.len() >= 4 && is_secret_value(Kind::UrlQuerySecret, given) {
        findings.push(start, end, Kind::UrlQuerySecret, "url.parameter");
    }
    Some(end)
}

/// True of an attribute that is a query alone, as `url.query` is.
fn is_query(context: &Context<'_>) -> bool {
    context.key.keyed && context.text.contains(&b'&') && !context.text.iter().any(u8::is_ascii_whitespace)
}

const fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}
