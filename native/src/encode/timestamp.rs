//! Stage 6 of 7, export: times as document stores read them. Thread: as `encode`.

use super::documents::Shape;
use crate::console::json_value::push_int;
use crate::console::time::{push_digits, push_rfc3339};

const NANOS_PER_SECOND: u64 = 1_000_000_000;
const NANOS_PER_MILLI: u64 = 1_000_000;

/// How a time is written. Digits that do not fit are cut, not rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeForm {
    /// A number of seconds with three decimals: what the Collector's HEC exporter sends.
    EpochMillis,
    /// A number of seconds with six decimals.
    EpochMicros,
    /// A number of seconds with nine decimals.
    EpochNanos,
    /// A string of milliseconds with a fraction, `"1795219200000.001500"`: nanoseconds for a `date_nanos` field.
    EpochMillisText,
    /// A string of RFC 3339 with nanoseconds.
    Iso,
}

impl TimeForm {
    /// The form called `name`; `None` for an unknown name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "millis" => Self::EpochMillis,
            "micros" => Self::EpochMicros,
            "nanos" => Self::EpochNanos,
            "epoch_millis" => Self::EpochMillisText,
            "iso" => Self::Iso,
            _ => return None,
        })
    }

    /// Whether documents of `shape` can have such times: HEC takes numbers of seconds, indexes take texts.
    #[must_use]
    pub fn fits(self, shape: Shape) -> bool {
        matches!(self, Self::EpochMillisText | Self::Iso) != (shape == Shape::Hec)
    }

    /// Appends the JSON value of a time in nanoseconds since the Unix epoch.
    pub(super) fn push(self, out: &mut String, unix_nanos: u64) {
        match self {
            Self::EpochMillis => push_seconds(out, unix_nanos, 3),
            Self::EpochMicros => push_seconds(out, unix_nanos, 6),
            Self::EpochNanos => push_seconds(out, unix_nanos, 9),
            Self::EpochMillisText => push_millis_text(out, unix_nanos),
            Self::Iso => {
                out.push('"');
                push_rfc3339(out, unix_nanos);
                out.push('"');
            }
        }
    }
}

fn push_seconds(out: &mut String, unix_nanos: u64, digits: usize) {
    push_int(out, unix_nanos / NANOS_PER_SECOND);
    out.push('.');
    let scale = [NANOS_PER_MILLI, 1_000, 1][digits / 3 - 1];
    push_digits(out, unix_nanos % NANOS_PER_SECOND / scale, digits);
}

/// Elasticsearch reads the fraction as one, from the left: 1,500 ns are `.001500` of a millisecond.
fn push_millis_text(out: &mut String, unix_nanos: u64) {
    out.push('"');
    push_int(out, unix_nanos / NANOS_PER_MILLI);
    match unix_nanos % NANOS_PER_MILLI {
        0 => out.push_str(".0"),
        rest => {
            out.push('.');
            push_digits(out, rest, 6);
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_in_each_form_without_losing_leading_zeros() {
        let cases = [
            ("millis", 1_795_219_200_012_345_678, "1795219200.012"),
            ("micros", 1_795_219_200_012_345_678, "1795219200.012345"),
            ("nanos", 1_795_219_200_012_345_678, "1795219200.012345678"),
            ("nanos", 0, "0.000000000"),
            ("epoch_millis", 1_795_219_200_000_001_500, "\"1795219200000.001500\""),
            ("epoch_millis", 1_795_219_200_012_000_000, "\"1795219200012.0\""),
            ("iso", 1_795_219_200_012_345_678, "\"2026-11-21T00:00:00.012345678Z\""),
        ];
        for (name, nanos, expected) in cases {
            let mut out = String::new();
            TimeForm::from_name(name).unwrap().push(&mut out, nanos);
            assert_eq!(out, expected, "{name}");
        }
        assert_eq!(TimeForm::from_name("seconds"), None);
    }
}
