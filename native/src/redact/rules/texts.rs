//! Stage 3 of 7, redact: what users describe by its letters: patterns and dictionaries. Thread: caller.
//!
//! Both take time in proportion to the text: the crate `regex` has no backtracking, `aho-corasick` reads all words in one
//! pass, and both skip to the letters that a match must begin with where there are any. One search may find
//! [`MAX_MATCHES`] at most; a text with more is one match, because each further match may read the text again.

use aho_corasick::AhoCorasick;
use regex::bytes::{Regex, RegexBuilder};
use std::ops::Range;

/// Matches of one rule in one text; more, and the whole text is one.
const MAX_MATCHES: usize = 500;
/// Hits of a dictionary before whole words are told from parts: nested words may hit once per byte and word.
const MAX_HITS_PER_BYTE: usize = 8;
/// Longest pattern.
const MAX_PATTERN_BYTES: usize = 2_048;
/// Memory of a compiled pattern, and of what it keeps between searches.
const MAX_COMPILED_BYTES: usize = 2 << 20;
/// Letters of all words of a dictionary.
const MAX_WORDS_BYTES: usize = 16 << 20;

/// Finds what a rule is about in a text.
#[derive(Debug, Clone)]
pub enum Finder {
    /// A regular expression.
    Pattern(Regex),
    /// Whole words.
    Words(AhoCorasick),
}

impl Finder {
    /// Compiles a regular expression; `\w`, `\d` and `\b` know all of Unicode. The error is the crate's, with the place.
    pub fn pattern(written: &str) -> Result<Self, String> {
        if written.len() > MAX_PATTERN_BYTES {
            return Err(format!("has a pattern of more than {MAX_PATTERN_BYTES} bytes"));
        }
        let syntax = regex_syntax::ParserBuilder::new().utf8(false).build().parse(written);
        let least = match syntax {
            Ok(parsed) => parsed.properties().minimum_len(),
            Err(error) => {
                return Err(format!("has a pattern that cannot be read: {}", in_one_line(&error.to_string())))
            }
        };
        if least.is_none_or(|least| least == 0) {
            return Err("has a pattern that matches an empty text".into());
        }
        let compiled = RegexBuilder::new(written)
            .size_limit(MAX_COMPILED_BYTES)
            .dfa_size_limit(MAX_COMPILED_BYTES)
            .build();
        compiled.map(Self::Pattern).map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => "has a pattern that is too large when compiled".into(),
            other => format!("has a pattern that cannot be read: {}", in_one_line(&other.to_string())),
        })
    }

    /// Compiles a dictionary.
    pub fn words(words: &[String], case_sensitive: bool) -> Result<Self, String> {
        if words.iter().map(String::len).sum::<usize>() > MAX_WORDS_BYTES {
            return Err(format!("has words of more than {MAX_WORDS_BYTES} bytes"));
        }
        let mut all: Vec<String> = words.to_vec();
        if !case_sensitive {
            // The search folds ASCII; of other letters it knows the spellings that are given.
            let other = words.iter().filter(|word| !word.is_ascii());
            all.extend(other.flat_map(|word| [word.to_lowercase(), word.to_uppercase(), titled(word)]));
            all.sort_unstable_by_key(|word| word.to_ascii_lowercase());
            all.dedup_by_key(|word| word.to_ascii_lowercase());
        }
        let compiled = AhoCorasick::builder().ascii_case_insensitive(!case_sensitive).build(&all);
        compiled.map(Self::Words).map_err(|error| format!("has words that cannot be compiled: {error}"))
    }

    /// True when the text holds one.
    #[must_use]
    pub fn is_in(&self, text: &str) -> bool {
        match self {
            Self::Pattern(pattern) => pattern.is_match(text.as_bytes()),
            Self::Words(words) => {
                words.is_match(text)
                    && words.find_overlapping_iter(text).any(|hit| is_whole(text, &hit.range()))
            }
        }
    }

    /// Appends where in the text they are, at borders of characters.
    pub fn find(&self, text: &str, found: &mut Vec<Range<usize>>) {
        let before = found.len();
        let all = match self {
            Self::Pattern(pattern) => {
                found.extend(
                    pattern
                        .find_iter(text.as_bytes())
                        .take(MAX_MATCHES + 1)
                        .map(|one| on_borders(text, one.range())),
                );
                found.len() - before <= MAX_MATCHES
            }
            Self::Words(words) => find_words(words, text, found),
        };
        if !all {
            found.truncate(before);
            found.push(0..text.len());
        }
    }
}

