//! Stage 6 of 7, export: which exporters a block in the spool is for. Threads: any; a value.

/// Exporters that one spool knows at most.
pub const MAX_EXPORTERS: usize = 16;
/// Length of an exporter's name at most, in bytes.
pub const MAX_NAME_BYTES: usize = 64;

/// A set of exporters, by their position in the spool's list of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Exporters(u16);

impl Exporters {
    /// Nobody.
    pub const NONE: Self = Self(0);

    /// The first `count`.
    #[must_use]
    pub const fn first(count: usize) -> Self {
        if count >= MAX_EXPORTERS {
            return Self(u16::MAX);
        }
        Self((1 << count) - 1)
    }

    /// As they stand in a file.
    #[must_use]
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    /// For a file.
    #[must_use]
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// Whether `exporter` is among them.
    #[must_use]
    pub const fn contains(self, exporter: usize) -> bool {
        exporter < MAX_EXPORTERS && self.0 & (1 << exporter) != 0
    }

    /// These and `exporter`.
    #[must_use]
    pub const fn with(self, exporter: usize) -> Self {
        if exporter >= MAX_EXPORTERS {
            return self;
        }
        Self(self.0 | 1 << exporter)
    }

    /// These, but not `exporter`.
    #[must_use]
    pub const fn without(self, exporter: usize) -> Self {
        if exporter >= MAX_EXPORTERS {
            return self;
        }
        Self(self.0 & !(1 << exporter))
    }

    /// Those that are in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether it is nobody.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Their positions.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        (0..MAX_EXPORTERS).filter(move |exporter| self.contains(*exporter))
    }
}
