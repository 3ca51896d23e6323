//! Stage 6 of 7, export: the certificate files of HTTP clients, read and checked at configuration.
//!
//! The HTTP client reads its TLS settings at the first connection, ignores authorities it cannot parse and
//! panics on a key that does not fit; so every file is proven here, where an error can still be raised.

use super::TransportError;
use crate::settings::OtlpSettings;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig, TlsProvider};

/// The PEM files of one client.
#[derive(Debug, Clone, Default)]
pub struct Files {
    /// Trusted authorities; `None`: the platform's.
    pub certificate: Option<PathBuf>,
    /// The client's certificate chain.
    pub client_certificate: Option<PathBuf>,
    /// The client's private key.
    pub client_key: Option<PathBuf>,
}

/// TLS settings of the OTLP exporter.
pub(super) fn configure(settings: &OtlpSettings) -> Result<TlsConfig, TransportError> {
    configure_files(&Files {
        certificate: settings.certificate.clone(),
        client_certificate: settings.client_certificate.clone(),
        client_key: settings.client_key.clone(),
    })
}

/// TLS settings of an HTTP client: the authorities in `certificate`, or else the platform's; and the client's
/// certificate for mTLS.
pub(super) fn configure_files(files: &Files) -> Result<TlsConfig, TransportError> {
    let roots = files.certificate.as_deref().map(read_authorities).transpose()?;
    let client = match (&files.client_certificate, &files.client_key) {
        (Some(certificate), Some(key)) => Some(read_client(certificate, key)?),
        (None, None) => None,
        (Some(path), None) => return Err(half_a_client("certificate", path, "key")),
        (None, Some(path)) => return Err(half_a_client("key", path, "certificate")),
    };
    Ok(TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .root_certs(roots.unwrap_or(RootCerts::PlatformVerifier))
        .client_cert(client)
        .build())
}

fn half_a_client(given: &str, path: &Path, missing: &str) -> TransportError {
    TransportError::new(format!(
        "client {given} {} is set without a client {missing}: mTLS needs both, set the {missing} file too",
        path.display()
    ))
}

fn read_authorities(path: &Path) -> Result<RootCerts, TransportError> {
    let certificates = read_certificates("certificate", path)?;
    let mut store = RootCertStore::empty();
    for certificate in &certificates {
        store.add(certificate.clone()).map_err(|error| bad("certificate", path, &error.to_string()))?;
    }
    Ok(RootCerts::from(certificates.iter().map(to_ureq)))
}

fn read_client(certificate: &Path, key: &Path) -> Result<ClientCert, TransportError> {
    let chain = read_certificates("client certificate", certificate)?;
    let pem = read("client key", key)?;
    let parsed = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| {
        bad("client key", key, "it holds no PEM private key (keys with a passphrase are not supported)")
    })?;
    check_pair(chain.clone(), parsed).map_err(|error| {
        bad("client key", key, &format!("it does not fit {}: {error}", certificate.display()))
    })?;
    let private = PrivateKey::from_pem(&pem).map_err(|error| bad("client key", key, &error.to_string()))?;
    let chain: Vec<_> = chain.iter().map(to_ureq).collect();
    Ok(ClientCert::new_with_certs(&chain, private))
}

/// Builds the configuration that the HTTP client will build later, to see whether it can.
fn check_pair(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<(), rustls::Error> {
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(RootCertStore::empty())
        .with_client_auth_cert(chain, key)
        .map(drop)
}

fn read_certificates(what: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TransportError> {
    let pem = read(what, path)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err(bad(what, path, "it holds no PEM certificate")),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(bad(what, path, &error.to_string())),
    }
}

fn to_ureq(certificate: &CertificateDer<'static>) -> Certificate<'static> {
    Certificate::from_der(certificate.as_ref()).to_owned()
}

fn read(what: &str, path: &Path) -> Result<Vec<u8>, TransportError> {
    std::fs::read(path).map_err(|error| {
        let path = path.display();
        TransportError::new(format!(
            "{what} file {path} cannot be read: {error}; check the path and its permissions"
        ))
    })
}

fn bad(what: &str, path: &Path, why: &str) -> TransportError {
    TransportError::new(format!("{what} file {} is not usable: {why}; it must be a PEM file", path.display()))
}
