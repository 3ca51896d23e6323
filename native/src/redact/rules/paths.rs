//! Stage 3 of 7, redact: paths of attributes with wildcards. Thread: caller, once per path.
//!
//! A path is the names from the top, joined by dots: `customer.email` is the key `customer.email` as well as the key
//! `email` in the map `customer`. Names are compared as those of secret keys are: without case and separators. `*` stands
//! for any characters of one name, `**` for any number of names, and a path covers all beneath it.
//!
//! Members of a list have the path of the list; a `*` may also stand for the place in it.

/// Stands in a path for the place in a list; no normal name is like it.
pub const IN_LIST: &str = "[]";
/// Names in a pattern: a bit of the matcher for each.
const MAX_NAMES: usize = 32;

/// One name of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Name {
    /// `**`
    Many,
    /// `*`
    Any,
    /// What stands between the asterisks; a single piece is the name itself.
    Pieces(Vec<String>),
}

impl Name {
    fn new(written: &str) -> Result<Self, String> {
        match written {
            "" => Err("holds an empty name".into()),
            "**" => Ok(Self::Many),
            "*" => Ok(Self::Any),
            _ if written.contains("**") => Err(format!("holds ** inside of a name: {written}")),
            _ => Ok(Self::Pieces(written.split('*').map(normal).collect())),
        }
    }

    fn matches(&self, name: &str) -> bool {
        match self {
            Self::Many | Self::Any => true,
            Self::Pieces(pieces) => matches_pieces(pieces, name),
        }
    }
}

/// A path with wildcards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPattern {
    names: Vec<Name>,
}

/// How a pattern and a path go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// The pattern is about something else.
    None,
    /// It may be about something beneath.
    Beneath,
    /// It is about this.
    Here,
}

impl PathPattern {
    /// Reads a pattern. The error says what is wrong with it, in words that go behind its name.
    pub fn new(written: &str) -> Result<Self, String> {
        let names: Vec<Name> = written.trim().split('.').map(Name::new).collect::<Result<_, _>>()?;
        if names.len() > MAX_NAMES {
            return Err(format!("holds more than {MAX_NAMES} names"));
        }
        Ok(Self { names })
    }

    /// How it goes together with a path of normal names ([`normal_path`]).
    #[must_use]
    pub fn reach(&self, path: &[String]) -> Reach {
        let end = 1u64 << self.names.len();
        let mut places = self.onwards(1);
        for name in path {
            let in_list = name == IN_LIST;
            let mut next = if in_list { places } else { 0 };
            for (index, pattern) in
                self.names.iter().enumerate().filter(|(index, _)| places >> index & 1 != 0)
            {
                next |= match pattern {
                    Name::Many => 1 << index,
                    Name::Pieces(_) if in_list || !pattern.matches(name) => 0,
                    Name::Any | Name::Pieces(_) => 1 << (index + 1),
                };
            }
            places = self.onwards(next);
            if places & end != 0 {
                return Reach::Here;
            }
        }
        if places == 0 {
            Reach::None
        } else {
            Reach::Beneath
        }
    }

    /// True when it names what fapilog writes itself; no wildcard means that.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        matches!(self.names.first(), Some(Name::Pieces(pieces)) if pieces.len() == 1 && pieces[0] == "fapilog")
    }

    /// `**` also stands for no name.
    fn onwards(&self, mut places: u64) -> u64 {
        for (index, name) in self.names.iter().enumerate() {
            if *name == Name::Many && places >> index & 1 != 0 {
                places |= 1 << (index + 1);
            }
        }
        places
    }
}

