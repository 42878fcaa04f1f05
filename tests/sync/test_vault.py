"""The wrapping key: chosen place, made once, never shared, and clear words where no keyring works."""

import base64
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keyring
import keyring.backends.fail
import keyring.backends.null
import pytest
from keyring.backend import KeyringBackend

from sync.errors import NoKeyring, Refused
from sync.login.vault import SERVICE, SessionStoreKind, chosen_kind, kind_in_force, wrapping_key


class DictKeyring(KeyringBackend):
    """A keyring that works."""

    priority = 1.0

    def __init__(self) -> None:
        self.held: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.held.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.held[service, username] = password


class BrokenKeyring(DictKeyring):
    """A keyring whose daemon went away, in the words of no known exception."""

    class GoneError(Exception):
        pass

    def get_password(self, service: str, username: str) -> str | None:
        raise self.GoneError(service, username)


@pytest.fixture
def works(monkeypatch: pytest.MonkeyPatch) -> DictKeyring:
    backend = DictKeyring()
    use(monkeypatch, backend)
    return backend


def use(monkeypatch: pytest.MonkeyPatch, backend: KeyringBackend) -> None:
    monkeypatch.setattr(keyring.core, "_keyring_backend", backend)


BROKEN = [keyring.backends.fail.Keyring, keyring.backends.null.Keyring, BrokenKeyring]


@pytest.mark.parametrize(
    ("environ", "kind"),
    [
        ({}, SessionStoreKind.KEYRING),
        ({"HOMING_SESSION_STORE": ""}, SessionStoreKind.KEYRING),
        ({"HOMING_SESSION_STORE": "keyring"}, SessionStoreKind.KEYRING),
        ({"HOMING_SESSION_STORE": " File "}, SessionStoreKind.FILE),
        ({"HOMING_SESSION_STORE": "memory"}, SessionStoreKind.MEMORY),
    ],
)
def test_the_variable_names_the_place(environ: dict[str, str], kind: SessionStoreKind) -> None:
    assert chosen_kind(environ) is kind


def test_an_unknown_place_is_refused_with_the_choices() -> None:
    with pytest.raises(Refused, match="keyring, file, memory"):
        chosen_kind({"HOMING_SESSION_STORE": "cloud"})


def test_the_keyring_holds_one_key_per_profile_and_nothing_else(tmp_path: Path, works: DictKeyring) -> None:
    first = wrapping_key(tmp_path / "a", SessionStoreKind.KEYRING)
    again = wrapping_key(tmp_path / "a", SessionStoreKind.KEYRING)
    other = wrapping_key(tmp_path / "b", SessionStoreKind.KEYRING)
    assert first == again != other
    assert [service for service, _ in works.held] == [SERVICE, SERVICE]
    assert base64.b64decode(next(iter(works.held.values()))) == first
    assert not list((tmp_path / "a").glob("*.key"))


@pytest.mark.parametrize("backend", BROKEN)
def test_without_a_working_keyring_the_error_names_the_choices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: type[KeyringBackend]
) -> None:
    use(monkeypatch, backend())
    with pytest.raises(NoKeyring) as caught:
        wrapping_key(tmp_path, SessionStoreKind.KEYRING)
    for word in ("HOMING_SESSION_STORE", "file", "memory"):
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("backend", BROKEN)
def test_the_window_falls_back_to_memory_where_no_keyring_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: type[KeyringBackend]
) -> None:
    use(monkeypatch, backend())
    assert kind_in_force(tmp_path, SessionStoreKind.KEYRING) is SessionStoreKind.MEMORY
    assert kind_in_force(tmp_path, SessionStoreKind.FILE) is SessionStoreKind.FILE


def test_a_working_keyring_stays_in_force(tmp_path: Path, works: DictKeyring) -> None:
    assert kind_in_force(tmp_path, SessionStoreKind.KEYRING) is SessionStoreKind.KEYRING


def test_a_garbled_entry_in_the_keyring_is_an_error_and_is_not_overwritten(
    tmp_path: Path, works: DictKeyring
) -> None:
    wrapping_key(tmp_path, SessionStoreKind.KEYRING)
    (entry,) = works.held
    works.held[entry] = "garbled"
    with pytest.raises(NoKeyring):
        wrapping_key(tmp_path, SessionStoreKind.KEYRING)
    assert works.held[entry] == "garbled"


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_the_key_file_is_the_users_alone_and_is_made_so_again(tmp_path: Path) -> None:
    profile = tmp_path / "profile"
    first = wrapping_key(profile, SessionStoreKind.FILE)
    path = profile / "session.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    assert wrapping_key(profile, SessionStoreKind.FILE) == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_damaged_key_file_is_told_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "session.key").write_bytes(b"short")
    with pytest.raises(NoKeyring, match=r"session\.key"):
        wrapping_key(tmp_path, SessionStoreKind.FILE)
    assert (tmp_path / "session.key").read_bytes() == b"short"


def test_a_profile_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NoKeyring, match="writable"):
        wrapping_key(tmp_path / "file" / "profile", SessionStoreKind.FILE)


def test_many_at_once_agree_on_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: wrapping_key(tmp_path, SessionStoreKind.FILE), range(32)))
    assert len(keys) == 1


def test_memory_leaves_nothing_on_the_disk(tmp_path: Path) -> None:
    assert len(wrapping_key(tmp_path, SessionStoreKind.MEMORY)) == 32
    assert list(tmp_path.iterdir()) == []
