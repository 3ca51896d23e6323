//! Stage 6 of 7, export: a JSON object under construction, which leaves out what has protobuf's default. Thread: as `encode`.

use crate::console::escape::push_hex;
use crate::console::json_value::{push_comma, push_int, push_string};

/// Appends `"name":`. Names are ours and need no escape.
#[inline]
pub(super) fn push_name(out: &mut String, name: &str) {
    out.push('"');
    out.push_str(name);
    out.push_str("\":");
}

/// An object that is open until `close`.
pub(super) struct Object<'a> {
    out: &'a mut String,
    fields: usize,
}

impl<'a> Object<'a> {
    pub(super) fn open(out: &'a mut String) -> Self {
        out.push('{');
        Self { out, fields: 0 }
    }

    pub(super) fn close(self) {
        self.out.push('}');
    }

    /// The text, ready for the next field.
    #[inline]
    pub(super) fn separated(&mut self) -> &mut String {
        push_comma(self.out, self.fields);
        self.fields += 1;
        self.out
    }

    /// The text, ready for the value of this field.
    #[inline]
    pub(super) fn key(&mut self, name: &str) -> &mut String {
        push_name(self.separated(), name);
        self.out
    }

    pub(super) fn text(&mut self, name: &str, text: &str) {
        if !text.is_empty() {
            push_string(self.key(name), text);
        }
    }

    pub(super) fn number<N: itoa::Integer + Default + PartialEq>(&mut self, name: &str, number: N) {
        if number != N::default() {
            push_int(self.key(name), number);
        }
    }

    pub(super) fn id(&mut self, name: &str, id: Option<&[u8]>) {
        if let Some(id) = id {
            let out = self.key(name);
            out.push('"');
            push_hex(out, id);
            out.push('"');
        }
    }

    /// Appends fields that are written already, each with a comma before it. The object must have a field.
    pub(super) fn append(&mut self, fields: &str) {
        self.out.push_str(fields);
    }
}
