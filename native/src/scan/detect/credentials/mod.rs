//! Stage 3 of 7, redact: finds passwords, cookies, headers and whatever else opens a door. Thread: caller.
//!
//! [`assigned`] hides what a name of secrets is given, [`announced`] what a sentence announces, [`commands`] the options of commands, [`headers`] knows `Authorization` and `Cookie`, [`urls`] what
//! stands in addresses, [`tokens`] what shows itself: JSON web tokens and private keys. [`placeholders`] and [`properties`]
//! are no secrets.

pub mod announced;
pub mod assigned;
pub mod commands;
pub mod headers;
pub mod placeholders;
pub mod properties;
pub mod tokens;
pub mod urls;

pub use assigned::{is_random, is_secret_value, whole_value};
pub use placeholders::is_placeholder;
pub use properties::is_property;

use crate::scan::context::Context;
use crate::scan::finding::Findings;
use crate::scan::words::{Word, Words};

/// Longest value whose end is looked for twice: behind a longer one, words inside of it are skipped.
const LONG_BYTES: usize = 1024;

/// Words that speak for a secret.
const WORDS: Words = Words::of(&[
    Word::Authorization,
    Word::Scheme,
    Word::Cookie,
    Word::Secret,
    Word::Password,
    Word::Token,
    Word::ApiKey,
    Word::Aws,
    Word::Azure,
    Word::Command,
    Word::Code,
]);

/// Appends what it finds.
pub fn detect(context: &Context<'_>, findings: &mut Findings<'_>) {
    urls::detect(context, findings);
    if !context.said.any(WORDS) {
        return;
    }
    let mut done = 0;
    for hit in context.hits {
        if (hit.start as usize) < done {
            continue;
        }
        let end = match hit.word {
            Word::Authorization => headers::authorization(context, hit, findings),
            Word::Scheme => headers::scheme(context, hit, findings),
            Word::Cookie => {
                headers::cookie(context, hit, findings).or_else(|| assigned::value_of(context, hit, findings))
            }
            Word::Secret => tokens::private_key(context, hit, findings)
                .or_else(|| assigned::value_of(context, hit, findings)),
            Word::Password | Word::Token | Word::ApiKey => assigned::value_of(context, hit, findings)
                .or_else(|| announced::secret(context, hit, findings)),
            Word::Aws | Word::Azure => assigned::value_of(context, hit, findings),
            Word::Command => commands::options(context, hit, findings),
            Word::Code => announced::code(context, hit, findings),
            _ => None,
        };
        // Each byte is looked at a bounded number of times, however many words stand in a long value.
        done = end.filter(|end| *end > hit.end as usize + LONG_BYTES).unwrap_or(done);
    }
}