/// A name without case and separators, as secret keys are compared.
#[must_use]
pub fn normal(name: &str) -> String {
    name.chars().filter(|each| each.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The names of a path; [`IN_LIST`] stays.
#[must_use]
pub fn normal_path(path: &str) -> Vec<String> {
    path.split('.').map(|name| if name == IN_LIST { name.to_owned() } else { normal(name) }).collect()
}

/// True when `name` is the pieces in order, with anything between them.
fn matches_pieces(pieces: &[String], name: &str) -> bool {
    let [first, between @ .., last] = pieces else { return pieces.first().is_some_and(|only| only == name) };
    let Some(mut rest) = name.strip_prefix(first.as_str()) else { return false };
    for piece in between {
        let Some(at) = rest.find(piece.as_str()) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reach(pattern: &str, path: &str) -> Reach {
        PathPattern::new(pattern).map_or(Reach::None, |pattern| pattern.reach(&normal_path(path)))
    }

    #[test]
    fn a_path_is_met_in_any_spelling_and_covers_all_beneath_it() {
        for path in ["customer.email", "Customer.E-Mail", "CUSTOMER.eMail", "customer.e_mail.first"] {
            assert_eq!(reach("customer.email", path), Reach::Here, "{path}");
        }
        assert_eq!(reach("customer.email", "customer"), Reach::Beneath);
        assert_eq!(reach("customer.email", "customer.name"), Reach::None);
        assert_eq!(reach("customer.email", "email"), Reach::None);
    }

    #[test]
    fn wildcards_stand_for_names_and_for_parts_of_them() {
        let here = [
            ("customer.*.email", "customer.home.email"),
            ("**.token", "token"),
            ("**.token", "a.b.token.c"),
            ("body.user.*", "body.user.name"),
            ("user_*", "userId"),
            ("*_id", "customer_id"),
            ("a.**.z", "a.z"),
            ("a.**.z", "a.b.c.z"),
            ("x*y*z", "x1y2z"),
        ];
        for (pattern, path) in here {
            assert_eq!(reach(pattern, path), Reach::Here, "{pattern} {path}");
        }
        for (pattern, path) in
            [("customer.*.email", "customer.email"), ("body.user.*", "body.user"), ("*_id", "order.name")]
        {
            assert_ne!(reach(pattern, path), Reach::Here, "{pattern} {path}");
        }
    }

    #[test]
    fn a_place_in_a_list_is_a_name_only_for_a_wildcard() {
        for pattern in ["items.*.name", "items.name", "items.**.name", "**.name"] {
            assert_eq!(reach(pattern, "items.[].name"), Reach::Here, "{pattern}");
        }
        assert_eq!(reach("items.*.*.name", "items.[].name"), Reach::Beneath);
    }

    #[test]
    fn a_pattern_that_cannot_be_meant_is_refused() {
        for written in ["", "a..b", ".a", "a.b**c"] {
            assert!(PathPattern::new(written).is_err(), "{written}");
        }
        assert!(PathPattern::new(&"a.".repeat(40)).is_err());
    }

    /// The same by trying everything.
    fn slowly(pattern: &[&str], path: &[&str]) -> bool {
        match (pattern, path) {
            ([] | ["**"], _) => true,
            (["**", rest @ ..], _) if !rest.is_empty() && slowly(rest, path) => true,
            (["**", ..], [_, deeper @ ..]) => slowly(pattern, deeper),
            (_, []) => false,
            ([first, rest @ ..], [IN_LIST, deeper @ ..]) => {
                slowly(pattern, deeper) || (*first == "*" && slowly(rest, deeper))
            }
            ([first, rest @ ..], [name, deeper @ ..]) => slow_glob(first, name) && slowly(rest, deeper),
        }
    }

    fn slow_glob(pattern: &str, name: &str) -> bool {
        match pattern.chars().next() {
            None => name.is_empty(),
            Some('*') => (0..=name.len()).any(|at| slow_glob(&pattern[1..], &name[at..])),
            Some(letter) => name.starts_with(letter) && slow_glob(&pattern[1..], &name[1..]),
        }
    }

    proptest! {
        #[test]
        fn the_matcher_is_that_of_a_slow_reference(
            pattern in prop::collection::vec("\\*|\\*\\*|[ab]{1,2}|a\\*|\\*b|a\\*b", 1..5),
            path in prop::collection::vec("[ab]{1,3}|\\[\\]", 1..6),
        ) {
            // A path begins with a name.
            prop_assume!(path[0] != IN_LIST);
            let pattern: Vec<&str> = pattern.iter().map(String::as_str).collect();
            let names: Vec<&str> = path.iter().map(String::as_str).collect();
            let found = reach(&pattern.join("."), &path.join(".")) == Reach::Here;
            prop_assert_eq!(found, slowly(&pattern, &names), "{:?} {:?}", pattern, path);
        }
    }
}
