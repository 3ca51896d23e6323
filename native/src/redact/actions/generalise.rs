//! Stage 3 of 7, redact: a coarser value in place of an exact one. Thread: caller.
//!
//! What HIPAA's Safe Harbor lets stand (45 CFR 164.514(b)(2)): the year of a date, three digits of a ZIP code where
//! many live; and for addresses of machines the network, for places one decimal (about 11 km).

use crate::scan::kind::Kind;
use std::net::{Ipv4Addr, Ipv6Addr};

/// ZIP codes by their first three digits where at most 20,000 people live (census of 2000, as the rule's guidance
/// lists them): these become `000`.
const FEW_PEOPLE: [&str; 17] = [
    "036", "059", "063", "102", "203", "556", "692", "790", "821", "823", "830", "831", "878", "879", "884",
    "890", "893",
];
/// From this age on the year of birth says too much.
const OLD_YEARS: i64 = 90;

/// The coarser value; `None` where there is none.
#[must_use]
pub fn generalise(kind: Kind, found: &str) -> Option<String> {
    match kind {
        Kind::Ipv4 => network_v4(found),
        Kind::Ipv6 => network_v6(found),
        Kind::DateOfBirth => year_of_birth(found, this_year()),
        Kind::Geo => Some(coarse_place(found)),
        Kind::Address => zip3(found),
        _ => None,
    }
}

fn network_v4(found: &str) -> Option<String> {
    let [a, b, c, _] = found.parse::<Ipv4Addr>().ok()?.octets();
    Some(format!("{a}.{b}.{c}.0/24"))
}

fn network_v6(found: &str) -> Option<String> {
    let [a, b, c, ..] = found.parse::<Ipv6Addr>().ok()?.segments();
    Some(format!("{}/48", Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0)))
}

fn this_year() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    // Gregorian years have 31,556,952 seconds on average: a few hours off, on one day of the year.
    1970 + (since.as_secs() / 31_556_952) as i64
}

/// The year of a date in any order, or `90+`.
fn year_of_birth(found: &str, this_year: i64) -> Option<String> {
    let mut runs = found.split(|each: char| !each.is_ascii_digit()).filter(|run| !run.is_empty());
    let year: i64 = match runs.find(|run| run.len() == 4 || run.len() == 8)? {
        run if run.len() == 4 => run.parse().ok()?,
        run => run.get(..4)?.parse().ok()?,
    };
    if !(1850..=this_year).contains(&year) {
        return None;
    }
    Some(if this_year - year >= OLD_YEARS { format!("{OLD_YEARS}+") } else { year.to_string() })
}

/// Every decimal number cut to one decimal.
fn coarse_place(found: &str) -> String {
    let (mut out, mut decimals) = (String::with_capacity(found.len()), None);
    for each in found.chars() {
        decimals = match (each, decimals) {
            ('.', _) => Some(0),
            (digit, Some(count)) if digit.is_ascii_digit() => Some(count + 1),
            _ => None,
        };
        if decimals.is_none_or(|count| count <= 1) && !matches!(each, ']' | '[') {
            out.push(each);
        }
    }
    out
}

/// `021**` of an address that ends with a ZIP code of the United States.
fn zip3(found: &str) -> Option<String> {
    let last =
        found.rsplit(|each: char| each.is_whitespace() || each == ',').find(|word| !word.is_empty())?;
    let zip = last.split('-').next()?;
    if zip.len() != 5 || !zip.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let area = &zip[..3];
    Some(format!("{}**", if FEW_PEOPLE.contains(&area) { "000" } else { area }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_machines_become_networks() {
        assert_eq!(generalise(Kind::Ipv4, "203.0.113.77").as_deref(), Some("203.0.113.0/24"));
        assert_eq!(
            generalise(Kind::Ipv6, "2001:db8:85a3::8a2e:370:7334").as_deref(),
            Some("2001:db8:85a3::/48")
        );
        assert_eq!(generalise(Kind::Ipv4, "not one"), None);
    }

    #[test]
    fn a_date_of_birth_becomes_its_year_and_old_age_a_group() {
        let cases = [
            ("1980-02-29", Some("1980")),
            ("29.02.1980", Some("1980")),
            ("19800229", Some("1980")),
            ("Feb 29, 1980", Some("1980")),
            ("29/2/80", None),
            ("1936-01-01", Some("90+")),
            ("1937-01-01", Some("1937")),
            ("2099-01-01", None),
        ];
        for (date, year) in cases {
            assert_eq!(year_of_birth(date, 2026).as_deref(), year, "{date}");
        }
    }

    #[test]
    fn a_place_keeps_one_decimal() {
        assert_eq!(coarse_place("52.520008, 13.404954"), "52.5, 13.4");
        assert_eq!(coarse_place("-33.8688"), "-33.8");
    }

    #[test]
    fn an_address_keeps_three_digits_of_its_zip_where_many_live() {
        assert_eq!(zip3("1 Main St, Springfield, MA 02139").as_deref(), Some("021**"));
        assert_eq!(zip3("1 Main St, Springfield, MA 02139-1234").as_deref(), Some("021**"));
        assert_eq!(zip3("5 Elm St, Bellows Falls, NH 03601").as_deref(), Some("000**"));
        assert_eq!(zip3("10 Downing Street, London"), None);
    }
}
