//! Scans a labelled corpus: JSON lines on standard input, one JSON line per record on standard output.
//!
//! Each line out is a list of `[path, start, end, type, rule]`, with offsets in code points. `--time` prints what one
//! record costs instead, in nanoseconds, without reading and writing JSON: the best of several rounds.

// Counts of records are far below 2^52.
#![allow(clippy::cast_precision_loss)]

use std::collections::HashMap;
use std::io::{self, BufRead, Write};
use std::time::Instant;

use fapilog_native::scan::keys::KeyPlan;
use fapilog_native::scan::{Scanner, Scratch};
use serde_json::{json, Value};

struct Text {
    path: String,
    value: String,
    plan: KeyPlan,
}

/// Integers below this hold no card number and no identifier without a key that says so.
const SMALLEST_NUMBER: u64 = 100_000_000_000;

fn texts(scanner: &Scanner, record: &Value, plans: &mut HashMap<String, KeyPlan>) -> Vec<Text> {
    let mut texts = Vec::new();
    if let Some(text) = record["text"].as_str() {
        texts.push(Text { path: "text".to_owned(), value: text.to_owned(), plan: KeyPlan::NONE });
    }
    for (key, value) in record["attributes"].as_object().into_iter().flatten() {
        let plan = *plans.entry(key.clone()).or_insert_with(|| scanner.plan(key));
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number)
                if plan.speaks() || number.as_u64().is_some_and(|number| number >= SMALLEST_NUMBER) =>
            {
                number.to_string()
            }
            _ => continue,
        };
        texts.push(Text { path: format!("attributes.{key}"), value: text, plan });
    }
    texts
}

/// Records that are timed together: few enough that some round sees them without an interruption.
const TOGETHER: usize = 100;

fn time(scanner: &Scanner, records: &[Vec<Text>], rounds: u32) -> f64 {
    let mut scratch = Scratch::default();
    let mut best = vec![f64::INFINITY; records.len().div_ceil(TOGETHER)];
    for _ in 0..rounds {
        for (some, best) in records.chunks(TOGETHER).zip(&mut best) {
            let start = Instant::now();
            let mut found = 0;
            for text in some.iter().flatten() {
                found += scanner.scan(&text.value, &text.plan, &mut scratch).len();
            }
            std::hint::black_box(found);
            *best = best.min(start.elapsed().as_secs_f64());
        }
    }
    best.iter().sum::<f64>() / records.len() as f64 * 1e9
}

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let scanner = Scanner::default();
    let mut plans = HashMap::new();
    let mut records = Vec::new();
    for line in io::stdin().lock().lines() {
        let record: Value = serde_json::from_str(&line?)?;
        records.push(texts(&scanner, &record, &mut plans));
    }
    let mut out = io::BufWriter::new(io::stdout().lock());
    if arguments.iter().any(|argument| argument == "--time") {
        let texts: usize = records.iter().map(Vec::len).sum();
        let bytes: usize = records.iter().flatten().map(|text| text.value.len()).sum();
        return writeln!(
            out,
            "{:.0} ns per record ({} records, {:.1} texts and {:.0} bytes each)",
            time(&scanner, &records, 40),
            records.len(),
            texts as f64 / records.len() as f64,
            bytes as f64 / records.len() as f64,
        );
    }
    let mut scratch = Scratch::default();
    for record in &records {
        let mut found = Vec::new();
        for text in record {
            let points = |at: usize| text.value[..at].chars().count();
            for finding in scanner.scan(&text.value, &text.plan, &mut scratch) {
                let range = finding.range();
                found.push(json!([
                    text.path,
                    points(range.start),
                    points(range.end),
                    finding.kind.id(),
                    finding.rule
                ]));
            }
        }
        writeln!(out, "{}", Value::Array(found))?;
    }
    Ok(())
}
