//! Stage 6 of 7, export: the body as the whole document, for sources that log documents. Thread: as `encode`.

use super::documents::{Encoder, Skipped};
use super::stream::Target;
use super::templates::Spots;
use crate::console::json_value::{push_value_in, Dialect};
use crate::decode::{AnyView, RecordView};

/// Writes bodies.
pub(super) struct Bodymap;

impl Encoder<'_> for Bodymap {
    fn push(
        &mut self,
        out: &mut String,
        record: &RecordView<'_>,
        _target: &Target,
        _spots: &mut Spots,
    ) -> Result<(), Skipped> {
        match &record.body {
            Some(body @ AnyView::KvList(_)) => push_value_in(out, body, Dialect::Index),
            _ => return Err(Skipped::BodyNotAMap),
        }
        Ok(())
    }
}
