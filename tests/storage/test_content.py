import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.content import MAX_BYTES, MAX_DEPTH, encoded_size, normalise, plain_text
from storage.errors import InvalidMessage

TEXT = st.text(alphabet=st.characters())
"""Lone surrogates and NUL included."""
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
PARTS = st.lists(
    st.dictionaries(TEXT, JSON, max_size=3).map(lambda fields: {"type": "data-x", **fields}),
    min_size=1,
    max_size=3,
)


def nested(depth: int) -> list[dict[str, Any]]:
    """A content array `depth` arrays and objects deep."""
    value: Any = "leaf"
    for _ in range(depth - 2):
        value = [value]
    return [{"type": "data-x", "value": value}]


@given(PARTS)
def test_what_is_accepted_is_json_that_postgresql_takes(parts: list[dict[str, Any]]) -> None:
    accepted = normalise(parts)
    encoded = json.dumps(accepted, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    assert len(encoded) == encoded_size(accepted) <= MAX_BYTES
    assert b"\\u0000" not in encoded


@given(PARTS)
def test_cleaning_twice_is_cleaning_once(parts: list[dict[str, Any]]) -> None:
    accepted = normalise(parts)
    assert normalise(accepted) == accepted


@given(PARTS)
def test_json_without_nul_and_surrogates_goes_through_untouched(parts: list[dict[str, Any]]) -> None:
    encoded = json.dumps(parts)
    if "\\u0000" in encoded or "\\ud" in encoded.lower():
        return
    assert list(normalise(parts)) == parts


@given(TEXT.filter(lambda text: text.replace("\0", "").strip()))
def test_a_string_becomes_one_text_part_that_reads_the_same(text: str) -> None:
    (part,) = normalise(text)
    assert part["type"] == "text"
    assert plain_text((part,)) == part["text"]
    assert "\0" not in part["text"]
    part["text"].encode()


def test_a_surrogate_pair_becomes_its_character_and_a_lone_one_the_replacement() -> None:
    assert normalise("\ud83d\ude00 \ud83d!") == ({"type": "text", "text": "😀 \ufffd!"},)


def test_unknown_parts_and_fields_stay() -> None:
    parts: list[dict[str, Any]] = [
        {"type": "tool-call", "toolCallId": "1", "args": {"n": [1, 2.5, None]}, "new": True},
        {"type": "odd"},
    ]
    assert list(normalise(parts)) == parts


REFUSED: dict[str, Any] = {
    "nothing": "",
    "blanks": " \n\t",
    "only NUL": "\0",
    "no parts": [],
    "a part without fields": [{}],
    "a blank text part": [{"type": "text", "text": " "}],
    "a text part without text": [{"type": "text"}],
    "a part that is no object": ["text"],
    "NaN": [{"type": "data", "x": float("nan")}],
    "infinity": [{"type": "data", "x": float("-inf")}],
    "bytes": [{"type": "data", "x": b"bytes"}],
    "a key that is no text": [{"type": "data", "x": {1: "key"}}],
    "a number longer than Python prints": [{"type": "data", "x": 10**5000}],
    "too many characters": "x" * (MAX_BYTES + 1),
    "too many bytes": "ä" * (MAX_BYTES // 2),
    "too deep": nested(MAX_DEPTH + 1),
}


@pytest.mark.parametrize("content", REFUSED.values(), ids=REFUSED.keys())
def test_what_no_database_holds_is_refused(content: Any) -> None:
    with pytest.raises(InvalidMessage, match=": "):
        normalise(content)


def test_the_deepest_and_the_largest_that_are_allowed_are_accepted() -> None:
    assert normalise(nested(MAX_DEPTH))
    frame = encoded_size(({"type": "text", "text": ""},))
    assert encoded_size(normalise("x" * (MAX_BYTES - frame))) == MAX_BYTES


def test_a_part_that_holds_itself_is_refused() -> None:
    part: dict[str, Any] = {"type": "data"}
    part["self"] = part
    with pytest.raises(InvalidMessage):
        normalise([part])


def test_plain_text_leaves_out_what_is_not_said() -> None:
    parts = [
        {"type": "reasoning", "text": "hm"},
        {"type": "text", "text": "a"},
        {"type": "text", "text": "b"},
    ]
    assert plain_text(parts) == "a\nb"
