//! Stage 3 of 7, redact: what stands in a secret's place without being one. Thread: caller.

use crate::scan::sets::WordSet;

/// Longest placeholder.
const LONGEST: usize = 80;

static WORDS: WordSet = WordSet::new(
    "null none nil true false yes no on off undefined unset empty redacted filtered masked hidden removed secret \
     password token replace_me replaceme changeme change_me todo tbd n/a na example placeholder your_password \
     your_token your_api_key your-api-key xxx string str bytes dummy ...",
);

/// What loggers put in a secret's place.
static MARKS: WordSet = WordSet::new("redacted filtered masked hidden scrubbed secret");

/// Words behind `password:` that tell its state, not its letters.
static STATES: WordSet = WordSet::new(
    "expired invalid incorrect wrong missing required valid ok accepted rejected denied failed failure success \
     changed updated reset resetting strong weak medium set rotated revoked refreshed issued created deleted \
     mismatch unknown blank verified authenticated enabled disabled active inactive optional granted present \
     absent not is was must should cannot has hash hashed bcrypt argon2 scrypt oauth oauth2 bearer basic saml sso \
     ldap oidc password mfa totp webauthn prompt publickey attempt attempts too the a an for of from in to and or \
     does did found provided given sent received loaded stored generated rotation expires expiring error length",
);

/// True of what stands in a secret's place without being one: `***`, `<password>`, `${DB_PASSWORD}`, `[FILTERED]`, `null`.
#[must_use]
pub fn is_placeholder(value: &[u8]) -> bool {
    if value.len() > LONGEST {
        return is_marked(value);
    }
    value.iter().all(|byte| matches!(byte, b'*' | b'x' | b'X' | b'.' | b'-' | b'_' | b'#' | b'?' | b' '))
        || value.chunks(3).all(|part| part == "•".as_bytes() || part == "…".as_bytes())
        || is_filled(value)
        || is_marked(value)
        || WORDS.has(value)
        || is_template(value)
}

/// True of a word that says how a secret is.
#[must_use]
pub fn is_state(value: &[u8]) -> bool {
    STATES.has(value)
}

/// `ghp_xxxxxxxxxxxx`: one sign over and over behind a prefix.
fn is_filled(value: &[u8]) -> bool {
    let same = value.iter().rev().take_while(|byte| Some(*byte) == value.last()).count();
    same >= 8 && same * 2 > value.len()
}

/// `[FILTERED]`, `[REDACTED:pan]`, also without what a separator cut off. Nothing may follow: `REDACTEDhunter2` is a password.
fn is_marked(value: &[u8]) -> bool {
    let inner = value.strip_prefix(b"[").unwrap_or(value);
    let inner = inner.strip_suffix(b"]").unwrap_or(inner);
    MARKS.has(inner) || is_ours(inner) || (value.starts_with(b"****") && value.len() <= LONGEST)
}

/// `REDACTED:pan`, and what an action lets through behind another colon.
fn is_ours(inner: &[u8]) -> bool {
    let Some(rest) = inner.strip_prefix(b"REDACTED:") else { return false };
    let word = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte)).count();
    word > 0
        && match &rest[word..] {
            [] | [b'@', ..] => true,
            [b':', kept @ ..] => {
                kept.starts_with(b"tok_") || kept.iter().all(|byte| !matches!(byte, b'[' | b']' | b'@'))
            }
            _ => false,
        }
}

/// `<password>`, `${NAME}`, `$NAME`, `{{ name }}`, `%(name)s`, `%s`, `{name}`, `:name`
fn is_template(value: &[u8]) -> bool {
    let name =
        |rest: &[u8]| rest.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_-.(){} ".contains(byte));
    match value {
        [b'<', inner @ .., b'>'] | [b'{', inner @ .., b'}'] => name(inner),
        [b'{', b'{', ..] | [b'%', b'(', ..] | [b'%', b's' | b'd' | b'r' | b'v'] => true,
        [b'<' | b'{', inner @ ..] => name(inner) && !inner.iter().any(u8::is_ascii_digit),
        [b'$', inner @ ..] => {
            name(inner) && !inner.iter().any(u8::is_ascii_lowercase) && !inner.iter().all(u8::is_ascii_digit)
                || inner.starts_with(b"{")
        }
        _ => false,
    }
}
