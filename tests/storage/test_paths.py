from pathlib import Path

import pytest

from storage.paths import profile_dir, store_path


def test_a_profile_has_its_own_folder() -> None:
    assert store_path(Path("data"), "work 2") == Path("data/profiles/work 2/homing.sqlite3")
    assert profile_dir(Path("data"), "default") == Path("data/profiles/default")


@pytest.mark.parametrize("name", ["", ".", "..", " ", "a/b", "a\\b", "../a", "a\0", "c:", "x" * 65])
def test_a_name_that_leads_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="use letters"):
        profile_dir(Path("data"), name)
