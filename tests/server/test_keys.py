"""The lasting keys of a server."""

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
