//! Stage 1 of 7, emit: which records of a scope are kept: levels, rules by pattern, time boxes. Thread: caller.
//!
//! A rule is OpenTelemetry's `LoggerConfig` (logs SDK, Development): `enabled`, `minimum_severity`, `trace_based`. The
//! first rule whose pattern matches the scope's name applies. A time box ends at a moment of the monotonic clock, which
//! the next call sees: no thread waits for it, and a forked child has it too.

use std::time::Instant;

/// Severities below a number are filtered, by logger name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Levels {
    /// For loggers without an entry of their own.
    pub default: u8,
    /// The logger's name or a dotted prefix of it; the longest wins.
    pub by_name: Vec<(String, u8)>,
    /// Whether somebody chose the default, at the start or at run time.
    pub chosen: bool,
}

impl Levels {
    /// The severity floor of a logger of ours, or of another library's.
    #[must_use]
    pub fn threshold(&self, name: &str) -> u8 {
        self.entry(name).unwrap_or(self.default)
    }

    /// The severity floor of a scope of the OpenTelemetry API: none where nobody chose one (OTel logs SDK,
    /// `minimum_severity` is 0 by default).
    #[must_use]
    pub fn api_threshold(&self, name: &str) -> u8 {
        self.entry(name).unwrap_or(if self.chosen { self.default } else { 0 })
    }

    fn entry(&self, name: &str) -> Option<u8> {
        let applies = |prefix: &str| {
            name.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let entries = self.by_name.iter().filter(|(prefix, _)| applies(prefix));
        entries.max_by_key(|(prefix, _)| prefix.len()).map(|(_, level)| *level)
    }
}

/// What applies to the scopes whose name matches a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The whole name; `*` stands for any characters, `?` for one.
    pub pattern: String,
    /// False: every record is dropped.
    pub enabled: bool,
    /// Takes the place of the level; `None`: the level stays.
    pub minimum_severity: Option<u8>,
    /// True: records of spans that are not sampled are dropped.
    pub trace_based: bool,
}

/// Who decided about the severity floor of a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chosen {
    /// Nobody: it is the product's default.
    Default,
    /// The level, or a rule, for every name.
    ForAll,
    /// A level or a rule for this name.
    ByName,
}

/// What the rules say about one scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// False: every record is dropped.
    pub enabled: bool,
    /// Severity below which records are dropped; unspecified ones pass.
    pub threshold: u8,
    /// True: records of spans that are not sampled are dropped.
    pub trace_based: bool,
}

impl Verdict {
    /// A scope without a logger's own configuration.
    pub const OPEN: Self = Self { enabled: true, threshold: 0, trace_based: false };

    /// True when a comparison with the threshold decides all there is to decide.
    #[must_use]
    pub const fn is_plain(self) -> bool {
        self.enabled && !self.trace_based
    }

    /// Both apply: the stricter of each.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            enabled: self.enabled && other.enabled,
            threshold: self.threshold.max(other.threshold),
            trace_based: self.trace_based || other.trace_based,
        }
    }

    /// Whether a record is kept, in the order of the specification. Severity 0 is unspecified and passes every
    /// threshold; `unsampled`: the record belongs to a span that is not sampled.
    #[must_use]
    pub fn keeps(self, severity: u8, unsampled: impl FnOnce() -> bool) -> bool {
        self.enabled && (severity == 0 || severity >= self.threshold) && !(self.trace_based && unsampled())
    }
}

/// A value, and one that takes its place until a moment.
#[derive(Debug, Clone, Default)]
struct Timed<T> {
    lasting: T,
    boxed: Option<(Instant, T)>,
}

impl<T> Timed<T> {
    fn now(&self) -> &T {
        self.boxed.as_ref().map_or(&self.lasting, |(_, value)| value)
    }

    fn set(&mut self, value: T, until: Option<Instant>) {
        match until {
            Some(until) => self.boxed = Some((until, value)),
            None => *self = Self { lasting: value, boxed: None },
        }
    }

