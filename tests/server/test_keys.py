"""The lasting keys of a server."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from server import keys
from server.errors import KeysUnreadable


def test_keys_last_and_differ_between_servers(tmp_path: Path) -> None:
    first = keys.load(tmp_path / "a")
    assert keys.load(tmp_path / "a") == first
    assert keys.load(tmp_path / "b") != first
    assert first.publishable.startswith("sb_publishable_")
    assert len(first.jwt_secret) >= 32


def test_a_crash_while_writing_leaves_no_empty_key(tmp_path: Path) -> None:
    (tmp_path / "jwt-secret.new").write_text("half")
    (tmp_path / "publishable-key").write_text("")
    made = keys.load(tmp_path)
    assert len(made.jwt_secret) == 64
    assert made.publishable == keys.load(tmp_path).publishable != ""


def test_keys_do_not_show_in_a_traceback(tmp_path: Path) -> None:
    made = keys.load(tmp_path)
    assert made.jwt_secret.decode() not in repr(made)


def test_a_folder_that_cannot_be_used_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(KeysUnreadable) as caught:
        keys.load(tmp_path / "file")
    assert "\n" not in str(caught.value)


DAY = 24 * 3600


def test_a_replaced_signing_key_counts_for_its_time_and_no_longer(tmp_path: Path) -> None:
    first = keys.load(tmp_path)
    second = keys.rotate(tmp_path, clock=lambda: 0.0)
    third = keys.rotate(tmp_path, clock=lambda: 10.0 * DAY)
    assert len({first.jwt_secret, second.jwt_secret, third.jwt_secret}) == 3
    assert third.older_secrets == (second.jwt_secret, first.jwt_secret)
    assert third.publishable == first.publishable
    assert third.honours(first)
    assert keys.load(tmp_path, clock=lambda: 95.0 * DAY).older_secrets == (second.jwt_secret,)
    assert keys.load(tmp_path, clock=lambda: 101.0 * DAY).older_secrets == ()


def test_keys_that_many_replace_at_once_all_count(tmp_path: Path) -> None:
    first = keys.load(tmp_path)
    with ThreadPoolExecutor(4) as operators:
        drawn = list(operators.map(lambda _: keys.rotate(tmp_path), range(12)))
    last = keys.load(tmp_path)
    assert all(last.honours(each) for each in (first, *drawn))
    assert len(last.older_secrets) == 12


def test_revoking_ends_every_older_key_at_once(tmp_path: Path) -> None:
    keys.load(tmp_path)
    first = keys.rotate(tmp_path, publishable=True)
    last = keys.rotate(tmp_path, revoke=True)
    assert (last.older_secrets, last.older_publishables) == ((), ())
    assert last.publishable == first.publishable
    assert last.jwt_secret != first.jwt_secret
    assert not last.honours(first)


def test_a_replaced_publishable_key_opens_until_it_is_revoked(tmp_path: Path) -> None:
    first = keys.load(tmp_path)
    second = keys.rotate(tmp_path, publishable=True)
    assert second.older_publishables == (first.publishable,)
    assert keys.rotate(tmp_path, publishable=True, revoke=True).older_publishables == ()


@pytest.mark.parametrize("revoke", [False, True])
@pytest.mark.parametrize("reached", range(4))
def test_a_rotation_that_is_cut_short_leaves_keys_that_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reached: int, revoke: bool
) -> None:
    before = keys.load(tmp_path)
    steps = iter(range(reached, -1, -1))
    replace = Path.replace

    def cut(self: Path, target: Path) -> Path:
        if next(steps, 1) == 0:
            raise OSError(28, "No space left on device")
        return replace(self, target)

    with monkeypatch.context() as full:
        full.setattr(Path, "replace", cut)
        with suppress(KeysUnreadable):
            keys.rotate(tmp_path, publishable=True, revoke=revoke)
    after = keys.load(tmp_path)
    assert after.honours(before) or revoke
    assert before.publishable in (after.publishable, *after.older_publishables) or revoke


def test_a_list_of_older_keys_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    keys.load(tmp_path)
    (tmp_path / "older-keys.json").write_text("[]")
    with pytest.raises(KeysUnreadable, match="check the folder"):
        keys.load(tmp_path)
