"""Query strings as the official clients write them, and those that nobody should."""

import itertools
import time
from contextlib import suppress

import pytest

from server.rest.queries import BadQuery, Filter, Order, Query, parse


def test_everything_that_is_offered_is_read() -> None:
    asked = parse(
        [
            ("select", 'id:chat_id, title,"the Name"'),
            ("chat_id", "in.(a,b)"),
            ('"the.Name"', "not.eq.x.y"),
            ("pinned", "is.TRUE"),
            ("title", "like.a*b"),
            ("order", 'title.desc.nullslast,"the Name",chat_id.asc'),
            ("limit", "5"),
            ("offset", "10"),
        ],
        "3-4",
    )
    assert asked == Query(
        (("id", "chat_id"), ("title", "title"), ("the Name", "the Name")),
        (
            Filter("chat_id", "in", ["a", "b"]),
            Filter("the.Name", "eq", "x.y", negated=True),
            Filter("pinned", "is", "true"),
            Filter("title", "like", "a%b"),
        ),
        (Order("title", "desc", "nulls last"), Order("the Name"), Order("chat_id", "asc")),
        5,
        10,
    )
    assert asked.columns == [
        "chat_id", "title", "the Name", "chat_id", "the.Name", "pinned", "title", "title", "the Name", "chat_id",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("()", []),
        ("(a)", ["a"]),
        ("(a,,b,)", ["a", "", "b", ""]),
        ('("a,b",c)', ["a,b", "c"]),
        (r'("a\"b\\c","(d)")', ['a"b\\c', "(d)"]),
        ('("")', [""]),
        ('(a"b,"c"d)', ['a"b', '"c"d']),
        ('("a\nb",ü *%)', ["a\nb", "ü *%"]),
        ("(null, x)", ["null", " x"]),
    ],
)
def test_a_list_is_split_where_it_is_not_quoted(text: str, values: list[str]) -> None:
    assert parse([("c", f"in.{text}")]).filters == (Filter("c", "in", values),)


@pytest.mark.parametrize(
    ("span", "limit", "offset"), [("0-9", 10, 0), ("5-", None, 5), ("5-4", 0, 5), (None, None, 0)]
)
def test_the_header_range_counts_when_no_parameter_does(
    span: str | None, limit: int | None, offset: int
) -> None:
    assert parse([], span) == Query(limit=limit, offset=offset)


@pytest.mark.parametrize("select", ["", "*"])
def test_no_names_mean_all_columns(select: str) -> None:
    assert parse([("select", select)]) == Query()


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("select", "title,messages(*)", "PGRST127"), ("select", "count()", "PGRST127"), ("select", "*,x:title", "PGRST127"),
        ("select", "title::text", "PGRST127"), ("select", "content->0->>text", "PGRST127"), ("select", "...messages(*)", "PGRST127"),
        ("select", '"a', "PGRST100"), ("select", "a,,b", "PGRST100"), ("select", 'a"b"', "PGRST127"),
        ("or", "(a.eq.1,b.eq.2)", "PGRST127"), ("not.and", "(a.eq.1)", "PGRST127"), ("messages.role", "eq.user", "PGRST127"),
        ("content->0", "eq.1", "PGRST127"), ('"a', "eq.1", "PGRST127"), ("a", "match.^a", "PGRST127"), ("a", "fts(german).x", "PGRST127"),
        ("a", "eq(any).{1,2}", "PGRST127"), ("a", "nonsense", "PGRST100"), ("a", "", "PGRST100"), ("a", "in.1,2", "PGRST100"),
        ("a", "in.(", "PGRST100"), ("a", "is.maybe", "PGRST100"), ("a", "not.not.eq.1", "PGRST127"), ("order", "a.up", "PGRST100"),
        ("order", "a.desc.nulls", "PGRST100"), ("limit", "-1", "PGRST100"), ("limit", "1e3", "PGRST100"),
        ("limit", "9" * 19, "PGRST100"), ("offset", "٣", "PGRST100"), ("a", "eq.\0", "22P05"), ("\0", "eq.1", "22P05"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_or_is_not_offered_is_named(key: str, value: str, code: str) -> None:
    with pytest.raises(BadQuery) as caught:
        parse([(key, value)])
    assert caught.value.code == code
    assert caught.value.message
    assert caught.value.hint


def test_filters_and_ranges_are_bounded() -> None:
    with pytest.raises(BadQuery):
        parse([("a", "eq.1")] * 101)
    for span in ("x", "1", "-5", "0-9,20-29", "9" * 19 + "-"):
        with pytest.raises(BadQuery):
            parse([], span)


@pytest.mark.parametrize(
    ("key", "before", "after"),
    [("select", "", ""), ("order", "", ""), ("title", "in.(", ")"), ("title", "", ""), (None, "", "")],
)
def test_no_query_keeps_the_reader_busy(key: str | None, before: str, after: str) -> None:
    for word in map("".join, itertools.product('"\\,.a', repeat=3)):
        text = f"{before}{word * 5_000}{after}"
        began = time.process_time()
        with suppress(BadQuery):
            parse([(key, text) if key is not None else (text, "eq.1")])
        assert time.process_time() - began < 0.5, word


def test_a_column_is_selected_once() -> None:
    with pytest.raises(BadQuery, match="more than once") as caught:
        parse([("select", "a:content,b:title,c:content")])
    assert caught.value.code == "PGRST127"


def test_what_is_repeated_to_the_asker_is_short() -> None:
    with pytest.raises(BadQuery) as caught:
        parse([("order", "." * 10_000)])
    assert len(caught.value.message) < 100
