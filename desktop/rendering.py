"""Message parts as segments that are safe to show: nothing in them can load or run anything.

A segment is a plain dict that a QML delegate takes as it is: `kind` and what that kind needs. Markdown becomes a
small, closed subset of HTML that Qt's rich text shows; raw HTML stays text, images become their caption, and a
link survives only when `links.safe_url` accepts it.
"""

import html
import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from desktop.links import safe_url
from storage.records import Part

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

Segment: TypeAlias = dict[str, Any]

PROSE_LIMIT: Final = 20_000
"""Characters of one part that are rendered as Markdown; Qt's rich text would take too long on more."""

_HEADING_SIZE: Final = {"h1": 4, "h2": 4}


def segments(parts: Sequence[Part], *, rich: bool) -> list[Segment]:
    """What a delegate shows for a message. Without `rich` Markdown stays as typed: the parser is not loaded for it."""
    shown: list[Segment] = []
    for part in parts:
        shown.extend(_RENDERERS.get(str(part.get("type")), _unknown)(part, rich))
    return shown


def _text(part: Part, rich: bool) -> list[Segment]:
    text = str(part.get("text", ""))
    if not text.strip():
        return []
    return markdown(text) if rich and len(text) <= PROSE_LIMIT else [plain(text)]


def _reasoning(part: Part, rich: bool) -> list[Segment]:
    text = str(part.get("text", "")).strip()
    return [{"kind": "reasoning", "text": text}] if text else []


def _tool_call(part: Part, rich: bool) -> list[Segment]:
    return [
        {
            "kind": "tool",
            "name": str(part.get("toolName", "")),
            "arguments": _compact(part.get("args")),
            "result": _compact(part.get("result")),
            "state": str(part.get("state") or ("done" if "result" in part else "")),
        }
    ]


def _file(part: Part, rich: bool) -> list[Segment]:
    return [
        {"kind": "file", "text": str(part.get("filename") or part.get("name") or part.get("mediaType") or "")}
    ]


def _status(part: Part, rich: bool) -> list[Segment]:
    return [{"kind": "status", "code": str(part.get("code", "")), "text": str(part.get("text", ""))}]


def _unknown(part: Part, rich: bool) -> list[Segment]:
    return [{"kind": "unknown", "text": str(part.get("type", ""))}]


_RENDERERS: Final[dict[str, Callable[[Part, bool], list[Segment]]]] = {
    "text": _text,
    "reasoning": _reasoning,
    "tool-call": _tool_call,
    "file": _file,
    "status": _status,
}


def _compact(value: object, limit: int = 400) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= limit else text[:limit] + "…"


def plain(text: str) -> Segment:
    """Text exactly as written."""
    return {"kind": "plain", "text": text}


def markdown(text: str) -> list[Segment]:
    """Prose and code, in order. Code stands alone at the top level so that it can be copied and scrolled."""
    shown: list[Segment] = []
    prose: list[Token] = []

    def flush() -> None:
        if prose:
            shown.append({"kind": "prose", "text": _Writer().write(prose)})
            prose.clear()

    for token in _parser().parse(text):
        if token.level == 0 and token.type in {"fence", "code_block"}:
            flush()
            shown.append(
                {
                    "kind": "code",
                    "text": token.content.rstrip("\n"),
                    "language": token.info.split(" ")[0][:24],
                }
            )
        else:
            prose.append(token)
    flush()
    return shown


_cached: "list[MarkdownIt]" = []


def _parser() -> "MarkdownIt":
    """Built on first use: importing it costs more than a frame."""
    if not _cached:
        from markdown_it import MarkdownIt

        _cached.append(
            MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).disable("image")
        )
    return _cached[0]


def warm() -> None:
    """Loads the parser; for a thread that has time."""
    _parser()


class _Writer:
    """Writes tokens as the subset of HTML that is allowed here; what it does not know it leaves out."""

    _TAGS: Final = {
        "paragraph": "p", "bullet_list": "ul", "ordered_list": "ol", "list_item": "li", "blockquote": "blockquote",
        "strong": "b", "em": "i", "s": "s", "table": "table", "thead": "", "tbody": "", "tr": "tr", "th": "th", "td": "td",
    }  # fmt: skip

    def __init__(self) -> None:
        self._out: list[str] = []
        self._links: list[bool] = []

    def write(self, tokens: "Sequence[Token]") -> str:
        for token in tokens:
            self._block(token)
        return "".join(self._out)

    def _block(self, token: "Token") -> None:
        if token.type == "inline":
            for child in token.children or ():
                self._inline(child)
        elif token.type in {"fence", "code_block"}:
            self._out.append(f"<pre>{html.escape(token.content)}</pre>")
        elif token.type == "hr":
            self._out.append("<hr/>")
        elif token.type.startswith("heading"):
            self._heading(token)
        else:
            self._tag(token)

    def _heading(self, token: "Token") -> None:
        size = _HEADING_SIZE.get(token.tag, 3)
        self._out.append(f'<p><font size="{size}"><b>' if token.nesting > 0 else "</b></font></p>")

    def _inline(self, token: "Token") -> None:
        match token.type:
            case "text":
                self._out.append(html.escape(token.content))
            case "code_inline":
                self._out.append(f"<code>{html.escape(token.content)}</code>")
            case "softbreak":
                self._out.append(" ")
            case "hardbreak":
                self._out.append("<br/>")
            case "link_open":
                self._open_link(str(token.attrGet("href") or ""))
            case "link_close":
                self._out.append("</a>" if self._links.pop() else "")
            case _:
                self._tag(token)

    def _open_link(self, href: str) -> None:
        url = safe_url(href)
        self._links.append(url is not None)
        if url is not None:
            self._out.append(f'<a href="{html.escape(url, quote=True)}">')

    def _tag(self, token: "Token") -> None:
        name = token.type.removesuffix("_open").removesuffix("_close")
        tag = self._TAGS.get(name, "")
        if not tag or token.hidden:
            return
        start = token.attrGet("start") if tag == "ol" and token.nesting > 0 else None
        attributes = f' start="{int(start)}"' if start is not None else ""
        attributes += ' cellpadding="6"' if tag == "table" else ""
        self._out.append(f"<{tag}{attributes}>" if token.nesting > 0 else f"</{tag}>")
