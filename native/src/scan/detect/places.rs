//! Stage 3 of 7, redact: finds postal addresses of the United States, which show themselves. Thread: caller.

use crate::scan::context::Context;
use crate::scan::finding::Findings;
use crate::scan::kind::Kind;
use crate::scan::sets::WordSet;

/// Most bytes before the state.
const STREET_BYTES: usize = 80;

static STATES: WordSet = WordSet::new(
    "al ak az ar ca co ct de fl ga hi id il in ia ks ky la me md ma mi mn ms mo mt ne nv nh nj nm ny nc nd oh ok \
     or pa ri sc sd tn tx ut vt va wa wv wi wy dc pr",
);
static STREETS: WordSet = WordSet::new(
    "street st avenue ave road rd boulevard blvd lane ln drive dr court ct circle cir way place pl terrace ter \
     parkway pkwy highway hwy square sq trail trl broadway route plaza",
);

/// `12 Main St, Springfield, IL 62701`, from its postal code on.
#[inline]
pub fn code(context: &Context<'_>, at: usize, end: usize, findings: &mut Findings<'_>) {
    let text = context.text;
    let Some([b',', b' ', state @ .., b' ']) = at.checked_sub(5).and_then(|from| text.get(from..at)) else {
        return;
    };
    if !state.iter().all(u8::is_ascii_uppercase) || !STATES.has(state) {
        return;
    }
    if let Some(start) = street(text, at - 5) {
        findings.push(start, end, Kind::Address, "address.us");
    }
}

/// Where the number of the house stands before a street and a town that end at `end`.
fn street(text: &[u8], end: usize) -> Option<usize> {
    let from = end.saturating_sub(STREET_BYTES);
    let line = &text[from..end];
    let length = line
        .iter()
        .rev()
        .take_while(|byte| {
            byte.is_ascii_alphanumeric()
                || matches!(byte, b' ' | b',' | b'.' | b'-' | b'#' | b'\'')
                || **byte >= 0x80
        })
        .count();
    let line = &line[line.len() - length..];
    let named = |word: &[u8]| STREETS.has(word.strip_suffix(b".").unwrap_or(word));
    let mut last = None;
    let mut at = 0;
    for word in line.split(|byte| matches!(byte, b' ' | b',')) {
        let house = word.first().is_some_and(u8::is_ascii_digit) && word.len() <= 6;
        if house && line[at..].split(|byte| matches!(byte, b' ' | b',')).skip(1).any(named) {
            last = Some(at);
            break;
        }
        at += word.len() + 1;
    }
    last.map(|at| end - length + at)
}
