//! Stage 3 of 7, redact: an instrumentation scope and a resource without secrets. Thread: caller, once per logger and pipeline.
//!
//! They stand around records, so they pass the same policy: values under secret keys, at any depth, and
//! credentials in URLs of name, version, schema URL, keys and values. What cannot be parsed is left out.

use crate::record::tag;
use crate::redact::walk::{copy_around, members_of, nested, parts};
use crate::redact::{without_userinfo, KeyDecision, Policy, SECRET_MARKER};
use crate::scopes::Scope;
use crate::wire::{messages, put_bytes, Fields, Value};

/// `InstrumentationScope.attributes = 3`
const ATTRIBUTE: u8 = 0x1a;
/// `ResourceLogs.resource = 1`
const RESOURCE: u8 = 0x0a;
/// `ResourceLogs.schema_url = 3`
const SCHEMA_URL: u8 = 0x1a;
/// Nesting that is followed; capture stops at 30.
const MAX_DEPTH: usize = 80;

/// The scope as it may be stored.
#[must_use]
pub fn without_secrets(scope: &Scope, policy: &Policy) -> Scope {
    let mut attributes = Vec::with_capacity(scope.attributes.len());
    for entry in messages(&scope.attributes, 3) {
        nested(ATTRIBUTE, &mut attributes, |out| key_value(entry, policy, out, 0));
    }
    let attributes = match policy.values() {
        Some(values) => values.without_values_of(&attributes, 3),
        None => attributes,
    };
    Scope {
        name: text(&scope.name, policy),
        version: text(&scope.version, policy),
        schema_url: text(&scope.schema_url, policy),
        attributes,
    }
}

/// A resource as it may be stored: fields of `ResourceLogs` other than the scopes.
#[must_use]
pub fn resource_without_secrets(resource: &[u8], policy: &Policy) -> Vec<u8> {
    let mut out = Vec::with_capacity(resource.len());
    for field in Fields::new(resource) {
        match field {
            (1, Value::Bytes(message)) => {
                nested(RESOURCE, &mut out, |out| resource_message(message, policy, out));
            }
            (3, Value::Bytes(url)) => {
                nested(SCHEMA_URL, &mut out, |out| _ = without_userinfo(url, out));
            }
            _ => {}
        }
    }
    out
}

fn resource_message(message: &[u8], policy: &Policy, out: &mut Vec<u8>) {
    let mut attributes = Vec::with_capacity(message.len());
    copy_around(message, &mut attributes, |number, entry, out| {
        number == 1 && nested(tag::KEY, out, |out| key_value(entry, policy, out, 0))
    });
    match policy.values() {
        Some(values) => out.extend_from_slice(&values.without_values_of(&attributes, 1)),
        None => out.extend_from_slice(&attributes),
    }
}

fn text(given: &str, policy: &Policy) -> String {
    let mut out = Vec::with_capacity(given.len());
    without_userinfo(given.as_bytes(), &mut out);
    // Only whole characters were replaced.
    let text = String::from_utf8_lossy(&out).into_owned();
    policy.values().map_or_else(|| text.clone(), |values| values.without_values_in(&text))
}

fn key_value(entry: &[u8], policy: &Policy, out: &mut Vec<u8>, depth: usize) {
    let (key, value) = parts(entry);
    nested(tag::KEY, out, |out| _ = without_userinfo(key, out));
    let Some(value) = value else { return };
    nested(tag::VALUE, out, |out| {
        if policy.decide(&String::from_utf8_lossy(key)) == KeyDecision::Hide {
            put_bytes(out, tag::STRING, SECRET_MARKER.as_bytes());
        } else {
            any_value(value, policy, out, depth);
        }
    });
}

fn any_value(value: &[u8], policy: &Policy, out: &mut Vec<u8>, depth: usize) {
    copy_around(value, out, |number, inner, out| match number {
        1 => nested(tag::STRING, out, |out| _ = without_userinfo(inner, out)),
        5 | 6 if depth >= MAX_DEPTH => true,
        5 => nested(tag::ARRAY, out, |out| {
            each(inner, out, |member, out| any_value(member, policy, out, depth + 1));
        }),
        6 => nested(tag::KVLIST, out, |out| {
            each(inner, out, |entry, out| key_value(entry, policy, out, depth + 1));
        }),
        _ => false,
    });
}

/// Writes each member of an array or a map anew.
fn each(members: &[u8], out: &mut Vec<u8>, write: impl Fn(&[u8], &mut Vec<u8>)) {
    for member in members_of(members) {
        nested(tag::KEY, out, |out| write(member, out));
    }
}
