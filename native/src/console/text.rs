//! Stage 6 of 7, export: what the styles for people share: the body, and `key=value`. Thread: caller.

use super::escape::{is_bare, push_escaped, Form};
use super::json_value::{bool_text, push_double, push_int, push_value as push_json};
use crate::decode::{AnyView, RecordView};

/// Appends the body, or `[event.name]` when it is empty. `cap_bytes` bounds what is shown of it.
pub(super) fn push_body(out: &mut String, record: &RecordView<'_>, cap_bytes: usize) {
    match record.body {
        Some(AnyView::Str(text)) if !text.is_empty() => push_free(out, text, cap_bytes),
        None | Some(AnyView::Empty | AnyView::Str(_)) if !record.event_name.is_empty() => {
            out.push('[');
            push_free(out, record.event_name, cap_bytes);
            out.push(']');
        }
        None | Some(AnyView::Empty | AnyView::Str(_)) => {}
        Some(value) => push_value(out, &value, cap_bytes),
    }
}

/// True when `push_body` appends nothing.
pub(super) const fn is_body_empty(record: &RecordView<'_>) -> bool {
    match record.body {
        None | Some(AnyView::Empty) => record.event_name.is_empty(),
        Some(AnyView::Str(text)) => text.is_empty() && record.event_name.is_empty(),
        Some(_) => false,
    }
}

/// Appends `text` without quotes, cut at `cap_bytes`.
pub(super) fn push_free(out: &mut String, text: &str, cap_bytes: usize) {
    let shown = cut(text, cap_bytes);
    push_escaped(out, shown, Form::Text);
    push_ellipsis(out, shown.len() < text.len());
}

/// Appends a bare word, or the text in quotes when it is not one.
pub(super) fn push_word(out: &mut String, text: &str, cap_bytes: usize) {
    let shown = cut(text, cap_bytes);
    let bare = is_bare(shown);
    if !bare {
        out.push('"');
    }
    push_escaped(out, shown, if bare { Form::Text } else { Form::Quoted });
    push_ellipsis(out, shown.len() < text.len());
    if !bare {
        out.push('"');
    }
}

/// Appends a value: strings as words, numbers as they are, arrays, maps and bytes as compact JSON.
pub(super) fn push_value(out: &mut String, value: &AnyView<'_>, cap_bytes: usize) {
    if push_scalar(out, value) {
        return;
    }
    if let AnyView::Str(text) = value {
        return push_word(out, text, cap_bytes);
    }
    let start = out.len();
    push_json(out, value);
    let length = cut(&out[start..], cap_bytes).len();
    let is_cut = start + length < out.len();
    out.truncate(start + length);
    push_ellipsis(out, is_cut);
}

/// Appends null, a truth value or a number; false for every other value.
pub(super) fn push_scalar(out: &mut String, value: &AnyView<'_>) -> bool {
    match value {
        AnyView::Empty => out.push_str("null"),
        AnyView::Bool(truth) => out.push_str(bool_text(*truth)),
        AnyView::Int(number) => push_int(out, *number),
        AnyView::Double(number) => push_double(out, *number),
        AnyView::Str(_) | AnyView::Bytes(_) | AnyView::Array(_) | AnyView::KvList(_) => return false,
    }
    true
}

/// The longest prefix of whole characters within `cap_bytes`.
fn cut(text: &str, cap_bytes: usize) -> &str {
    let mut end = text.len().min(cap_bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn push_ellipsis(out: &mut String, is_cut: bool) {
    if is_cut {
        out.push('…');
    }
}
