"""https by certificate files: what is refused, what is served, and a renewal without a restart."""

import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from websockets.sync.client import connect

from server.certificates import Certificates
from server.errors import UnusableCertificate
from tests.fakes.certificate_files import Authority
from tests.fakes.folders import open_folder
from tests.fakes.served import serving
from tests.fakes.waiting import wait_for


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def _encrypt(key: Path) -> None:
    loaded = serialization.load_pem_private_key(key.read_bytes(), None)
    locked = serialization.BestAvailableEncryption(b"secret")
    key.write_bytes(
        loaded.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked)
    )


BAD_PAIRS: dict[str, tuple[Callable[[Authority], tuple[Path, Path]], str]] = {
    "missing": (lambda a: (a.folder / "none.pem", a.pair()[1]), "cannot be read"),
    "a folder": (lambda a: (a.pair()[0], a.folder), "cannot be read"),
    "mismatched": (lambda a: (a.pair("one")[0], a.pair("two")[1]), "is not the key of"),
    "swapped": (lambda a: a.pair()[::-1], "holds no certificate"),
    "no key": (lambda a: (a.pair()[0], a.pair()[0]), "holds no private key"),
    "expired": (lambda a: a.pair(begins=-9, days=-1), "expired on"),
    "of the future": (lambda a: a.pair(begins=2, days=9), "is valid from"),
}


@pytest.mark.parametrize("bad", BAD_PAIRS)
def test_a_pair_that_cannot_serve_is_told_in_one_line(authority: Authority, bad: str) -> None:
    make, reason = BAD_PAIRS[bad]
    with pytest.raises(UnusableCertificate, match=reason) as refused:
        Certificates(*make(authority))
    assert "\n" not in str(refused.value)
    assert str(refused.value).endswith(".")


def test_an_encrypted_key_asks_nobody(authority: Authority) -> None:
    cert, key = authority.pair()
    _encrypt(key)
    with pytest.raises(UnusableCertificate, match="encrypted"):
        Certificates(cert, key)


def _common_name(url: str, trust: ssl.SSLContext, *, server_name: str | None = "localhost") -> str:
    address = ("127.0.0.1", int(url.rpartition(":")[2]))
    trust.check_hostname = server_name is not None
    with (
        socket.create_connection(address) as plain,
        trust.wrap_socket(plain, server_hostname=server_name) as tls,
    ):
        der = tls.getpeercert(binary_form=True)
    assert der is not None
    return x509.load_der_x509_certificate(der).subject.rfc4514_string()


def test_a_renewal_that_takes_a_file_away_meanwhile_ends_no_server(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object, **__: object) -> None:
        raise FileNotFoundError(2, "No such file or directory")

    certificates = Certificates(*authority.pair())
    authority.pair(days=9)
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(ssl.SSLContext, "load_cert_chain", gone)
        certificates.refresh()
    certificates.refresh()


def test_it_serves_https_and_wss_and_the_same_checks_hold(authority: Authority) -> None:
    cert, key = authority.pair()
    trust = ssl.create_default_context(cafile=str(authority.file))
    with open_folder() as folder, serving(folder, tls_cert=cert, tls_key=key) as served:
        assert served.url.startswith("https://127.0.0.1:")
        with httpx.Client(verify=trust) as client:
            assert client.get(f"{served.url}/health").json() == {"status": "ok"}
            for headers in ({"Host": "evil.test"}, {"Origin": "https://evil.test"}):
                assert client.get(f"{served.url}/health", headers=headers).status_code in (403, 421)
            own = {"Origin": served.url}
            assert client.get(f"{served.url}/health", headers=own).status_code == 200
        socket_url = f"{served.url.replace('https', 'wss')}/realtime/v1/websocket?apikey={served.key}"
        with connect(socket_url, ssl=trust, proxy=None) as websocket:
            websocket.send('{"topic": "phoenix", "event": "heartbeat", "payload": {}, "ref": "1"}')
            assert '"ok"' in str(websocket.recv(5))
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(f"{served.url.replace('https', 'http')}/health")
        assert served.stop() == 0
        assert served.stderr == ""


@pytest.mark.parametrize("server_name", ["localhost", None])
def test_a_renewed_pair_is_served_without_a_restart(authority: Authority, server_name: str | None) -> None:
    cert, key = authority.pair("first")
    trust = ssl.create_default_context(cafile=str(authority.file))
    with open_folder() as folder, serving(folder, tls_cert=cert, tls_key=key) as served:
        assert _common_name(served.url, trust, server_name=server_name) == "CN=first"
        newer_cert, newer_key = authority.pair("second")
        newer_cert.replace(cert)
        wait_for(lambda: "The earlier certificate stays" in served.stderr)
        assert _common_name(served.url, trust, server_name=server_name) == "CN=first"
        newer_key.replace(key)
        wait_for(lambda: _common_name(served.url, trust, server_name=server_name) == "CN=second")
        key.unlink()
        wait_for(lambda: served.stderr.count("The earlier certificate stays") == 2)
        assert _common_name(served.url, trust, server_name=server_name) == "CN=second"
        assert all(line.startswith("homing: ") for line in served.stderr.splitlines())
