//! Stage 3 of 7, redact: the detectors, from anchors to findings. Thread: caller.
//!
//! Each takes the [`Context`] and appends to [`Findings`]. Each is linear in the text: it walks anchors or keywords, and
//! from one of them no further than a bound.
//!
//! [`numbers`] goes over digits ([`national`] has the numbers of states), [`lettered`] over runs with letters and digits,
//! [`worded`] over keywords that a value follows ([`follow`] finds it; [`person`] does names and addresses, [`dates`] dates of birth),
//! [`network`] and [`contact`] over `@`, `+`, dots and colons, [`payment`] over what else stands on a card,
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
pub mod vendor_prefixes;
pub mod vendors;
pub mod worded;

use crate::scan::clusters::Pieces;
use crate::scan::context::Context;
use crate::scan::finding::Findings;

/// Runs every detector.
pub(super) fn all(context: &Context<'_>, pieces: &mut Pieces, findings: &mut Findings<'_>) {
    worded::whole_value(context, findings);
    if !context.anchors.runs.is_empty() {
        numbers::detect(context, pieces, findings);
        lettered::detect(context, findings);
        network::detect(context, findings);
        payment::detect(context, findings);
        vendors::detect(context, findings);
    }
    contact::detect(context, findings);
    worded::detect(context, findings);
    credentials::detect(context, findings);
}
