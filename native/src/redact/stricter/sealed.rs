//! Stage 3 of 7, redact: sealed values only of types that a destination may have. Thread: sender, delivery loop; console: caller.
//!
//! An entry without a data key has that of the entry before. Where that one goes, the key moves on.

use super::bare::Bare;
use crate::record::tag;
use crate::redact::actions::seal::entry::Entry;
use crate::redact::actions::seal::list::entries;
use crate::redact::rewrite::nested;
use crate::wire::put_bytes;

/// Whether an attribute holds sealed values that the destination removes.
pub fn finds(bare: &Bare, key: &[u8], value: &[u8]) -> bool {
    let is_removed = |text: &&str| Entry::parse(text).is_some_and(|entry| bare.removes(entry.kind));
    entries(key, Some(value)).is_some_and(|entries| entries.iter().any(is_removed))
}

/// Writes the attribute without them.
pub fn write(bare: &Bare, key: &[u8], value: &[u8], out: &mut Vec<u8>) {
    let found = entries(key, Some(value)).unwrap_or_default();
    let (mut known, mut written) = ("", "");
    let mut kept = Vec::new();
    for entry in found.iter().filter_map(|text| Entry::parse(text)) {
        if !entry.wrapped.is_empty() {
            known = entry.wrapped;
        }
        if !bare.removes(entry.kind) {
            let wrapped = if written == known { "" } else { known };
            written = known;
            kept.push(Entry { wrapped, ..entry }.to_text());
        }
    }
    put_bytes(out, tag::KEY, key);
    nested(tag::VALUE, out, |out| {
        nested(tag::ARRAY, out, |out| {
            for text in &kept {
                nested(tag::KEY, out, |out| put_bytes(out, tag::STRING, text.as_bytes()));
            }
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::actions::seal::SEALED_KEY;
    use crate::redact::actions::Action;
    use crate::redact::values::ValuePolicy;
    use crate::scan::kind::{Kind, Kinds};
    use crate::scan::Settings;

    fn list(texts: &[String]) -> Vec<u8> {
        let mut value = Vec::new();
        nested(tag::ARRAY, &mut value, |out| {
            for text in texts {
                nested(tag::KEY, out, |out| put_bytes(out, tag::STRING, text.as_bytes()));
            }
        });
        value
    }

    #[test]
    fn the_data_key_of_an_entry_that_goes_moves_to_the_next_one_that_stays() {
        let kinds: Kinds = [Kind::Pan, Kind::Email].into_iter().collect();
        let policy = ValuePolicy::new(Settings { kinds }, [(Kind::Email, Action::Mask { keep_last: 4 })]);
        let bare = Bare::of(&policy);
        let (first, second) = ("a".repeat(107), "b".repeat(107));
        let entry = |kind: &str, wrapped: &str, path: &str| {
            format!("1.0a1b2c3d.{kind}.{wrapped}.{}.{path}", "c".repeat(40))
        };
        let given = [
            entry("PAN", &first, "body"),
            entry("EMAIL", "", "a.b"),
            entry("EMAIL", "", "c"),
            entry("PAN", &second, "d"),
            entry("EMAIL", "", "e"),
        ];
        let value = list(&given);
        assert!(finds(&bare, SEALED_KEY.as_bytes(), &value));
        assert!(!finds(&bare, b"other", &value));
        let mut out = Vec::new();
        write(&bare, SEALED_KEY.as_bytes(), &value, &mut out);
        let kept = [entry("EMAIL", &first, "a.b"), entry("EMAIL", "", "c"), entry("EMAIL", &second, "e")];
        let mut expected = Vec::new();
        put_bytes(&mut expected, tag::KEY, SEALED_KEY.as_bytes());
        nested(tag::VALUE, &mut expected, |out| out.extend(list(&kept)));
        assert_eq!(out, expected);
    }
}
