//! Stage 3 of 7, redact: rules of the user: by the path of an attribute, by a pattern, by a dictionary. Thread: caller.
//!
//! The first rule that fits decides: a rule that keeps something has to stand before the one that would hide it. Rules
//! are part of a [`crate::redact::values::ValuePolicy`], whose walk through a record applies them.
//!
//! In this room: [`paths`] matches paths, [`texts`] patterns and words; [`actions`] writes what stands instead; [`spots`]
//! unites what rules and the scanner found in one text; [`place`] says where in a record a value stands.

pub mod actions;
pub mod paths;
pub mod place;
pub mod spots;
pub mod texts;

use crate::record::own::is_ours;
use crate::redact::rules::actions::RuleAction;
use crate::redact::rules::paths::{normal_path, PathPattern, Reach};
use crate::redact::rules::texts::Finder;
use std::collections::HashSet;
use std::ops::Range;

/// What a rule is about.
#[derive(Debug, Clone)]
pub enum About {
    /// Values under these paths.
    Paths(Vec<String>),
    /// What matches a regular expression.
    Pattern(String),
    /// Whole words.
    Words {
        /// The words, or phrases.
        words: Vec<String>,
        /// Whether `Apollo` is another word than `APOLLO`.
        case_sensitive: bool,
    },
}

/// A rule as it is written.
#[derive(Debug, Clone)]
pub struct RuleSettings {
    /// Stands in markers, notes and findings.
    pub name: String,
    /// What it is about.
    pub about: About,
    /// What becomes of that.
    pub action: RuleAction,
}

/// A rule that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleError {
    /// Its name.
    pub rule: String,
    /// What is wrong, in words that go behind the name.
    pub what: String,
}

/// The number of a rule: its place in the list.
pub type RuleId = u16;
/// Behind every rule.
pub const NO_RULE: RuleId = RuleId::MAX;

#[derive(Debug, Clone)]
enum Test {
    Paths(Vec<PathPattern>),
    Text(Finder),
}

#[derive(Debug, Clone)]
struct Rule {
    name: String,
    test: Test,
    action: RuleAction,
}

/// A match of a rule in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// Where.
    pub range: Range<usize>,
    /// Of which rule.
    pub rule: RuleId,
}

/// Rules, compiled once.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    rules: Vec<Rule>,
    allowed: Option<Vec<PathPattern>>,
}

impl Rules {
    /// Compiles rules. The error names the rule and says what is wrong with it.
    pub fn new(rules: &[RuleSettings]) -> Result<Self, RuleError> {
        let error = |rule: &RuleSettings, what: String| RuleError { rule: rule.name.clone(), what };
        if let Some(beyond) = rules.get(usize::from(NO_RULE)) {
            return Err(error(beyond, format!("is one rule more than {NO_RULE}")));
        }
        let compiled = rules.iter().map(|rule| compile(rule).map_err(|what| error(rule, what)));
        let compiled = Self { rules: compiled.collect::<Result<_, _>>()?, allowed: None };
        for (rule, settings) in compiled.rules.iter().zip(rules) {
            compiled.check_markers(rule).map_err(|what| error(settings, what))?;
        }
        Ok(compiled)
    }

    /// The same rules; attributes under other paths than these are left out.
    pub fn with_minimise(self, allowed: &[String]) -> Result<Self, RuleError> {
        let read = |path: &String| {
            let error = |what: String| RuleError { rule: path.clone(), what };
            PathPattern::new(path).map_err(error)
        };
        Ok(Self { allowed: Some(allowed.iter().map(read).collect::<Result<_, _>>()?), ..self })
    }

    /// A rule that matches what a rule writes would hide its own marks without end.
    fn check_markers(&self, rule: &Rule) -> Result<(), String> {
        let Test::Text(finder) = &rule.test else { return Ok(()) };
        let hides = |other: &&Rule| !matches!(other.action, RuleAction::Keep | RuleAction::Drop);
        let written = self.rules.iter().filter(hides).map(|other| format!("[REDACTED:{}]", other.name));
        match written.into_iter().find(|marker| hides(&rule) && finder.is_in(marker)) {
            Some(marker) => Err(format!("matches {marker}, which is what rules write")),
            None => Ok(()),
        }
    }

