//! Stage 1 of 7, emit: what a level method knows before it is called. Thread: caller.

use crate::decode::severity_short_name;
use crate::record::fields::SeverityField;
use std::sync::LazyLock;

/// The levels of records that come without a text of their own; index: severity number.
static SHORT: LazyLock<[Level; 25]> =
    LazyLock::new(|| std::array::from_fn(|number| Level::short(number as u8)));

/// Severity as number, as encoded fields, and whether shedding spares it.
#[derive(Debug, Clone, Copy)]
pub struct Level {
    pub severity: u8,
    pub field: SeverityField,
    pub protected: bool,
}

impl Level {
    /// A level by its number and text.
    pub const fn new(severity: u8, text: &str, protected: bool) -> Self {
        Self { severity, field: SeverityField::new(severity, text), protected }
    }

    /// True for audit and security records, which no processor refuses. Errors are protected from shedding only.
    pub const fn spared(&self) -> bool {
        self.protected && self.severity < 17
    }

    fn short(severity: u8) -> Self {
        let text = if severity == 0 { "" } else { severity_short_name(i32::from(severity)) };
        Self::new(severity, text, severity >= 17)
    }

    /// The level of a severity number under its short name; shedding spares ERROR and above.
    #[inline]
    pub fn of(severity: u8) -> &'static Self {
        &SHORT[usize::from(severity.min(24))]
    }
}

/// The severity of a level number of `logging`; `Severity.from_stdlib` says why.
#[inline]
pub const fn from_stdlib(level: i64) -> u8 {
    match level {
        ..=5 => 1,
        6 => 2,
        7 => 3,
        8 | 9 => 4,
        25 => 10,
        10..=49 => {
            let step = level % 10;
            (level / 10 * 4 + 1 + if step > 3 { 3 } else { step }) as u8
        }
        50..=53 => (level - 29) as u8,
        _ => 24,
    }
}
