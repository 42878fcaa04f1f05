"""Calls of SQL functions over HTTP, with the official client and with plain requests."""

import asyncio
import json

import httpx
import pytest
from postgrest.exceptions import APIError

from tests.fakes.served import PASSWORD, Person, Served, official_client


def post(served: Served, name: str, body: bytes | str = b"{}", **headers: str) -> httpx.Response:
    return httpx.post(
        f"{served.url}/rest/v1/rpc/{name}",
        headers={**served.headers(), "Content-Type": "application/json", **headers},
        content=body,
    )


@pytest.mark.parametrize(
    ("name", "arguments", "answer"),
    [
        ("test_add", {"p_left": 1, "p_right": 2}, 3),
        ("test_add", {"p_left": 1}, 43),
        ("test_add", {"p_left": 1, "p_right": None}, None),
        ("test_rows", {"p_count": 2}, [{"number": 1, "the Name": "no 1"}, {"number": 2, "the Name": "no 2"}]),
        ("test_rows", {"p_count": 0}, []),
        ("test_values", {"p_count": 3}, [1, 2, 3]),
        ("test_values", {"p_count": 0}, []),
        (
            "test_json",
            {"p_given": {"ä": [1, 2.50, None, "\u2028\U0001f3e0"]}},
            {"ä": [1, 2.5, None, "\u2028\U0001f3e0"]},
        ),
        ("test_json", {}, None),
        ("test_upper", {"P Quoted": "it's $1 %s"}, "IT'S $1 %S"),
    ],
)
def test_a_function_answers_in_the_form_that_its_type_calls_for(
    anna: Person, name: str, arguments: dict[str, object], answer: object
) -> None:
    response = anna.rpc(name, **arguments)
    assert (response.status_code, response.json()) == (200, answer)


def test_a_function_that_returns_nothing_answers_204(anna: Person) -> None:
    response = anna.rpc("test_nothing")
    assert (response.status_code, response.content) == (204, b"")


def test_more_than_a_thousand_rows_are_cut_as_on_hosted_projects(anna: Person) -> None:
    assert len(anna.rpc("test_rows", p_count=1001).json()) == 1000


def test_a_call_runs_as_the_caller_with_the_roles_limits(anna: Person) -> None:
    who = anna.rpc("test_who").json()
    assert who["user"] == anna.user_id
    assert {**who, "user": None, "session": None} == {
        "role": "authenticated",
        "user": None,
        "session": None,
        "timeout": "8s",
        "isolation": "read committed",
    }


def test_the_publishable_key_as_bearer_or_none_at_all_means_anon(served: Served) -> None:
    with_key = post(served, "test_who").json()
    bare = httpx.post(f"{served.url}/rest/v1/rpc/test_who", headers={"apikey": served.key}).json()
    assert with_key == bare
    assert (bare["role"], bare["user"], bare["timeout"]) == ("anon", None, "3s")


def test_nothing_of_a_caller_stays_on_the_connection(served: Served, anna: Person) -> None:
    for _ in range(20):
        assert anna.rpc("test_who").json()["user"] == anna.user_id
        assert post(served, "test_who").json()["user"] is None


@pytest.mark.parametrize(
    ("sqlstate", "status"),
    [("PT404", 404), ("PT413", 413), ("23505", 409), ("42501", 403), ("40001", 500), ("40P01", 500),
     ("P0001", 400), ("22023", 400), ("53300", 503), ("XX000", 500), ("PTXYZ", 400)],
)  # fmt: skip
def test_an_sqlstate_becomes_the_status_that_postgrest_gives(
    anna: Person, sqlstate: str, status: int
) -> None:
    response = anna.rpc("test_raise", p_code=sqlstate, p_message="m")
    assert (response.status_code, response.json()) == (
        status,
        {"code": sqlstate, "message": "m", "details": "d", "hint": "h"},
    )


def test_a_function_without_a_grant_is_401_for_anon_and_403_for_users(served: Served, anna: Person) -> None:
    anonymous, signed_in = post(served, "test_secret"), anna.rpc("test_secret")
    assert (anonymous.status_code, signed_in.status_code) == (401, 403)
    assert signed_in.json()["code"] == "42501"


def test_a_slow_function_is_cancelled(served: Served) -> None:
    response = post(served, "test_slow")
    assert (response.status_code, response.json()["code"]) == (500, "57014")


def test_get_is_read_only_and_post_is_not(served: Served, anna: Person) -> None:
    headers = served.headers(anna.access_token)
    assert httpx.get(f"{served.url}/rest/v1/rpc/test_add?p_left=1&p_right=5", headers=headers).json() == 6
    assert httpx.get(f"{served.url}/rest/v1/rpc/test_write", headers=headers).status_code == 405
    assert anna.rpc("test_write").status_code == 204


