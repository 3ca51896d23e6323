//! Stage 3 of 7, redact: finds names and postal addresses behind words that announce them. Thread: caller.

use crate::scan::context::Context;
use crate::scan::detect::follow::value_after;
use crate::scan::finding::Findings;
use crate::scan::keywords::Hit;
use crate::scan::kind::Kind;

/// Most words of a name.
const NAME_WORDS: usize = 4;
/// Longest address.
const ADDRESS_BYTES: usize = 120;

/// Capitalised words that are no names.
const NO_NAMES: &[&[u8]] = &[
    b"Service",
    b"Portal",
    b"Api",
    b"API",
    b"Error",
    b"Exception",
    b"Server",
    b"Client",
    b"Agent",
    b"Request",
    b"Response",
    b"Session",
    b"Record",
    b"Records",
    b"Data",
    b"Database",
    b"Account",
    b"Accounts",
    b"Support",
    b"Team",
    b"Group",
    b"Manager",
    b"Handler",
    b"Controller",
    b"Repository",
    b"Factory",
    b"Module",
    b"Queue",
    b"Topic",
    b"Event",
    b"Events",
    b"Not",
    b"Found",
    b"Failed",
    b"Invalid",
    b"Missing",
    b"Unknown",
    b"Null",
    b"None",
    b"True",
    b"False",
    b"Id",
    b"ID",
    b"Number",
    b"Type",
    b"Status",
    b"Name",
    b"Names",
    b"Profile",
    b"Login",
    b"Logout",
    b"Update",
    b"Updated",
    b"Created",
    b"Create",
    b"Delete",
    b"Deleted",
    b"List",
    b"Index",
    b"Search",
    b"View",
    b"Page",
    b"Form",
    b"Field",
    b"Value",
    b"Config",
    b"Settings",
    b"Version",
    b"Build",
    b"Release",
    b"Test",
    b"Tests",
    b"Debug",
    b"Info",
    b"Warning",
    b"Warn",
    b"System",
    b"Admin",
    b"Root",
    b"Default",
    b"Internal",
    b"External",
    b"Public",
    b"Private",
    b"Access",
    b"Denied",
    b"Card",
    b"Visa",
    b"Mastercard",
    b"Payment",
    b"Payments",
    b"Order",
    b"Orders",
    b"Invoice",
    b"Email",
    b"Phone",
    b"Address",
    b"Street",
    b"City",
    b"Country",
    b"The",
    b"This",
    b"That",
    b"With",
    b"From",
    b"And",
    b"For",
    b"Has",
    b"Is",
    b"Was",
    b"Authentication",
    b"Authorization",
    b"Token",
    b"Secret",
    b"Password",
    b"Key",
    b"Success",
    b"Cluster",
    b"Node",
    b"Pod",
    b"Job",
    b"Task",
    b"Worker",
    b"Lambda",
    b"Bucket",
    b"Windows",
    b"Linux",
    b"Mac",
    b"Android",
    b"Chrome",
    b"Mozilla",
    b"Safari",
    b"HTTP",
    b"GET",
    b"POST",
    b"PUT",
    b"PATCH",
    b"DELETE",
    b"HEAD",
    b"OPTIONS",
    b"JSON",
    b"XML",
    b"SQL",
    b"Select",
    b"Insert",
    b"Where",
    b"Monday",
    b"Tuesday",
    b"Wednesday",
    b"Thursday",
    b"Friday",
    b"Saturday",
    b"Sunday",
    b"January",
    b"February",
    b"March",
    b"April",
    b"June",
    b"July",
    b"August",
    b"September",
    b"October",
    b"November",
    b"December",
    b"Identifier",
    b"Experience",
    b"Center",
    b"Care",
    b"Health",
    b"Insurance",
    b"Engagement",
    b"Management",
    b"Context",
    b"Cache",
    b"Store",
    b"Stream",
    b"Gateway",
    b"Application",
    b"Connection",
    b"Timeout",
    b"Certificate",
    b"Loyalty",
    b"Tier",
    b"Gold",
    b"Silver",
    b"Relations",
    b"Success",
    b"Registration",
    b"Verification",
    b"Validation",
    b"Notification",
    b"Message",
    b"Subscription",
    b"Consent",
    b"Hub",
    b"Dashboard",
    b"Report",
    b"Segment",
    b"Feedback",
    b"Survey",
];

