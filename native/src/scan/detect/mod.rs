//! Stage 3 of 7, redact: the detectors, from anchors to findings. Thread: caller.
//!
//! Each takes the [`Context`] and appends to [`Findings`]. Each is linear in the text: it walks anchors or keywords, and
//! from one of them no further than a bound.
//!
//! [`numbers`] goes over digits ([`national`] has the numbers of states), [`lettered`] over runs with letters and digits,
//! [`worded`] over keywords that a value follows ([`follow`] finds it; [`person`] does names and addresses, [`dates`] dates of birth),
//! [`network`] and [`contact`] over `@`, `+`, dots and colons, [`payment`] over what else stands on a card, [`seed`] over the words of wallets,
//! [`credentials`] and [`vendors`] over secrets.

pub mod contact;
pub mod credentials;
pub mod dates;
pub mod follow;
pub mod lettered;
pub mod national;
pub mod network;
pub mod numbers;
pub mod payment;
pub mod person;
pub mod seed;
pub mod vendor_prefixes;
pub mod vendors;
pub mod worded;

use crate::scan::classes::{class, Run};
use crate::scan::clusters::Pieces;
use crate::scan::context::Context;
use crate::scan::finding::Findings;

/// Runs every detector.
pub(super) fn all(context: &Context<'_>, pieces: &mut Pieces, findings: &mut Findings<'_>) {
    worded::whole_value(context, findings);
    if !context.anchors.runs.is_empty() {
        numbers::detect(context, pieces, findings);
        for run in &context.anchors.runs {
            one_run(context, run, findings);
        }
        payment::detect(context, findings);
        lettered::detect(context, findings);
    }
    network::detect(context, findings);
    contact::detect(context, findings);
    seed::detect(context, findings);
    if context.said.any(worded::WORDS) {
        worded::detect(context, findings);
    }
    credentials::detect(context, findings);
}

/// Offers a run to whoever may know it: most are short numbers, which only addresses and telephones are made of.
#[inline]
fn one_run(context: &Context<'_>, run: &Run, findings: &mut Findings<'_>) {
    if run.holds(class::DIGIT) {
        network::run(context, run, findings);
        contact::run(context, run, findings);
    }
    if run.holds(class::LETTER) {
        lettered::run(context, run, findings);
        vendors::run(context, run, findings);
        if run.holds(class::UNDERSCORE) && run.len() > 13 {
            payment::joined(context, run, findings);
        }
    } else if run.len() >= 8 {
        vendors::number(context, run, findings);
    } else if matches!(run.len(), 2 | 6) {
        lettered::spaced(context, run, findings);
    }
}