@pytest.mark.parametrize(
    ("body", "code", "status"),
    [
        (b"{", "PGRST102", 400),
        (b"<html><body>hello</body></html>", "PGRST102", 400),
        (b"[1]", "PGRST102", 400),
        (b"null", "PGRST102", 400),
        (b'"text"', "PGRST102", 400),
        (b"\xff\xfe", "22021", 400),
        (b'{"p_given": "\\ud800"}', "PGRST102", 400),
        (b'{"p_given": "\\u0000"}', "22P05", 400),
        (b"[" * 1_000_000, "PGRST102", 400),
        (b'{"p_left": 1}', "PGRST202", 404),
        (b'{"P_GIVEN": 1}', "PGRST202", 404),
    ],
)
def test_a_body_that_does_not_fit_is_refused(served: Served, body: bytes, code: str, status: int) -> None:
    response = post(served, "test_json", body)
    assert (response.status_code, response.json()["code"]) == (status, code)


@pytest.mark.parametrize(
    "name", ["nope", "test_twice", "pg_sleep", "TEST_ADD", "test_add;select", "auth.uid", "%22"]
)
def test_only_plain_functions_of_schema_public_are_known(served: Served, name: str) -> None:
    response = post(served, name)
    assert (response.status_code, response.json()["code"]) == (404, "PGRST202")


def test_a_missing_argument_is_told_like_a_missing_function(anna: Person) -> None:
    assert anna.rpc("test_add", p_right=1).json()["code"] == "PGRST202"


def test_a_wrong_type_is_the_callers_mistake(anna: Person) -> None:
    response = anna.rpc("test_add", p_left="many")
    assert (response.status_code, response.json()["code"]) == (400, "22P02")


@pytest.mark.parametrize("value", [[1], {"a": 1}], ids=["a list", "an object"])
def test_a_list_where_one_value_belongs_is_never_written_out(anna: Person, value: object) -> None:
    response = anna.rpc("test_add", p_left=value)
    assert (response.status_code, response.json()["code"]) == (400, "22P02")
    assert "one value" in response.json()["message"]


def test_a_function_made_later_is_found(served: Served, anna: Person) -> None:
    with served.database() as db:
        db.execute("create function public.test_later() returns integer language sql as 'select 7'")
    answers = iter(lambda: anna.rpc("test_later"), None)
    assert next(answer.json() for answer in answers if answer.status_code == 200) == 7


def test_a_body_over_the_limit_is_413(served: Served) -> None:
    response = post(served, "test_json", b'{"p_given": "' + b"x" * (9 * 1024 * 1024) + b'"}')
    assert (response.status_code, response.json()["code"]) == (413, "PT413")


def test_a_body_of_seven_megabytes_goes_through(anna: Person) -> None:
    text = "x" * (7 * 1024 * 1024)
    assert anna.rpc("test_json", p_given=text).json() == text


@pytest.mark.parametrize("key", [None, "", "sb_publishable_wrong", "ü"])
def test_without_the_publishable_key_nobody_gets_in(served: Served, anna: Person, key: str | None) -> None:
    headers = {b"Authorization": f"Bearer {anna.access_token}".encode()}
    if key is not None:
        headers[b"apikey"] = key.encode("utf-8")
    response = httpx.post(f"{served.url}/rest/v1/rpc/test_who", headers=headers, content=b"{}")
    assert (response.status_code, response.json()["message"]) == (401, "Invalid API key")


def test_another_schema_is_not_served(served: Served) -> None:
    response = post(served, "test_who", **{"Content-Profile": "auth"})
    assert (response.status_code, response.json()["code"]) == (406, "PGRST106")


def test_the_official_client_calls_and_reads_errors(served: Served, anna: Person) -> None:
    async def story() -> None:
        async with official_client(served) as client:
            await client.auth.sign_in_with_password({"email": anna.email, "password": PASSWORD})
            assert (await client.rpc("test_rows", {"p_count": 1}).execute()).data == [
                {"number": 1, "the Name": "no 1"}
            ]
            assert (await client.rpc("test_add", {"p_left": 1}).execute()).data == 43
            with pytest.raises(APIError) as caught:
                await client.rpc("test_raise", {"p_code": "PT410", "p_message": "gone"}).execute()
            assert (caught.value.code, caught.value.message, caught.value.hint) == ("PT410", "gone", "h")

    asyncio.run(story())


def test_many_calls_at_once_each_get_their_own_answer(served: Served) -> None:
    people = [served.sign_up() for _ in range(4)]

    async def story() -> None:
        async with httpx.AsyncClient(timeout=30) as http:

            async def ask(person: Person) -> bool:
                answer = await http.post(
                    f"{served.url}/rest/v1/rpc/test_who", headers=served.headers(person.access_token), json={}
                )
                return bool(answer.json()["user"] == person.user_id)

            assert all(await asyncio.gather(*(ask(person) for person in people * 50)))

    asyncio.run(story())


def test_a_lost_database_connection_is_503_once_and_mends_itself(served: Served, anna: Person) -> None:
    with served.database() as db:
        db.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'homing gateway'"
        )
    answers = [anna.rpc("test_who") for _ in range(10)]
    assert {answer.status_code for answer in answers} <= {200, 503}
    assert answers[-1].status_code == 200
    assert all(
        json.loads(answer.content)["code"] == "PGRST001" for answer in answers if answer.status_code == 503
    )
