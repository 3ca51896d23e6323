//! Stage 6 of 7, export: one request as documents, one for each record, that an exporter can tell apart. Thread: as `encode`.
//!
//! Each document is one line of JSON. With `bulk`, the action line of an index request stands before it and belongs
//! to it. The offsets partition the text, so a part can be sent again, or the whole cut by size, without encoding anew.

use super::action::{Actions, BulkOptions};
use super::bodymap::Bodymap;
use super::ecs::Ecs;
use super::flat::Flat;
use super::hec::{Hec, HecOptions};
use super::otel::Otel;
use super::raw::Raw;
use super::ss4o::Ss4o;
use super::stream::{Router, StreamOptions, Target};
use super::templates::{Look, Slot, Spots, Templates};
use super::timestamp::TimeForm;
use crate::decode::request::{resources, ResourceLogsView, ScopeLogsView};
use crate::decode::{AnyView, RecordView};
use std::ops::Range;

/// What a record becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// An event of Splunk's HTTP Event Collector, as the Collector's `splunkhec` exporter makes it.
    Hec,
    /// Elastic's `otel` mode: fields of the data model under their names.
    Otel,
    /// Elastic Common Schema: attributes become nested objects, known ones under ECS's names.
    Ecs,
    /// The data model's fields, attributes beside them, flat.
    Raw,
    /// The body, which must be a map, is the document.
    Bodymap,
    /// OpenSearch's Simple Schema for Observability.
    Ss4o,
    /// One level of fields for stores without nested ones.
    Flat,
}

/// All shapes by name.
pub const SHAPES: [(&str, Shape); 7] = [
    ("hec", Shape::Hec),
    ("otel", Shape::Otel),
    ("ecs", Shape::Ecs),
    ("raw", Shape::Raw),
    ("bodymap", Shape::Bodymap),
    ("ss4o", Shape::Ss4o),
    ("flat", Shape::Flat),
];

impl Shape {
    /// The shape called `name`; `None` for an unknown name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        SHAPES.iter().find(|(known, _)| *known == name).map(|(_, shape)| *shape)
    }

    /// How its times are written unless an option says otherwise.
    #[must_use]
    pub const fn default_time(self) -> TimeForm {
        match self {
            Self::Hec => TimeForm::EpochMicros,
            Self::Otel => TimeForm::EpochMillisText,
            _ => TimeForm::Iso,
        }
    }
}

/// How documents are made. The defaults are those of the Collector's exporters.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Times; `None`: [`Shape::default_time`].
    pub time: Option<TimeForm>,
    /// Where a document goes, in shapes for indexes.
    pub stream: StreamOptions,
    /// An action line before each document; `None`: documents alone.
    pub bulk: Option<BulkOptions>,
    /// What only [`Shape::Hec`] knows.
    pub hec: HecOptions,
}

/// Why a record has no document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skipped {
    /// `bodymap` of a record whose body is not a map.
    BodyNotAMap,
}

impl Skipped {
    /// The reason's name in counters.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BodyNotAMap => "body_not_a_map",
        }
    }
}

/// The documents of one request, in the order of its records.
#[derive(Debug, Clone, Default)]
pub struct Documents {
    /// All documents, one after the other; each ends with a newline.
    pub text: String,
    /// Where each document starts, its action line included; then where the last one ends.
    pub offsets: Vec<usize>,
    /// For each document the number of its record in the request, from 0.
    pub records: Vec<usize>,
    /// Records without a document, because their body is no map.
    body_not_a_map: u64,
}

impl Documents {
    /// How many records have no document, for each reason that occurred.
    pub fn skipped(&self) -> impl Iterator<Item = (&'static str, u64)> {
        [(Skipped::BodyNotAMap.name(), self.body_not_a_map)].into_iter().filter(|(_, count)| *count > 0)
    }

    /// Where the text of the documents from `start` to before `end` stands; `None` when there are none such.
    #[must_use]
    pub fn place(&self, start: usize, end: usize) -> Option<Range<usize>> {
        let (first, last) = (*self.offsets.get(start)?, *self.offsets.get(end)?);
        (start <= end).then_some(first..last)
    }

    /// Where a request that begins with document `start` ends: by its bytes, its documents and `end`. One document it
    /// takes in any case. `None` when there are no documents from `start` to before `end`.
    #[must_use]
    pub fn fitting(&self, start: usize, end: usize, max_bytes: usize, max_documents: usize) -> Option<usize> {
        if start >= end || end > self.records.len() {
            return None;
        }
        let limit = self.offsets.get(start)?.saturating_add(max_bytes);
        let last = end.min(start.saturating_add(max_documents.max(1)));
        let ends = self.offsets.get(start + 1..=last)?;
        Some(start + ends.partition_point(|end| *end <= limit).max(1))
    }

    /// The documents that are larger.
    pub fn larger_than(&self, bytes: usize) -> impl Iterator<Item = usize> + '_ {
        let sizes = self.offsets.windows(2).map(|pair| pair[1] - pair[0]);
        sizes.enumerate().filter(move |(_, size)| *size > bytes).map(|(number, _)| number)
    }

    fn skip(&mut self, reason: Skipped) {
        match reason {
            Skipped::BodyNotAMap => self.body_not_a_map += 1,
        }
    }
}

