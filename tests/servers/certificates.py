"""Makes a throw-away certificate authority with a server and a client certificate, for TLS on loopback."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


@dataclass(frozen=True)
class Certificates:
    """Paths of PEM files: the authority, and what it signed for 127.0.0.1/localhost and for one client."""

    ca: Path
    server_certificate: Path
    server_key: Path
    client_certificate: Path
    client_key: Path


@dataclass(frozen=True)
class _Authority:
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    not_before: datetime
    not_after: datetime


def make_certificates(
    directory: Path, *, now: datetime | None = None, server_host: str | None = None
) -> Certificates:
    """Writes an authority, a server and a client certificate into `directory`, valid until `now` + 1 day.

    The server is `localhost` and 127.0.0.1, or else `server_host` alone.
    """
    now = now or datetime.now(UTC)
    authority = _make_authority(now - timedelta(hours=1), now + timedelta(days=1))
    directory.mkdir(parents=True, exist_ok=True)
    server_names: list[x509.GeneralName] = [x509.DNSName(server_host or "localhost")]
    if server_host is None:
        server_names.append(x509.IPAddress(IPv4Address("127.0.0.1")))
    server = _issue(authority, "localhost", server_names, ExtendedKeyUsageOID.SERVER_AUTH)
    client = _issue(authority, "test client", [x509.DNSName("client.test")], ExtendedKeyUsageOID.CLIENT_AUTH)
    return Certificates(
        ca=_write(directory / "ca.pem", _pem(authority.certificate)),
        server_certificate=_write(directory / "server.pem", _pem(server[0])),
        server_key=_write(directory / "server.key", _key_pem(server[1])),
        client_certificate=_write(directory / "client.pem", _pem(client[0])),
        client_key=_write(directory / "client.key", _key_pem(client[1])),
    )


def _make_authority(not_before: datetime, not_after: datetime) -> _Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("fapilog test authority")
    certificate = (
        _builder(name, name, key.public_key(), not_before, not_after)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return _Authority(key, certificate, not_before, not_after)


def _issue(
    authority: _Authority, common_name: str, names: list[x509.GeneralName], usage: x509.ObjectIdentifier
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    # Key usage and authority identifier: OpenSSL's strict mode (default since Python 3.13) asks for both.
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    certificate = (
        _builder(
            _name(common_name),
            authority.certificate.subject,
            key.public_key(),
            authority.not_before,
            authority.not_after,
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(issuer_key, critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    return certificate, key


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    not_before: datetime,
    not_after: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path
