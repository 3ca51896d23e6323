//! Stage 6 of 7, export: OTLP/HTTP from native sender threads.
