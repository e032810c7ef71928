"""What the identities are for: gRPC connections between organisations, whose certificates change while they run."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from identities import acquainted, member, pem

from knexa.errors import PeerError
from knexa.service.identity import Authority, Credentials, renew_reachable
from knexa.service.identity.certificates import member_certificate
from knexa.service.identity.keys import load_key
from knexa.service.identity.trust import utc_now


@contextmanager
def serving(credentials: Credentials) -> Iterator[str]:
    """Tells every caller who it is, by its certificate; or why it is refused."""

    def who(_: bytes, context: grpc.ServicerContext) -> bytes:
        try:
            return credentials.trust.verify(context.auth_context()["x509_pem_cert"][0], utc_now()).uri.encode()
        except PeerError as error:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, str(error))
            raise

    def configuration() -> grpc.ServerCertificateConfiguration:
        return grpc.ssl_server_certificate_configuration([credentials.current()], credentials.trust.roots_pem())

    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("test", {"who": grpc.unary_unary_rpc_method_handler(who)})])
    port = server.add_secure_port("127.0.0.1:0", grpc.dynamic_ssl_server_credentials(configuration(), configuration, True))
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


def call(address: str, mine: Credentials, server: Credentials) -> str:
    key, chain = mine.current()
    channel = grpc.secure_channel(
        address,
        grpc.ssl_channel_credentials(mine.trust.roots_pem(), key, chain),
        [("grpc.ssl_target_name_override", server.identity.dns)],
    )
    with channel:
        answer: bytes = channel.unary_unary("/test/who")(b"", timeout=10)
        return answer.decode()


@pytest.fixture
def authorities(tmp_path: Path) -> list[Authority]:
    found = [Authority.create(tmp_path / f"{name}-ca", name, utc_now() - timedelta(days=2)) for name in ("operator", "hospital-a")]
    acquainted(*found, now=utc_now())
    return found


def test_organisations_meet_renew_and_revoke_while_the_server_runs(authorities: list[Authority], tmp_path: Path) -> None:
    """A call is answered by URI; after a renewal by the new certificate, without a restart; after a revocation it is refused."""
    operator, hospital = authorities
    half = utc_now() - timedelta(hours=12)
    cpm, agent = member(operator, tmp_path / "cpm", "cpm", half), member(hospital, tmp_path / "clinic-1", "clinic-1", half)
    with serving(cpm) as address:
        assert call(address, agent, cpm) == "knexa://hospital-a/clinic-1"
        before = cpm.certificate
        for authority in authorities:
            assert [one.outcome for one in renew_reachable(authority, utc_now())] == ["renewed"]
        host, _, port = address.partition(":")
        shown = _shown(host, int(port), agent, cpm)
        assert shown == cpm.certificate != before
        assert call(address, agent, cpm) == "knexa://hospital-a/clinic-1"
        hospital.revoke("clinic-1", utc_now())
        newest = hospital.trust.list_pem("hospital-a")
        assert newest is not None
        cpm.trust.admit_list(newest)
        with pytest.raises(grpc.RpcError, match="knexa://hospital-a/clinic-1 was revoked"):
            call(address, agent, cpm)


def _shown(host: str, port: int, mine: Credentials, server: Credentials) -> x509.Certificate:
    """What the server's port presents now."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=mine.trust.roots_pem().decode())
    context.load_cert_chain(mine.folder / "identity.pem", mine.folder / "identity.key")
    context.set_alpn_protocols(["h2"])
    with (
        socket.create_connection((host, port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=server.identity.dns) as line,
    ):
        der = line.getpeercert(binary_form=True)
    assert der is not None
    return x509.load_der_x509_certificate(der)


def test_a_trusted_root_that_vouches_for_a_foreign_name_gets_through_tls_and_no_further(
    authorities: list[Authority], tmp_path: Path
) -> None:
    """To TLS all roots are equal; the check of the URI's organisation is what stops it."""
    operator, hospital = authorities
    cpm = member(operator, tmp_path / "cpm", "cpm", utc_now())
    impostor = Authority.create(tmp_path / "impostor", "operator", utc_now())
    forged = member(impostor, tmp_path / "forged", "clinic-1", utc_now())
    # hospital-a's operator puts the root key of hospital-a behind the name of another organisation.
    forged_pem = pem(_signed_by(hospital, forged))
    (tmp_path / "forged" / "identity.pem").write_bytes(forged_pem)
    forged.trust.mirror(*_trusting(operator))
    with serving(cpm) as address, pytest.raises(grpc.RpcError, match="knexa://operator/clinic-1 is not signed by the root"):
        call(address, forged, cpm)


def _signed_by(authority: Authority, credentials: Credentials) -> x509.Certificate:
    key = load_key(authority.folder / "root.key")
    return member_certificate(credentials.key.public_key(), credentials.identity, timedelta(hours=1), utc_now(), authority.root, key)


def _trusting(authority: Authority) -> tuple[dict[str, str], dict[str, str]]:
    grant = authority.grant(None)
    return dict(grant.roots), dict(grant.lists)


def test_wrong_ca_expired_and_no_certificate_do_not_get_through_tls(authorities: list[Authority], tmp_path: Path) -> None:
    """None of them reaches the service."""
    operator, hospital = authorities
    cpm = member(operator, tmp_path / "cpm", "cpm", utc_now())
    good = member(hospital, tmp_path / "good", "clinic-1", utc_now())
    expired = member(hospital, tmp_path / "expired", "clinic-2", utc_now() - timedelta(hours=25))
    stranger = Authority.create(tmp_path / "stranger", "hospital-a", utc_now())
    foreign = member(stranger, tmp_path / "foreign", "clinic-1", utc_now())
    foreign.trust.mirror(*_trusting(operator))
    with serving(cpm) as address:
        assert call(address, good, cpm) == "knexa://hospital-a/clinic-1"
        for credentials in (expired, foreign):
            with pytest.raises(grpc.RpcError) as refused:
                call(address, credentials, cpm)
            assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        with grpc.secure_channel(
            address, grpc.ssl_channel_credentials(good.trust.roots_pem()), [("grpc.ssl_target_name_override", cpm.identity.dns)]
        ) as channel:
            with pytest.raises(grpc.RpcError) as refused:
                channel.unary_unary("/test/who")(b"", timeout=10)
            assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
