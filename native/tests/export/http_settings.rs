//! TLS to the endpoint, and settings of the transport that are refused at configuration.

use crate::sending::{numbered_block, otlp_settings};
use crate::serving::{self, reply, Certificates, Connection, Server};
use fapilog_native::export::http::answer::Answer;
use fapilog_native::export::http::{HttpTransport, Transport};
use fapilog_native::settings::OtlpSettings;
use std::path::PathBuf;
use std::time::Duration;

fn delivered() -> Answer {
    Answer::Delivered { rejected_records: 0, warning: None }
}

fn transport(settings: &OtlpSettings) -> HttpTransport {
    HttpTransport::with_environment(settings, &|_| None).unwrap()
}

fn retry_cause(answer: Answer) -> String {
    match answer {
        Answer::Retry { after: None, cause } => cause,
        other => panic!("expected a retry, not {other:?}"),
    }
}

/// The error of settings that cannot work, with the test's folder cut out.
fn refusal(change: impl Fn(&mut OtlpSettings)) -> String {
    let mut settings = otlp_settings("https://localhost:4318/v1/logs");
    change(&mut settings);
    match HttpTransport::with_environment(&settings, &|_| None) {
        Err(error) => error.to_string(),
        Ok(_) => panic!("the settings were accepted"),
    }
}

fn answer_once(mut connection: Connection) -> Vec<serving::Request> {
    let request = connection.request();
    if request.is_some() {
        connection.write(&reply(200, ""));
    }
    request.into_iter().collect()
}

#[test]
fn a_server_certificate_of_the_given_authority_is_trusted() {
    let certificates = Certificates::new("trusted");
    let server = Server::tls(certificates.server_config(false), answer_once);
    let mut settings = otlp_settings(&server.url("/v1/logs"));
    settings.certificate = Some(certificates.authority.clone());
    assert_eq!(transport(&settings).send(&numbered_block(2)).answer, delivered());
}

#[test]
fn a_server_certificate_of_another_authority_is_not_trusted() {
    let (ours, theirs) = (Certificates::new("ours"), Certificates::new("theirs"));
    let server = Server::tls(theirs.server_config(false), answer_once);
    let mut settings = otlp_settings(&server.url("/v1/logs"));
    settings.certificate = Some(ours.authority.clone());
    let cause = retry_cause(transport(&settings).send(&numbered_block(2)).answer);
    assert!(cause.contains("TLS: invalid peer certificate"), "{cause}");
    assert!(cause.ends_with("check the certificate files of the exporter"), "{cause}");
}

#[test]
fn without_an_authority_of_its_own_the_exporter_asks_the_platform_which_does_not_know_the_test() {
    let server = Server::tls(Certificates::new("unknown").server_config(false), answer_once);
    let cause =
        retry_cause(transport(&otlp_settings(&server.url("/v1/logs"))).send(&numbered_block(2)).answer);
    assert!(cause.contains("certificate"), "{cause}");
}

#[test]
fn a_server_that_asks_for_a_client_certificate_gets_it() {
    let certificates = Certificates::new("mutual");
    let server = Server::tls(certificates.server_config(true), answer_once);
    let mut settings = otlp_settings(&server.url("/v1/logs"));
    settings.certificate = Some(certificates.authority.clone());
    retry_cause(transport(&settings).send(&numbered_block(2)).answer);
    settings.client_certificate = Some(certificates.client.clone());
    settings.client_key = Some(certificates.client_key.clone());
    assert_eq!(transport(&settings).send(&numbered_block(2)).answer, delivered());
}

#[test]
fn plain_http_on_a_tls_port_and_tls_on_a_plain_port_are_retried() {
    let certificates = Certificates::new("mixed");
    let server = Server::tls(certificates.server_config(false), answer_once);
    let plain = server.url("/").replace("https:", "http:");
    retry_cause(transport(&otlp_settings(&plain)).send(&numbered_block(2)).answer);
    let server = Server::plain(answer_once);
    let mut settings = otlp_settings(&server.url("/").replace("http:", "https:"));
    settings.certificate = Some(certificates.authority.clone());
    settings.connect_timeout = Duration::from_millis(200);
    let cause = retry_cause(transport(&settings).send(&numbered_block(2)).answer);
    assert!(cause.ends_with("timed out (connect)"), "{cause}");
}

#[test]
fn certificate_files_that_cannot_work_are_refused_with_their_path() {
    let (ours, theirs) = (Certificates::new("first"), Certificates::new("second"));
    let missing = refusal(|settings| settings.certificate = Some(PathBuf::from("/no/such.pem")));
    assert_eq!(
        missing,
        "certificate file /no/such.pem cannot be read: No such file or directory (os error 2); \
         check the path and its permissions"
    );
    let empty = refusal(|settings| settings.certificate = Some(ours.client_key.clone()));
    assert!(empty.contains("client.key is not usable: it holds no PEM certificate"), "{empty}");
    let half = refusal(|settings| settings.client_certificate = Some(ours.client.clone()));
    assert!(half.ends_with("set without a client key: mTLS needs both, set the key file too"), "{half}");
    let no_key = refusal(|settings| {
        settings.client_certificate = Some(ours.client.clone());
        settings.client_key = Some(ours.client.clone());
    });
    assert!(no_key.contains("it holds no PEM private key"), "{no_key}");
    let foreign = refusal(|settings| {
        settings.client_certificate = Some(ours.client.clone());
        settings.client_key = Some(theirs.client_key.clone());
    });
    assert!(foreign.contains("it does not fit"), "{foreign}");
}

#[test]
fn settings_that_cannot_work_are_refused_without_showing_secrets() {
    let url = |text: &'static str| refusal(move |settings| settings.endpoint = text.into());
    let advice = "set it to a full URL such as http://localhost:4318/v1/logs";
    assert_eq!(
        url("localhost:4318"),
        format!("endpoint \"localhost:4318\" is not usable: it has no scheme (http or https); {advice}")
    );
    assert_eq!(
        url("ftp://user:hunter2@host/"),
        format!("endpoint \"ftp://***@host/\" is not usable: its scheme is neither http nor https; {advice}")
    );
    assert_eq!(url(""), format!("endpoint \"\" is not usable: it is not a URL; {advice}"));
    let header = |name: &'static str, value: &'static str| {
        refusal(move |settings| settings.headers = vec![(name.into(), value.into())])
    };
    assert_eq!(
        header("authorization", "Bearer hunter2\nx"),
        "the value of header \"authorization\" is not printable ASCII; check the exporter's headers"
    );
    assert_eq!(
        header("api key", "hunter2"),
        "header name \"api key\" is not allowed in HTTP; check the exporter's headers"
    );
    assert_eq!(
        header("Transfer-Encoding", "chunked"),
        "header \"transfer-encoding\" is set by the exporter itself; remove it from the exporter's headers"
    );
    assert_eq!(
        refusal(|settings| settings.user_agent = "a\nb".into()),
        "the User-Agent holds characters that HTTP does not allow; use printable ASCII"
    );
}
