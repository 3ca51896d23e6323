//! Stage 6 of 7, export: an exception below its pretty line, library frames folded. Thread: caller.
//!
//! Every line starts with four spaces and `| `, so none can pass for a record of its own.

use super::colour::{painted, DIM, RED};
use super::pretty::CAP_BYTES;
use super::text::push_free;
use crate::decode::AnyView;

/// Attribute with the text of the traceback, as the semantic conventions name it.
pub(super) const STACKTRACE: &str = "exception.stacktrace";
const TYPE: &str = "exception.type";
const MESSAGE: &str = "exception.message";

const MARGIN: &str = "    |";
/// Packages named in a folded line; more than these tell a reader nothing.
const NAMED_PACKAGES: usize = 5;

/// The `exception.*` attributes of one record.
#[derive(Debug, Default)]
pub(super) struct Exception<'a> {
    kind: Option<&'a str>,
    message: Option<&'a str>,
    stacktrace: Option<&'a str>,
}

impl<'a> Exception<'a> {
    /// Keeps an attribute that belongs to the traceback; false when `key` is another one or not a string.
    pub(super) fn take(&mut self, key: &str, value: &AnyView<'a>) -> bool {
        let AnyView::Str(text) = *value else { return false };
        let slot = match key {
            TYPE => &mut self.kind,
            MESSAGE => &mut self.message,
            STACKTRACE => &mut self.stacktrace,
            _ => return false,
        };
        slot.get_or_insert(text);
        true
    }

    /// Appends the folded traceback, then type and message; nothing when there is no exception.
    pub(super) fn push(&self, out: &mut String, colour: bool) {
        if let Some(stack) = self.stacktrace {
            push_folded(out, self.without_last_line(stack), colour);
        }
        let kind = self.kind.unwrap_or_default();
        let mut message = self.message.unwrap_or_default().lines();
        let first = message.next().unwrap_or_default();
        if kind.is_empty() && first.is_empty() {
            return;
        }
        push_margin(out, |out| {
            painted(out, colour, RED, |out| push_free(out, kind, CAP_BYTES));
            out.push_str(if kind.is_empty() || first.is_empty() { "" } else { ": " });
            push_free(out, first, CAP_BYTES);
        });
        for line in message {
            push_line(out, line);
        }
    }

    /// `stack` without the `Type: message` at its end, which is written from the attributes.
    fn without_last_line(&self, stack: &'a str) -> &'a str {
        let (kind, message) = (self.kind.unwrap_or_default(), self.message.unwrap_or_default());
        let trimmed = stack.trim_end_matches('\n');
        let name_end = match message.trim_end_matches('\n') {
            "" => Some(trimmed),
            message => trimmed.strip_suffix(message).and_then(|head| head.strip_suffix(": ")),
        };
        let Some(head) = name_end else { return stack };
        let (before, name) = head.split_at(head.rfind('\n').map_or(0, |newline| newline + 1));
        // The traceback and the attribute may qualify the name differently.
        let last_part = |name: &'a str| name.rsplit('.').next();
        if !kind.is_empty() && last_part(name) == last_part(kind) {
            before
        } else {
            stack
        }
    }
}

/// Library frames that follow each other and are not shown.
#[derive(Default)]
struct Fold<'a> {
    frames: usize,
    packages: Vec<&'a str>,
    /// Indentation of the last folded frame's `File` line; deeper lines belong to it.
    indent: usize,
}

impl<'a> Fold<'a> {
    fn add(&mut self, package: &'a str, indent: usize) {
        self.frames += 1;
        self.indent = indent;
        if !self.packages.contains(&package) && self.packages.len() <= NAMED_PACKAGES {
            self.packages.push(package);
        }
    }

    fn holds(&self, line: &str) -> bool {
        self.frames > 0
            && (indent_of(line) > self.indent || unindented(line).starts_with("[Previous line repeated"))
    }

    fn flush(&mut self, out: &mut String, colour: bool) {
        let fold = std::mem::take(self);
        if fold.frames == 0 {
            return;
        }
        push_margin(out, |out| {
            painted(out, colour, DIM, |out| {
                out.push_str("... ");
                out.push_str(itoa::Buffer::new().format(fold.frames));
                out.push_str(if fold.frames == 1 { " frame in " } else { " frames in " });
                for (index, package) in fold.packages.iter().enumerate() {
                    out.push_str(if index == 0 { "" } else { ", " });
                    push_free(out, if index == NAMED_PACKAGES { "..." } else { package }, CAP_BYTES);
                }
            });
        });
    }
}

/// Appends a traceback; one that consists of library frames only is shown whole.
fn push_folded(out: &mut String, stack: &str, colour: bool) {
    let is_application = |line| frame_path(line).is_some_and(|path| library_of(path).is_none());
    let folds = stack.lines().any(is_application);
    let mut fold = Fold::default();
    for line in stack.lines() {
        let library = if folds { frame_path(line).and_then(library_of) } else { None };
        if let Some(package) = library {
            fold.add(package, indent_of(line));
        } else if !fold.holds(line) {
            fold.flush(out, colour);
            push_line(out, line);
        }
    }
    fold.flush(out, colour);
}

fn push_line(out: &mut String, line: &str) {
    if line.is_empty() {
        out.push_str(MARGIN);
        out.push('\n');
    } else {
        push_margin(out, |out| push_free(out, line, CAP_BYTES));
    }
}

fn push_margin(out: &mut String, write: impl FnOnce(&mut String)) {
    out.push_str(MARGIN);
    out.push(' ');
    write(out);
    out.push('\n');
}

/// A traceback line without its indentation; exception groups indent with `|` too.
fn unindented(line: &str) -> &str {
    line.trim_start_matches([' ', '|'])
}

fn indent_of(line: &str) -> usize {
    line.len() - unindented(line).len()
}

/// The path in `File "…", line 7, in f`.
fn frame_path(line: &str) -> Option<&str> {
    let path = unindented(line).strip_prefix("File \"")?;
    path.find("\", line ").map(|end| &path[..end])
}

/// The package or standard library module that `path` belongs to; `None` for the application's own code.
fn library_of(path: &str) -> Option<&str> {
    if let Some(module) = path.strip_prefix("<frozen ") {
        return module.split(['.', '>']).next();
    }
    let inside = |folder: &str| path.rfind(folder).map(|at| &path[at + folder.len()..]);
    let relative = inside("site-packages").or_else(|| inside("dist-packages")).or_else(|| {
        // `3.12/asyncio/runners.py`: the rest of the folder's name goes first.
        inside("/lib/python3").map(|rest| &rest[rest.find('/').unwrap_or(rest.len())..])
    })?;
    let first = relative.trim_start_matches(['/', '\\']).split(['/', '\\']).next()?;
    Some(first.strip_suffix(".py").unwrap_or(first))
}
