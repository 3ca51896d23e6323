//! Stage 3 of 7, redact: sealed values only of types that a destination may have. Thread: sender, delivery loop; console: caller.
//!
//! An entry without a data key has that of the entry before. Where that one goes, the key moves on.

use super::bare::Bare;
use crate::redact::actions::seal::entry::Entry;
use crate::redact::actions::seal::list::entries;
use crate::redact::walk::put_texts;

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
    put_texts(key, &kept, out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::actions::seal::SEALED_KEY;
    use crate::redact::actions::Action;
    use crate::redact::values::ValuePolicy;
    use crate::redact::walk::parts;
    use crate::scan::kind::{Kind, Kinds};
    use crate::scan::Settings;

    fn attribute(texts: &[String]) -> Vec<u8> {
        let mut out = Vec::new();
        put_texts(SEALED_KEY.as_bytes(), texts, &mut out);
        out
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
        let given = attribute(&given);
        let (key, Some(value)) = parts(&given) else { panic!("no value") };
        assert!(finds(&bare, key, value));
        assert!(!finds(&bare, b"other", value));
        let mut out = Vec::new();
        write(&bare, key, value, &mut out);
        let kept = [entry("EMAIL", &first, "a.b"), entry("EMAIL", "", "c"), entry("EMAIL", &second, "e")];
        assert_eq!(out, attribute(&kept));
    }
}
