//! Stage 1 of 7, emit: what a level method knows before it is called. Thread: caller.

use crate::fields::SeverityField;

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
}
