//! What records become: bytes of OTLP, JSON, documents, lines on a console; and how all of it is read.
#![allow(clippy::unwrap_used, clippy::panic)] // A test may fail.

#[path = "../shared/core.rs"]
mod core;
#[path = "../shared/records.rs"]
mod records;

mod console;
mod correlation;
mod decode;
mod document_golden;
mod document_parts;
mod document_templates;
mod documents;
mod encoded_attributes;
mod fuzz_corpus;
mod golden;
mod otlp_json;
mod record;
mod record_uid;
mod request;
