//! Stage 6 of 7, export: pairs of attributes that are one point for Elasticsearch. Thread: as `encode`.
//!
//! `geo.location.lon` and `geo.location.lat`, with or without a name before them, become `geo.location`: `[lon, lat]`.

use crate::console::json_value::{push_comma, push_string, push_value_in, Dialect};
use crate::decode::{AnyView, KvListView};

const LATITUDE: &str = "geo.location.lat";
const LONGITUDE: &str = "geo.location.lon";
/// What the key of a point ends with less than that of its parts.
const PART: usize = ".lat".len();

/// Whether an attribute is a latitude or a longitude.
pub(super) fn is_part(key: &str, value: &AnyView<'_>) -> bool {
    matches!(value, AnyView::Double(_)) && may_be_part(key)
}

/// Whether an attribute called so is one if its value is a number.
pub(super) fn may_be_part(key: &str) -> bool {
    is_named(key, LATITUDE) || is_named(key, LONGITUDE)
}

fn is_named(key: &str, name: &str) -> bool {
    key.strip_suffix(name).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

/// Appends the points of `attributes` behind `count` members, and parts of a point whose other part is missing.
pub(super) fn push_points(out: &mut String, attributes: KvListView<'_>, mut count: usize) {
    let parts = || attributes.unique().filter(|(key, value)| is_part(key, value));
    for (key, value) in parts() {
        let point = &key[..key.len() - PART];
        let other =
            parts().find(|(name, _)| *name != key && name.starts_with(point) && name.len() == key.len());
        let is_longitude = is_named(key, LONGITUDE);
        if other.is_some() && !is_longitude {
            continue;
        }
        push_comma(out, count);
        count += 1;
        push_string(out, if other.is_some() { point } else { key });
        out.push(':');
        if let Some((_, latitude)) = other {
            out.push('[');
            push_value_in(out, &value, Dialect::Index);
            out.push(',');
            push_value_in(out, &latitude, Dialect::Index);
            out.push(']');
        } else {
            push_value_in(out, &value, Dialect::Index);
        }
    }
}
