//! Stage 3 of 7, redact: finds tokens that have the shape of one vendor. Thread: caller.

use std::sync::OnceLock;

use crate::scan::classes::{class, Run};
use crate::scan::context::Context;
use crate::scan::detect::credentials::{is_random, tokens};
use crate::scan::detect::vendor_prefixes::{Body, Prefix, PREFIXES};
use crate::scan::finding::Findings;
use crate::scan::hashes::{mix, Sieve};
use crate::scan::kind::Kind;

/// The prefixes by their first two letters, which are two bits in here.
#[derive(Debug)]
struct Index {
    /// The pairs of letters that there are: most runs begin with another.
    pairs: Sieve<64>,
    slots: Vec<Vec<&'static Prefix>>,
    /// Those that end with a dot.
    dotted: Vec<&'static Prefix>,
}

const SLOTS: usize = 256;

/// A place for a pair of letters.
const fn slot(first: u8, second: u8) -> usize {
    (first as usize * 31 + second as usize) % SLOTS
}

const fn pair_hash(first: u8, second: u8) -> u64 {
    mix(2, (first as u64) << 8 | second as u64)
}

fn index() -> &'static Index {
    static INDEX: OnceLock<Index> = OnceLock::new();
    INDEX.get_or_init(|| {
        let mut slots = vec![Vec::new(); SLOTS];
        let mut pairs = Sieve::default();
        for prefix in PREFIXES {
            let bytes = prefix.text.as_bytes();
            pairs.add(pair_hash(bytes[0], bytes[1]));
            slots[slot(bytes[0], bytes[1])].push(prefix);
        }
        let dotted = PREFIXES.iter().filter(|prefix| prefix.text.ends_with('.')).collect();
        Index { pairs, slots, dotted }
    })
}

/// Shortest token of a vendor, its prefix included.
const SHORTEST: usize = 14;

/// Finds the token that a run with letters begins.
#[inline]
pub fn run(context: &Context<'_>, run: &Run, findings: &mut Findings<'_>) {
    let start = run.start as usize;
    if run.len() < SHORTEST {
        // Its first dot ends a run.
        match context.byte(run.end as usize) {
            b'~' => azure_secret(context, run, findings),
            b'.' => begin(context, start, findings),
            _ => {}
        }
        return;
    }
    begin(context, start, findings);
    if context.text.get(start..start + 3) == Some(b"eyJ") {
        tokens::json_web_token(context, run, findings);
    }
    joined(context, run, findings);
    dotted(context, run, findings);
}

/// The token whose prefix stands at `start`.
fn begin(context: &Context<'_>, start: usize, findings: &mut Findings<'_>) {
    let (first, second) = (context.byte(start), context.byte(start + 1));
    if !index().pairs.may_hold(pair_hash(first, second)) {
        return;
    }
    for prefix in &index().slots[slot(first, second)] {
        token(context, start, prefix, findings);
    }
}

/// A token behind `name_`: `MY_ghp_…`; the prefix follows the first `_` or `-`.
fn joined(context: &Context<'_>, run: &Run, findings: &mut Findings<'_>) {
    if run.len() < 28 || !run.holds(class::UNDERSCORE | class::DASH) {
        return;
    }
    let text = &context.text[run.range()];
    if let Some(sign) = text.iter().take(24).position(|byte| matches!(byte, b'_' | b'-')) {
        begin(context, run.start as usize + sign + 1, findings);
    }
}

/// A prefix that ends with a dot stands before the run of its token.
fn dotted(context: &Context<'_>, run: &Run, findings: &mut Findings<'_>) {
    let start = run.start as usize;
    if context.before(start) != b'.' {
        return;
    }
    for prefix in &index().dotted {
        if context.text[..start].ends_with(prefix.text.as_bytes()) {
            token(context, start - prefix.text.len(), prefix, findings);
        }
    }
}

fn token(context: &Context<'_>, start: usize, prefix: &Prefix, findings: &mut Findings<'_>) {
    let Some(rest) = context.text.get(start..) else { return };
    if !rest.starts_with(prefix.text.as_bytes()) || context.before(start).is_ascii_alphanumeric() {
        return;
    }
    let body = &rest[prefix.text.len()..];
    let length = body.iter().take(prefix.most + 1).take_while(|byte| belongs(prefix.body, **byte)).count();
    let mut given = &body[..length];
    while let [shorter @ .., b'.' | b'-'] = given {
        given = shorter;
    }
    let behind = body.get(given.len()).copied().unwrap_or(0);
    let placeholder = given.iter().all(|byte| matches!(byte, b'x' | b'X' | b'*' | b'-' | b'_'));
    if (prefix.least..=prefix.most).contains(&given.len()) && !behind.is_ascii_alphanumeric() && !placeholder
    {
        let end = start + prefix.text.len() + given.len();
        findings.push(start, end, prefix.kind, "vendor.prefix");
        if prefix.kind == Kind::AwsAccessKeyId {
            secret_beside(context, end, findings);
        }
    }
}

/// The other half of a pair: forty symbols of base64, a sign or two behind the identifier.
fn secret_beside(context: &Context<'_>, end: usize, findings: &mut Findings<'_>) {
    let rest = context.text.get(end..).unwrap_or_default();
    let signs = rest.iter().take(4).take_while(|byte| b"/:,;| \"'".contains(byte)).count();
    let secret = &rest[signs..];
    let length = secret
        .iter()
        .take(41)
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'+'))
        .count();
    if signs > 0 && length == 40 && is_random(&secret[..length]) {
        findings.push(end + signs, end + signs + length, Kind::AwsSecretKey, "aws.pair");
    }
}

const fn belongs(body: Body, byte: u8) -> bool {
    match body {
        Body::Any => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'),
        Body::Alphanumeric => byte.is_ascii_alphanumeric(),
        Body::Hex => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        Body::Capitals => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
        Body::Dotted => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'),
    }
}

/// A secret of an application in Azure: three letters, a digit, `Q~`, and about thirty more.
fn azure_secret(context: &Context<'_>, run: &Run, findings: &mut Findings<'_>) {
    let tilde = run.end as usize;
    let Some(start) = tilde.checked_sub(5) else { return };
    if context.before(tilde) != b'Q' || !context.byte(tilde - 2).is_ascii_digit() {
        return;
    }
    let length = context.text[tilde + 1..]
        .iter()
        .take(48)
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'~' | b'.' | b'-'))
        .count();
    if (28..=40).contains(&length) {
        findings.push(start, tilde + 1 + length, Kind::AzureKey, "azure.secret");
    }
}

/// The token of a bot of Telegram: its number, a colon, and 35 more.
pub fn number(context: &Context<'_>, run: &Run, findings: &mut Findings<'_>) {
    let end = run.end as usize;
    if !(8..=10).contains(&run.len()) || context.byte(end) != b':' || context.byte(end + 1) != b'A' {
        return;
    }
    let body = &context.text[end + 1..];
    let length = body.iter().take(40).take_while(|byte| belongs(Body::Any, **byte)).count();
    if (33..=36).contains(&length) {
        findings.push(run.start as usize, end + 1 + length, Kind::VendorToken, "telegram.bot");
    }
}
