//! Stage 6 of 7, export: which proxy the environment asks for. Runs at configuration.
//!
//! `HTTPS_PROXY` for https endpoints, `HTTP_PROXY` for http, `ALL_PROXY` for both; `NO_PROXY` lists hosts that
//! are reached directly. Lower case wins over upper case, as in curl. Loopback addresses are not special: only
//! `NO_PROXY` exempts them.

use super::TransportError;
use std::net::IpAddr;
use ureq::http::Uri;
use ureq::Proxy;

/// The proxy for `endpoint`; `lookup` reads one environment variable.
pub(super) fn from_environment(
    endpoint: &Uri,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<Proxy>, TransportError> {
    let own = if endpoint.scheme_str() == Some("https") { "https_proxy" } else { "http_proxy" };
    let Some((name, url)) = either_case(own, lookup).or_else(|| either_case("all_proxy", lookup)) else {
        return Ok(None);
    };
    let exempt = either_case("no_proxy", lookup).is_some_and(|(_, list)| is_exempt(endpoint, &list));
    if exempt {
        return Ok(None);
    }
    let bad = |why: &str| {
        let what = "set it to http://host:port, or add the endpoint's host to NO_PROXY";
        TransportError::new(format!("proxy URL in {name} is not usable: {why}; {what}"))
    };
    // Without a scheme the whole text would be read as a host, so give it the usual one.
    let url = if url.contains("://") { url } else { format!("http://{url}") };
    let proxy = Proxy::new(&url).map_err(|error| bad(&error.to_string()))?;
    if !matches!(proxy.protocol(), ureq::ProxyProtocol::Http | ureq::ProxyProtocol::Https) {
        return Err(bad("SOCKS is not supported"));
    }
    Ok(Some(proxy))
}

/// A variable by its lower-case name, else its upper-case one; empty means unset.
fn either_case(name: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Option<(String, String)> {
    // A CGI server turns a request's `Proxy` header into HTTP_PROXY: there it is not the operator's word.
    let forgeable = name == "http_proxy" && lookup("REQUEST_METHOD").is_some();
    let upper = (!forgeable).then(|| name.to_ascii_uppercase());
    [Some(name.to_owned()), upper].into_iter().flatten().find_map(|name| {
        let value = lookup(&name)?.trim().to_owned();
        (!value.is_empty()).then_some((name, value))
    })
}

/// True when an entry of the comma or space separated list covers the endpoint.
fn is_exempt(endpoint: &Uri, list: &str) -> bool {
    let host = endpoint.host().unwrap_or("").trim_matches(['[', ']']).to_ascii_lowercase();
    let port = endpoint.port_u16().unwrap_or(if endpoint.scheme_str() == Some("https") { 443 } else { 80 });
    list.split([',', ' ', '\t']).map(str::trim).filter(|entry| !entry.is_empty()).any(|entry| {
        let entry = entry.to_ascii_lowercase();
        covers(&entry, &host)
            || with_port(&entry).is_some_and(|(entry, wanted)| wanted == port && covers(entry, &host))
    })
}

/// `host:port` taken apart; not an IPv6 address without brackets.
fn with_port(entry: &str) -> Option<(&str, u16)> {
    let (host, port) = entry.rsplit_once(':')?;
    (!host.contains(':') || host.starts_with('[')).then_some((host, port.parse().ok()?))
}

/// `*`, an address, a network (`10.0.0.0/8`), or a domain (with or without leading `.` or `*.`) and its hosts.
fn covers(entry: &str, host: &str) -> bool {
    if entry == "*" {
        return true;
    }
    let entry = entry.trim_matches(['[', ']']);
    if let Ok(address) = host.parse::<IpAddr>() {
        return entry.parse::<IpAddr>() == Ok(address) || in_network(entry, address);
    }
    let domain = entry.trim_start_matches('*').trim_start_matches('.');
    let before = host.strip_suffix(domain).filter(|_| !domain.is_empty());
    before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

fn in_network(entry: &str, address: IpAddr) -> bool {
    let Some((network, bits)) = entry.split_once('/') else { return false };
    let (Ok(network), Ok(bits)) = (network.parse::<IpAddr>(), bits.parse::<u32>()) else { return false };
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) if bits <= 32 => {
            let shift = 32 - bits;
            u32::from(network).checked_shr(shift) == u32::from(address).checked_shr(shift)
        }
        (IpAddr::V6(network), IpAddr::V6(address)) if bits <= 128 => {
            let shift = 128 - bits;
            u128::from(network).checked_shr(shift) == u128::from(address).checked_shr(shift)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(endpoint: &str, environment: &[(&str, &str)]) -> Result<Option<String>, String> {
        let lookup = |name: &str| {
            environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        from_environment(&endpoint.parse().unwrap(), &lookup)
            .map(|proxy| proxy.map(|proxy| format!("{}:{}", proxy.host(), proxy.port())))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_scheme_of_the_endpoint_chooses_the_variable_and_lower_case_wins() {
        let environment =
            [("HTTP_PROXY", "http://up:1"), ("http_proxy", "low:2"), ("HTTPS_PROXY", "http://secure:3")];
        assert_eq!(proxy("http://collector/", &environment), Ok(Some("low:2".into())));
        assert_eq!(proxy("https://collector/", &environment), Ok(Some("secure:3".into())));
        assert_eq!(proxy("http://collector/", &[("ALL_PROXY", "http://all:4")]), Ok(Some("all:4".into())));
        assert_eq!(proxy("http://collector/", &[("http_proxy", "")]), Ok(None));
    }

    #[test]
    fn a_cgi_request_cannot_set_the_proxy() {
        let environment = [("HTTP_PROXY", "http://evil:1"), ("REQUEST_METHOD", "GET")];
        assert_eq!(proxy("http://collector/", &environment), Ok(None));
    }

    #[test]
    fn no_proxy_covers_hosts_domains_ports_addresses_and_networks_but_not_lookalikes() {
        let direct = |endpoint: &str, list: &str| {
            proxy(endpoint, &[("ALL_PROXY", "http://all:4"), ("no_proxy", list)]) == Ok(None)
        };
        assert!(direct("http://127.0.0.1:4318/v1/logs", "127.0.0.1"));
        assert!(direct("http://127.9.9.9:4318/", "10.0.0.0/8, 127.0.0.0/8"));
        assert!(direct("http://[::1]:4318/", "::1"));
        assert!(direct("http://[fd00::1]:4318/", "fd00::/8"));
        assert!(direct("http://a.example.com/", "example.com"));
        assert!(direct("http://a.example.com/", ".example.com"));
        assert!(direct("http://A.example.com/", "*.EXAMPLE.com"));
        assert!(direct("http://host:4318/", "host:4318"));
        assert!(direct("http://host/", "*"));
        assert!(!direct("http://host:4317/", "host:4318"));
        assert!(!direct("http://badexample.com/", "example.com"));
        assert!(!direct("http://127.0.0.1:4318/", "localhost"));
        assert!(!direct("http://127.0.0.1/", "0.0.0.0/33, 1.0.0.0/8, /, ,"));
    }

    #[test]
    fn an_unusable_proxy_is_a_configuration_error_that_names_the_variable_and_hides_the_credentials() {
        let error = proxy("http://collector/", &[("ALL_PROXY", "socks5://user:hunter2@p:1")]).unwrap_err();
        assert_eq!(
            error,
            "proxy URL in ALL_PROXY is not usable: SOCKS is not supported; set it to http://host:port, \
             or add the endpoint's host to NO_PROXY"
        );
    }
}
