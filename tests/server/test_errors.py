"""The page of errors says exactly what the SQL raises and the server sends."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from server import answers
from server.auth.sessions import Unrefreshable
from tests.fakes.target import documented

ROOT = Path(__file__).parents[2]
PAGE = documented()
SQL = {
    path.name: path.read_text("utf-8") for path in sorted((ROOT / "supabase" / "migrations").glob("*.sql"))
}
SOURCES = {path: ast.parse(path.read_text("utf-8")) for path in sorted((ROOT / "server").rglob("*.py"))}


def sent() -> Iterator[tuple[int, str]]:
    """Each status and code that stand side by side in a call or a tuple of the server."""
    for tree in SOURCES.values():
        for node in ast.walk(tree):
            beside = (
                node.args if isinstance(node, ast.Call) else node.elts if isinstance(node, ast.Tuple) else []
            )
            match [each.value for each in beside[:2] if isinstance(each, ast.Constant)]:
                case [int(status), str(code)] if 400 <= status < 600:
                    yield status, code


def test_every_error_of_the_functions_is_on_the_page_and_has_a_hint() -> None:
    raised = [found for text in SQL.values() for found in re.findall(r"raise exception[^;]+;", text)]
    assert raised
    for statement in raised:
        code = re.search(r"errcode = '(\w+)'", statement)
        assert code, statement
        assert PAGE.get(code[1]) == {int(code[1][2:])}, statement
        assert "hint = " in statement, statement


def test_every_error_of_the_server_is_on_the_page_with_its_status() -> None:
    found = {*sent(), *((400, str(each)) for each in Unrefreshable)}
    assert len(found) > 30
    assert {(status, code) for status, code in found if status not in PAGE.get(code, ())} == set()


def test_every_code_that_the_server_names_is_on_the_page() -> None:
    named = {
        node.value
        for tree in SOURCES.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and re.fullmatch(r"PGRST\d{3}|PT\d{3}", str(node.value))
    }
    assert named <= PAGE.keys()


def test_the_page_names_no_code_that_nobody_sends() -> None:
    sources = "".join(SQL.values()) + "".join(path.read_text("utf-8") for path in SOURCES)
    for code in PAGE:
        if re.fullmatch(r"PGRST\d{3}|PT\d{3}|[a-z_]+", code):
            assert re.search(rf"['\"]{code}['\"]", sources), code


@pytest.mark.parametrize("code", [code for code in PAGE if re.fullmatch(r"[0-9XP][0-9A-Z]{4}", code)])
def test_an_sqlstate_has_the_status_that_the_page_says(code: str) -> None:
    statuses = {answers.status_of(code, anonymous=anonymous) for anonymous in (True, False)}
    assert statuses == PAGE[code]


def test_every_reason_to_close_a_websocket_is_on_the_page() -> None:
    text = (ROOT / "docs" / "errors.md").read_text("utf-8")
    codes = set(re.findall(r"Closing\((\d{4}),", "".join(path.read_text("utf-8") for path in SOURCES)))
    assert codes | {"1009"} == set(re.findall(r"^\| `(\d{4})` \|", text, re.MULTILINE))