/// True of a text that may be a name: words of letters, the whole of it.
#[must_use]
pub fn is_name(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else { return false };
    let words = text.split([' ', ',']).filter(|word| !word.is_empty());
    let count = words.clone().count();
    (1..=6).contains(&count)
        && text.len() <= 80
        && words.clone().all(|word| {
            word.chars().all(|letter| letter.is_alphabetic() || matches!(letter, '.' | '\'' | '-' | '’'))
        })
        && words.clone().any(|word| word.chars().count() > 1)
        && !words.clone().all(|word| NO_NAMES.contains(&word.as_bytes()))
        && !matches!(text, "true" | "false" | "null" | "none" | "unknown" | "nil" | "undefined" | "anonymous")
}

/// A name behind a word that names it: `full_name: Anna Meyer`.
pub(super) fn named(context: &Context<'_>, hit: &Hit, findings: &mut Findings<'_>) {
    let start = value_after(context.text, hit.end as usize);
    let assigned = context.text[hit.end as usize..start.min(context.text.len())]
        .iter()
        .any(|byte| matches!(byte, b':' | b'=' | b'>'));
    name(context, start, if assigned { 1 } else { 2 }, findings);
}

/// A name behind a form of address or a role: `Mrs Meyer`, `patient Anna Meyer`.
pub(super) fn addressed(context: &Context<'_>, hit: &Hit, findings: &mut Findings<'_>) {
    let text = context.text;
    let mut start = hit.end as usize;
    let title = start - hit.start as usize <= 8
        && TITLES.iter().any(|title| title.eq_ignore_ascii_case(&text[hit.start as usize..start]));
    start += usize::from(title && context.byte(start) == b'.');
    let next = value_after(text, start);
    let between = &text[start..next.min(text.len())];
    if between.is_empty()
        || between.iter().any(|byte| matches!(byte, b'_' | b'.' | b'/' | b'|' | b'[' | b'>'))
    {
        return;
    }
    name(context, next, if title { 1 } else { 2 }, findings);
}

const TITLES: [&[u8]; 20] = [
    b"mr",
    b"mrs",
    b"ms",
    b"dr",
    b"miss",
    b"prof",
    b"herr",
    b"herrn",
    b"frau",
    b"monsieur",
    b"madame",
    b"mme",
    b"mlle",
    b"sr",
    b"sra",
    b"signor",
    b"signora",
    b"dhr",
    b"mevr",
    b"pani",
];

/// Notes the capitalised words at `start`, if there are at least so many.
fn name(context: &Context<'_>, start: usize, least: usize, findings: &mut Findings<'_>) {
    let mut end = start;
    let mut words = 0;
    let mut at = start;
    while words < NAME_WORDS {
        let length = capitalised(context.text, at);
        if length == 0 || NO_NAMES.contains(&&context.text[at..at + length]) {
            break;
        }
        words += 1;
        end = at + length;
        // Between the words: a space, or `von `, `de la `.
        let Some(next) = next_word(context.text, end) else { break };
        at = next;
    }
    let goes_on = matches!(context.byte(end), b'_' | b'(' | b'=' | b'/' | b'\\' | b'@')
        || context.byte(end).is_ascii_digit()
        || (context.byte(end) == b'.' && context.byte(end + 1).is_ascii_alphanumeric());
    if words >= least && !goes_on {
        findings.push(start, end, Kind::PersonName, "name.keyword");
    }
}

/// The length of the word at `at`, if it is written like a name: `Anna`, `O'Neill`, `Meyer-Schulz`, `Łukasz`, `J.`.
fn capitalised(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    let length = rest
        .iter()
        .take(40)
        .take_while(|byte| byte.is_ascii_alphabetic() || **byte >= 0x80 || matches!(byte, b'\'' | b'-'))
        .count();
    let mut word = &rest[..length];
    while let [shorter @ .., b'\'' | b'-'] = word {
        word = shorter;
    }
    let Ok(letters) = std::str::from_utf8(word) else { return 0 };
    let mut characters = letters.chars();
    let first = characters.next().is_some_and(char::is_uppercase);
    let small = characters.any(char::is_lowercase);
    match (first, small, letters.chars().count()) {
        (true, true, 2..) => word.len(),
        (true, false, 1) if rest.get(1) == Some(&b'.') => 2,
        _ => 0,
    }
}