/// A capital in front, small letters behind.
fn titled(word: &str) -> String {
    let mut rest = word.chars();
    rest.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(rest.flat_map(char::to_lowercase)).collect()
    })
}

/// False: there were too many.
fn find_words(words: &AhoCorasick, text: &str, found: &mut Vec<Range<usize>>) -> bool {
    if !words.is_match(text) {
        return true;
    }
    let (limit, mut whole) = (text.len().saturating_mul(MAX_HITS_PER_BYTE) + 64, 0);
    for (count, hit) in words.find_overlapping_iter(text).enumerate() {
        if count > limit || whole > MAX_MATCHES {
            return false;
        }
        if is_whole(text, &hit.range()) {
            whole += 1;
            found.push(hit.range());
        }
    }
    whole <= MAX_MATCHES
}

/// True when neither a letter nor a digit continues it.
fn is_whole(text: &str, range: &Range<usize>) -> bool {
    let (Some(before), Some(behind)) = (text.get(..range.start), text.get(range.end..)) else { return false };
    let word = |each: Option<char>| each.is_some_and(char::is_alphanumeric);
    !word(before.chars().next_back()) && !word(behind.chars().next())
}

fn on_borders(text: &str, mut range: Range<usize>) -> Range<usize> {
    while !text.is_char_boundary(range.start) {
        range.start -= 1;
    }
    while !text.is_char_boundary(range.end) {
        range.end += 1;
    }
    range
}

/// The crate draws the place below the pattern; a message of ours has one line.
fn in_one_line(message: &str) -> String {
    let lines: Vec<&str> = message.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let place =
        message.lines().find_map(|line| line.find('^').filter(|_| line.trim_matches([' ', '^']).is_empty()));
    let reason = lines.last().copied().unwrap_or_default().trim_start_matches("error: ");
    place.map_or_else(|| reason.to_owned(), |at| format!("{reason}, at character {}", at.saturating_sub(3)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(finder: Result<Finder, String>, text: &str) -> Vec<String> {
        let mut ranges = Vec::new();
        if let Ok(finder) = finder {
            finder.find(text, &mut ranges);
            assert_eq!(finder.is_in(text), !ranges.is_empty());
        }
        ranges.into_iter().map(|range| text[range].to_owned()).collect()
    }

    fn words(words: &[&str], text: &str) -> Vec<String> {
        let words: Vec<String> = words.iter().map(ToString::to_string).collect();
        found(Finder::words(&words, false), text)
    }

    #[test]
    fn a_pattern_is_found_wherever_it_stands() {
        assert_eq!(found(Finder::pattern(r"TCK-\d+"), "see TCK-1 and TCK-22"), ["TCK-1", "TCK-22"]);
        assert_eq!(found(Finder::pattern(r"(?-u:\xc3)"), "né"), ["é"]);
    }

    #[test]
    fn a_pattern_that_cannot_be_used_is_refused_with_the_place() {
        let error = |written: &str| Finder::pattern(written).err().unwrap_or_default();
        assert_eq!(error("a(b"), "has a pattern that cannot be read: unclosed group, at character 2");
        assert!(error(r"(a)\1").contains("backreferences are not supported"), "{}", error(r"(a)\1"));
        assert!(error("(?=a)").contains("look-around"), "{}", error("(?=a)"));
        for written in ["", "a*", r"\b", "x|"] {
            assert_eq!(error(written), "has a pattern that matches an empty text", "{written}");
        }
        assert_eq!(error(r"\w{900}{90}"), "has a pattern that is too large when compiled");
        assert!(error(&"a".repeat(3_000)).contains("more than 2048 bytes"));
    }

    #[test]
    fn words_are_whole_and_in_any_case() {
        assert_eq!(words(&["apollo", "new york", "new"], "APOLLO, new yorker"), ["APOLLO", "new"]);
        assert_eq!(words(&["müller"], "MÜLLER Müllerin müller_2"), ["MÜLLER", "müller"]);
        assert_eq!(words(&["ångström"], "5 Ångström"), ["Ångström"]);
        assert!(words(&["pol"], "apollo").is_empty());
    }

    #[test]
    fn a_text_with_too_many_matches_is_one() {
        let text = "a ".repeat(MAX_MATCHES + 1);
        assert_eq!(found(Finder::pattern("a"), &text), std::slice::from_ref(&text));
        assert_eq!(words(&["a"], &text), [text]);
    }
}