/// Writes documents of one shape; what is common to a resource or a scope it prepares once.
pub(super) trait Encoder<'a> {
    /// Whether it notes in `spots` all that a document takes from its record, so that it can be a template.
    const NOTES: bool = false;
    /// Whether maps among the attributes are values as others are.
    const MAPS_ARE_VALUES: bool = false;

    fn enter_resource(&mut self, _logs: &ResourceLogsView<'a>) {}

    fn enter_scope(&mut self, _logs: &ScopeLogsView<'a>) {}

    /// Appends one JSON object without a newline, or nothing at all.
    fn push(
        &mut self,
        out: &mut String,
        record: &RecordView<'a>,
        target: &Target,
        spots: &mut Spots,
    ) -> Result<(), Skipped>;

    /// Whether an attribute called `key` does no more to a document than to stand in it.
    fn is_plain(&self, _key: &str) -> bool {
        true
    }

    /// Appends what `push` writes for this slot; `attribute` is its value where it is an attribute.
    fn push_slot(&self, _out: &mut String, _slot: Slot, _record: &RecordView<'a>, _attribute: &AnyView<'a>) {}
}

/// The documents of `request`, an uncompressed `ExportLogsServiceRequest`. Never fails: of damaged bytes, what can
/// be read is written.
///
/// ```
/// use fapilog_native::encode::documents::{documents, Options, Shape};
///
/// let record = [0x12, 9, 0x10, 9, 0x2a, 5, 0x0a, 3, b'h', b'e', b'y'];
/// let request = [vec![0x0a, 13, 0x12, 11], record.to_vec()].concat();
/// let made = documents(&request, Shape::Hec, &Options::default());
/// assert_eq!(made.text, "{\"event\":\"hey\",\"fields\":{\"otel.log.severity.number\":9},\"host\":\"unknown\"}\n");
/// assert_eq!(made.offsets, [0, made.text.len()]);
/// ```
#[must_use]
pub fn documents(request: &[u8], shape: Shape, options: &Options) -> Documents {
    let time = options.time.unwrap_or(shape.default_time());
    match shape {
        Shape::Hec => write(request, shape, options, Hec::new(&options.hec, time)),
        Shape::Otel => write(request, shape, options, Otel::new(time)),
        Shape::Ecs => write(request, shape, options, Ecs::new(time)),
        Shape::Raw => write(request, shape, options, Raw::new(time)),
        Shape::Bodymap => write(request, shape, options, Bodymap),
        Shape::Ss4o => write(request, shape, options, Ss4o::new(time)),
        Shape::Flat => write(request, shape, options, Flat::new(time)),
    }
}

fn write<'a, E: Encoder<'a>>(request: &'a [u8], shape: Shape, options: &'a Options, encoder: E) -> Documents {
    let mut made = Documents { offsets: vec![0], ..Documents::default() };
    made.text.reserve(request.len() * 2);
    let mut writer = Writer {
        made,
        encoder,
        router: Router::new(shape, &options.stream),
        actions: options.bulk.as_ref().map(|bulk| Actions::new(shape, bulk)),
        templates: Templates::default(),
    };
    let mut number = 0;
    for logs in resources(request) {
        writer.encoder.enter_resource(&logs);
        for scope in logs.scopes() {
            writer.enter_scope(&logs, &scope);
            for record in scope.records() {
                writer.push(record, number);
                number += 1;
            }
        }
    }
    writer.made
}

/// All that writes the documents of one request.
struct Writer<'a, E> {
    made: Documents,
    encoder: E,
    router: Router<'a>,
    actions: Option<Actions>,
    templates: Templates<'a>,
}

impl<'a, E: Encoder<'a>> Writer<'a, E> {
    fn enter_scope(&mut self, logs: &ResourceLogsView<'a>, scope: &ScopeLogsView<'a>) {
        self.templates.clear();
        self.encoder.enter_scope(scope);
        self.router.enter(logs, scope);
        if let Some(actions) = &mut self.actions {
            actions.enter(logs, scope);
        }
    }

    fn push(&mut self, record: &'a [u8], number: usize) {
        let start = self.made.text.len();
        let view = RecordView::parse(record);
        let look = if E::NOTES { self.templates.look(&view, E::MAPS_ARE_VALUES) } else { Look::Unlike };
        let written = if let Look::Known(template) = look {
            self.push_alike(template, record, &view);
            Ok(())
        } else {
            self.push_first(record, &view, look == Look::New)
        };
        match written {
            Ok(()) => {
                self.made.text.push('\n');
                self.made.offsets.push(self.made.text.len());
                self.made.records.push(number);
            }
            Err(reason) => {
                self.made.text.truncate(start);
                self.made.skip(reason);
            }
        }
    }

    /// By the encoder itself.
    fn push_first(&mut self, record: &'a [u8], view: &RecordView<'a>, is_new: bool) -> Result<(), Skipped> {
        let (out, encoder) = (&mut self.made.text, &mut self.encoder);
        let start = out.len();
        let target = self.router.route(record, view);
        let spots = self.templates.begin(is_new, |key| encoder.is_plain(key) && !Router::is_hint(key));
        if let Some(actions) = &mut self.actions {
            actions.push(out, target, record, view, spots);
        }
        encoder.push(out, view, target, spots)?;
        self.templates.learn(out, start);
        Ok(())
    }

    /// By a template, with the action line.
    fn push_alike(&mut self, template: usize, record: &[u8], view: &RecordView<'a>) {
        let (encoder, actions) = (&self.encoder, &mut self.actions);
        self.templates.write(&mut self.made.text, template, |out, slot, attribute| {
            match (slot, &mut *actions) {
                (Slot::Id, Some(actions)) => actions.push_id(out, record, attribute),
                _ => encoder.push_slot(out, slot, view, attribute),
            }
        });
    }
}