    /// True when rules look at texts.
    #[must_use]
    pub fn reads_texts(&self) -> bool {
        self.rules.iter().any(|rule| matches!(rule.test, Test::Text(_)))
    }

    /// True when a record may be dropped.
    #[must_use]
    pub fn drops(&self) -> bool {
        self.rules.iter().any(|rule| rule.action == RuleAction::Drop)
    }

    /// True when attributes are left out that nobody allowed.
    #[must_use]
    pub fn minimises(&self) -> bool {
        self.allowed.is_some()
    }

    /// A rule's name.
    #[must_use]
    pub fn name(&self, rule: RuleId) -> &str {
        self.rules.get(usize::from(rule)).map_or("", |rule| &rule.name)
    }

    /// What a rule does.
    #[must_use]
    pub fn action(&self, rule: RuleId) -> RuleAction {
        self.rules.get(usize::from(rule)).map_or(RuleAction::Remove, |rule| rule.action)
    }

    /// The names under which nothing is let through: of several rules with one name the first counts.
    pub fn removing(&self) -> impl Iterator<Item = &str> {
        let mut known = HashSet::new();
        let first = self.rules.iter().filter(move |rule| known.insert(rule.name.as_str()));
        first.filter(|rule| rule.action.takes_all()).map(|rule| rule.name.as_str())
    }

    /// What is decided about a path by itself.
    #[must_use]
    pub fn of_path(&self, path: &str) -> PathFate {
        let ours = is_ours(path);
        let path = normal_path(path);
        let here =
            |pattern: &PathPattern| pattern.reach(&path) == Reach::Here && (!ours || pattern.is_ours());
        let fits = |rule: &Rule| matches!(&rule.test, Test::Paths(paths) if paths.iter().any(here));
        let rule = self.rules.iter().position(fits).map_or(NO_RULE, |index| index as RuleId);
        let allowed = match &self.allowed {
            None => Reach::Here,
            Some(_) if ours => Reach::Here,
            Some(allowed) => allowed.iter().map(|pattern| pattern.reach(&path)).max().unwrap_or(Reach::None),
        };
        PathFate { rule, keeps: rule != NO_RULE && self.action(rule) == RuleAction::Keep, allowed }
    }

    /// Appends what rules find in a text, of those that stand before `end`, with what they keep.
    pub fn find(&self, text: &str, end: RuleId, matches: &mut Vec<Match>) {
        let mut ranges = Vec::new();
        for (index, rule) in self.rules.iter().enumerate().take(usize::from(end)) {
            if let Test::Text(finder) = &rule.test {
                finder.find(text, &mut ranges);
                matches.extend(ranges.drain(..).map(|range| Match { range, rule: index as RuleId }));
            }
        }
    }
}

/// What is decided about a path by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathFate {
    /// The rule about it, or [`NO_RULE`].
    pub rule: RuleId,
    /// That rule keeps it.
    pub keeps: bool,
    /// Whether it may stay, where only what is allowed may.
    pub allowed: Reach,
}

impl Default for PathFate {
    fn default() -> Self {
        Self::FREE
    }
}

impl PathFate {
    /// Of a path that nobody has said anything about.
    pub const FREE: Self = Self { rule: NO_RULE, keeps: false, allowed: Reach::Here };

    /// The first rule that does not apply to the texts beneath: all do, or those before the one that keeps them.
    #[must_use]
    pub fn end(&self) -> RuleId {
        if self.keeps {
            self.rule
        } else {
            NO_RULE
        }
    }

    /// The rule that hides it.
    #[must_use]
    pub fn hides(&self) -> Option<RuleId> {
        (self.rule != NO_RULE && !self.keeps).then_some(self.rule)
    }
}

fn compile(rule: &RuleSettings) -> Result<Rule, String> {
    let test = match &rule.about {
        About::Paths(paths) => {
            let read = |path: &String| {
                PathPattern::new(path).map_err(|what| format!("has a path that {what}: {path}"))
            };
            Test::Paths(paths.iter().map(read).collect::<Result<_, _>>()?)
        }
        About::Pattern(pattern) => Test::Text(Finder::pattern(pattern)?),
        About::Words { words, case_sensitive } => Test::Text(Finder::words(words, *case_sensitive)?),
    };
    Ok(Rule { name: rule.name.clone(), test, action: rule.action })
}
