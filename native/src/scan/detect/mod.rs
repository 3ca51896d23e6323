//! Stage 3 of 7, redact: the detectors, from anchors to findings. Thread: caller.
//!
//! Each takes the [`Context`] and appends to [`Findings`]. Each is linear in the text: it walks anchors or keywords, and
//! from one of them no further than a bound.
//!
//! [`numbers`] goes over digits ([`national`] has the numbers of states), [`lettered`] over runs with letters and digits,
//! [`worded`] over keywords that a value follows ([`follow`] finds it; [`person`] does names and addresses, [`dates`] dates of birth),
//! [`network`] and [`contact`] ([`calling_codes`]) over `@`, `+`, dots and colons, [`payment`] over what else stands on a card, [`banking`] over codes of banks, [`segments`] over messages
//! about patients, [`places`] over postal addresses, [`seed`] over the words of wallets,
//! [`credentials`] and [`vendors`] over secrets.

pub mod banking;
pub mod calling_codes;
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
pub mod places;
pub mod seed;
pub mod segments;
pub mod vendor_prefixes;
pub mod vendors;
pub mod worded;

use crate::scan::classes::{class, Run};
use crate::scan::context::Context;
use crate::scan::finding::Findings;

/// Runs every detector.
pub(super) fn all(context: &Context<'_>, findings: &mut Findings<'_>) {
    worded::whole_value(context, findings);
    if !context.anchors.runs.is_empty() {
        numbers::detect(context, findings);
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

/// Offers a run to whoever may know it, by what it is made of and how long it is.
#[inline]
fn one_run(context: &Context<'_>, run: &Run, findings: &mut Findings<'_>) {
    if context.before(run.start as usize) == b'+' {
        contact::international(context, run, findings);
    }
    if run.holds(class::LETTER | class::UNDERSCORE) {
        letters(context, run, findings);
    } else if run.holds(class::DASH) {
        if run.len() == 10 {
            places::code(context, run.start as usize, run.end as usize, findings);
        }
        network::dashed(context, run, findings);
        contact::dashed(context, run, findings);
        payment::joined(context, run, findings);
    } else {
        digits(context, run, findings);
    }
}

fn letters(context: &Context<'_>, run: &Run, findings: &mut Findings<'_>) {
    match run.len() {
        4 => network::dotted(context, run, findings),
        17 => network::dashed(context, run, findings),
        _ => {}
    }
    lettered::run(context, run, findings);
    vendors::run(context, run, findings);
    if run.holds(class::UNDERSCORE | class::DASH) {
        payment::joined(context, run, findings);
    }
}

/// Most numbers are short: only addresses and telephones are made of such.
#[inline]
fn digits(context: &Context<'_>, run: &Run, findings: &mut Findings<'_>) {
    match run.len() {
        1 | 3 => {
            network::octet(context, run, findings);
            contact::area(context, run, findings);
        }
        2 => {
            network::octet(context, run, findings);
            lettered::spaced(context, run, findings);
        }
        4 => network::dotted(context, run, findings),
        5 => places::code(context, run.start as usize, run.end as usize, findings),
        6 => lettered::spaced(context, run, findings),
        8..=10 => vendors::number(context, run, findings),
        _ => {}
    }
}
