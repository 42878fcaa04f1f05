import pytest

from storage.checksums import checksum, fits

ROW = ("message", "user", '[{"type":"text","text":"Grüße"}]', '{"a":1}')


def test_the_sum_is_the_same_in_every_release() -> None:
    assert checksum(*ROW) == 2_696_143_953


def test_a_row_fits_its_own_sum_and_a_row_without_one_passes() -> None:
    assert fits(checksum(*ROW), *ROW)
    assert fits(None, *ROW)


@pytest.mark.parametrize(
    "row",
    [
        ("massage", *ROW[1:]),
        (ROW[0], "system", *ROW[2:]),
        (*ROW[:2], ROW[2].replace("ü", "ý"), ROW[3]),
        (*ROW[:3], '{"a":3}'),
        (*ROW[:3], None),
        (*ROW[:2], b"[]", ROW[3]),
        (*ROW[:2], None, ROW[3]),
        (7, *ROW[1:]),
    ],
)
def test_a_changed_row_does_not_fit(row: tuple[object, ...]) -> None:
    assert not fits(checksum(*ROW), *row)


def test_a_row_of_another_type_never_passes() -> None:
    assert not fits(None, "message", "user", b"[]", None)