    fn until(&self) -> Option<Instant> {
        self.boxed.as_ref().map(|(until, _)| *until)
    }

    fn expire(&mut self, now: Instant) {
        if self.until().is_some_and(|until| until <= now) {
            self.boxed = None;
        }
    }
}

/// Levels and rules of one pipeline, each perhaps in a time box.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    levels: Timed<Levels>,
    rules: Timed<Vec<Rule>>,
}

impl Rules {
    /// Without a time box.
    #[must_use]
    pub fn new(levels: Levels, rules: Vec<Rule>) -> Self {
        Self { levels: Timed { lasting: levels, boxed: None }, rules: Timed { lasting: rules, boxed: None } }
    }

    /// Replaces the levels, for good or until a moment; for good also ends a time box.
    pub fn set_levels(&mut self, levels: Levels, until: Option<Instant>) {
        self.levels.set(levels, until);
    }

    /// Replaces the rules; as [`Self::set_levels`].
    pub fn set_rules(&mut self, rules: Vec<Rule>, until: Option<Instant>) {
        self.rules.set(rules, until);
    }

    /// What applies to a scope now.
    #[must_use]
    pub fn verdict(&self, name: &str) -> Verdict {
        self.judge(name, self.levels.now().threshold(name))
    }

    /// What applies to a scope of the OpenTelemetry API now.
    #[must_use]
    pub fn api_verdict(&self, name: &str) -> Verdict {
        self.judge(name, self.levels.now().api_threshold(name))
    }

    /// The severity below which no record of a scope is kept now, and who says so; [`Self::NOTHING`]: disabled.
    #[must_use]
    pub fn floor(&self, name: &str) -> (u8, Chosen) {
        let levels = self.levels.now();
        match self.rule(name) {
            Some(rule) if !rule.enabled => (Self::NOTHING, Chosen::ByName),
            Some(Rule { minimum_severity: Some(severity), pattern, .. }) => {
                let general = pattern.chars().all(|c| c == '*');
                (*severity, if general { Chosen::ForAll } else { Chosen::ByName })
            }
            _ if levels.entry(name).is_some() => (levels.threshold(name), Chosen::ByName),
            _ => (levels.default, if levels.chosen { Chosen::ForAll } else { Chosen::Default }),
        }
    }

    /// A severity that no record reaches.
    pub const NOTHING: u8 = 25;

    fn rule(&self, name: &str) -> Option<&Rule> {
        self.rules.now().iter().find(|rule| matches(&rule.pattern, name))
    }

    fn judge(&self, name: &str, level: u8) -> Verdict {
        self.rule(name).map_or(Verdict { threshold: level, ..Verdict::OPEN }, |rule| Verdict {
            enabled: rule.enabled,
            threshold: rule.minimum_severity.unwrap_or(level),
            trace_based: rule.trace_based,
        })
    }

    /// When the first time box ends; `None`: there is none.
    #[must_use]
    pub fn until(&self) -> Option<Instant> {
        self.levels.until().into_iter().chain(self.rules.until()).min()
    }

    /// Ends the time boxes whose moment has come.
    pub fn expire(&mut self, now: Instant) {
        self.levels.expire(now);
        self.rules.expire(now);
    }
}

/// True when `pattern` stands for the whole of `name`: `*` for any characters, `?` for one.
#[must_use]
pub fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    // Where the last `*` stands, and up to where it has eaten: on a mismatch it eats one more.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match (pattern.get(p), star) {
            (Some('*'), _) => {
                star = Some((p, n));
                p += 1;
            }
            (Some(c), _) if *c == '?' || *c == name[n] => {
                p += 1;
                n += 1;
            }
            (_, Some((at, eaten))) => {
                star = Some((at, eaten + 1));
                p = at + 1;
                n = eaten + 1;
            }
            _ => return false,
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}
