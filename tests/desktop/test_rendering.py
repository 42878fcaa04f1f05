"""Message text loads nothing and runs nothing: it comes out as text, or as the closed subset of HTML."""

import re

import pytest
from PySide6.QtGui import QTextDocument
from pytestqt.qtbot import QtBot

from desktop.links import host_of, safe_url
from desktop.rendering import markdown, segments

ALLOWED = {
    "p", "b", "i", "s", "ul", "ol", "li", "blockquote", "code", "pre", "a", "br", "hr", "font", "table", "tr", "th", "td",
}  # fmt: skip

HOSTILE = [
    "<img src=http://127.0.0.1/x>",
    "![x](http://127.0.0.1/x.png)",
    "![x](file:///etc/passwd)",
    "<script>alert(1)</script>",
    "<a href='javascript:alert(1)'>x</a>",
    "[x](javascript:alert(1))",
    "[x](smb://host/share)",
    "[x](//host/share)",
    "[x](file:///etc/passwd)",
    "[x](ms-msdt:/id)",
    "[x](http://user:password@host/)",
    "[x](data:text/html,hello)",
    '[x](http://host/"onclick=alert)',
    "<style>@import url(http://127.0.0.1/)</style>",
    "`<img src=x>`",
    "```\n<img src=x>\n```",
    "    <img src=x>",
    "- <b>x</b>\n  ```\n  <img src=x>\n  ```",
    "<https://user@host/>",
    "|a|b|\n|-|-|\n|<img src=x>|[y](qrc:/x)|",
    "&lt;img src=x&gt; &#60;img src=x&#62;",
    "[x]: file:///etc/passwd\n\n[x]",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_markdown_comes_out_harmless(text: str) -> None:
    for segment in markdown(text):
        if segment["kind"] != "prose":
            continue
        tags = re.findall(r"<\s*/?\s*([a-zA-Z0-9]+)([^>]*)>", segment["text"])
        assert {name.lower() for name, _ in tags} <= ALLOWED
        for name, attributes in tags:
            for href in re.findall(r'href="([^"]*)"', attributes):
                assert name == "a"
                assert safe_url(href.replace("&amp;", "&"))
            assert "src" not in attributes
            assert "style" not in attributes
            assert not re.search(r"\bon\w+\s*=", re.sub(r'"[^"]*"', "", attributes))


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_is_loaded_by_qt(text: str, qtbot: QtBot) -> None:
    asked: list[str] = []

    class Recording(QTextDocument):
        def loadResource(self, kind: int, url: object) -> object:  # noqa: N802 Qt's name
            asked.append(str(url))
            return None

    for segment in markdown(text):
        if segment["kind"] == "prose":
            document = Recording()
            document.setHtml(segment["text"])
            document.setTextWidth(400)
            document.size()
    assert asked == []


@pytest.mark.parametrize(
    ("href", "safe"),
    [
        ("https://example.org/a?b=c", True),
        ("http://127.0.0.1:8787/", True),
        ("mailto:ada@example.org", True),
        ("HTTPS://EXAMPLE.ORG", True),
        ("mailto:", False),
        ("ftp://example.org", False),
        ("javascript:alert(1)", False),
        ("//example.org", False),
        ("/etc/passwd", False),
        ("https://user@example.org", False),
        ("https:///nohost", False),
        ("https://exa mple.org", False),
        ("https://example.org/\x00", False),
        ("https://example.org\\@evil", False),
        ("http://[::1", False),
        ("https://example.org/" + "a" * 3000, False),
    ],
)
def test_only_web_and_mail_addresses_leave_the_window(href: str, safe: bool) -> None:
    assert (safe_url(href) is not None) is safe


def test_the_host_is_what_a_person_sees() -> None:
    assert host_of("https://example.org:443/path") == "example.org"
    assert host_of("mailto:ada@example.org") == "ada@example.org"


def test_parts_become_segments_in_order_and_unknown_ones_a_placeholder() -> None:
    shown = segments(
        [
            {"type": "text", "text": "**a**\n\n```python x\nb = 1\n```\nc"},
            {"type": "reasoning", "text": "hm"},
            {"type": "tool-call", "toolName": "weather", "args": {"city": "Lisbon"}, "result": "rain"},
            {"type": "file", "filename": "plan.pdf"},
            {"type": "status", "code": "interrupted", "text": "Stopped"},
            {"type": "data-chart", "data": {}},
            {"type": 7},
            {},
        ],
        rich=True,
    )
    assert [segment["kind"] for segment in shown] == [
        "prose", "code", "prose", "reasoning", "tool", "file", "status", "unknown", "unknown", "unknown",
    ]  # fmt: skip
    assert shown[0]["text"] == "<p><b>a</b></p>"
    assert (shown[1]["text"], shown[1]["language"]) == ("b = 1", "python")


def test_without_the_parser_text_is_as_typed() -> None:
    assert segments([{"type": "text", "text": "**a**"}], rich=False) == [{"kind": "plain", "text": "**a**"}]


def test_a_huge_text_is_not_parsed() -> None:
    (segment,) = segments([{"type": "text", "text": "*a* " * 100_000}], rich=True)
    assert segment["kind"] == "plain"