/// Where the next word of a name may start.
fn next_word(text: &[u8], at: usize) -> Option<usize> {
    let rest = text.get(at..)?;
    if rest.first() != Some(&b' ') {
        return None;
    }
    let small: [&[u8]; 12] = [
        b"von der ",
        b"van der ",
        b"van den ",
        b"de la ",
        b"von ",
        b"van ",
        b"de ",
        b"da ",
        b"dos ",
        b"del ",
        b"di ",
        b"zu ",
    ];
    let step = small.iter().find(|word| rest[1..].starts_with(word)).map_or(0, |word| word.len());
    Some(at + 1 + step)
}

/// An address behind a word that announces it, up to the end of the clause.
pub(super) fn address(context: &Context<'_>, hit: &Hit, findings: &mut Findings<'_>) {
    let text = context.text;
    let start = value_after(text, hit.end as usize);
    let assigned =
        text[hit.end as usize..start.min(text.len())].iter().any(|byte| matches!(byte, b':' | b'=' | b'>'));
    let rest = &text[start.min(text.len())..text.len().min(start + ADDRESS_BYTES)];
    let first = rest.first().copied().unwrap_or(0);
    if !(first.is_ascii_digit() || first.is_ascii_uppercase() || first >= 0x80) {
        return;
    }
    let quoted = matches!(context.before(start), b'"' | b'\'');
    let end = if quoted {
        rest.iter().position(|byte| matches!(byte, b'"' | b'\'' | b'\\' | b'\n')).unwrap_or(rest.len())
    } else {
        clause_end(rest, assigned)
    };
    let value = &rest[..end];
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    let capitals = value
        .windows(2)
        .filter(|pair| pair[0].is_ascii_uppercase() && (pair[1].is_ascii_lowercase() || pair[1] >= 0x80))
        .count();
    if digits >= 1 && capitals >= 1 && value.contains(&b' ') && !value.contains(&b'@') {
        findings.push(start, start + end, Kind::Address, "address.keyword");
    }
}

/// Where an address ends in prose: at a sign that no address has, or before the first word in small letters that is no part of one.
fn clause_end(text: &[u8], assigned: bool) -> usize {
    let mut end = 0;
    let mut at = 0;
    while at < text.len() {
        let word = text[at..].iter().take_while(|byte| !is_break(**byte)).count();
        let given = &text[at..at + word];
        if word == 0 || !is_part(given, assigned) {
            break;
        }
        end = at + given.len() - usize::from(given.ends_with(b",") || given.ends_with(b"."));
        if text.get(at + word) != Some(&b' ') {
            break;
        }
        at += word + 1;
    }
    end
}

const fn is_break(byte: u8) -> bool {
    matches!(
        byte,
        b' ' | b'"'
            | b';'
            | b'|'
            | b'('
            | b')'
            | b'{'
            | b'}'
            | b'['
            | b']'
            | b'<'
            | b'>'
            | b'\n'
            | b'\\'
            | b'='
            | b'\t'
            | b'!'
            | b'?'
    )
}

/// Words in small letters that stand in addresses.
const SMALL: [&[u8]; 40] = [
    b"de",
    b"la",
    b"le",
    b"les",
    b"du",
    b"des",
    b"der",
    b"den",
    b"dem",
    b"am",
    b"an",
    b"im",
    b"in",
    b"bei",
    b"auf",
    b"zum",
    b"zur",
    b"van",
    b"von",
    b"rue",
    b"avenue",
    b"boulevard",
    b"place",
    b"calle",
    b"via",
    b"del",
    b"della",
    b"dei",
    b"do",
    b"da",
    b"dos",
    b"das",
    b"y",
    b"e",
    b"ul.",
    b"of",
    b"st.",
    b"and",
    b"al.",
    b"os.",
];

fn is_part(word: &[u8], assigned: bool) -> bool {
    let bare = word.strip_suffix(b",").unwrap_or(word);
    let first = bare.first().copied().unwrap_or(0);
    let _ = assigned;
    first.is_ascii_digit()
        || first.is_ascii_uppercase()
        || first >= 0x80
        || first == b'#'
        || SMALL.contains(&bare)
}
