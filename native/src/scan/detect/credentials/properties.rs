//! Stage 3 of 7, redact: names of what a secret has, and which is not the secret: `password_policy`, `token_count`. Thread: caller.

use crate::scan::sets::WordSet;

/// Last words of such names.
static PROPERTIES: WordSet = WordSet::new(
    "policy policies expiry expires expiration length len count total rotation rotated strength min max ttl \
     days age enabled disabled required type method scheme valid status attempts attempt limit format \
     algorithm algo changed updated usage used name provider version reset id last brand timeout issuer \
     audience scope state flow mode domain path file user owner arn present configured kind source consent \
     cache ref label index role realm region error result decision success failures budget remaining rate \
     banner preferences store manager service endpoint url uri class size last",
);

/// True of a name whose last word is one of a property: `_policy`, `ResetUrl`, `_last4`.
#[must_use]
pub fn is_property(name: &[u8]) -> bool {
    let word = last_word(name);
    PROPERTIES.has(word) || word.strip_suffix(b"s").is_some_and(|one| PROPERTIES.has(one))
}

/// The last letters, from the last capital behind a small letter on.
fn last_word(name: &[u8]) -> &[u8] {
    let end = name.iter().rposition(u8::is_ascii_alphabetic).map_or(0, |last| last + 1);
    let mut start = end;
    while start > 0 && name[start - 1].is_ascii_alphabetic() {
        start -= 1;
        if name[start].is_ascii_uppercase() && start > 0 && name[start - 1].is_ascii_lowercase() {
            break;
        }
    }
    &name[start..end]
}
