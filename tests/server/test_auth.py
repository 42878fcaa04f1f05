"""Sign-up, sign-in, refresh and sign-out, with the official client and against attacks."""

import asyncio
import base64
import json
import uuid
from concurrent.futures import ThreadPoolExecutor

import httpx
import jwt
import pytest
from supabase_auth.errors import AuthApiError, AuthWeakPasswordError

from tests.fakes.served import PASSWORD, Person, Served, official_client


def auth(
    served: Served, method: str, path: str, token: str | None = None, body: object = None
) -> httpx.Response:
    return httpx.request(method, f"{served.url}/auth/v1/{path}", headers=served.headers(token), json=body)


def refresh(served: Served, token: str) -> httpx.Response:
    return auth(served, "POST", "token?grant_type=refresh_token", body={"refresh_token": token})


def renewed(served: Served, token: str) -> str:
    answer = refresh(served, token)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["refresh_token"])


def forget_the_last_ten_seconds(served: Served) -> None:
    with served.database() as db:
        db.execute("update auth.refresh_tokens set replaced_at = replaced_at - interval '11 s'")


def test_the_official_client_signs_up_in_and_out(served: Served) -> None:
    email = f"{uuid.uuid4().hex}@Example.test"

    async def story() -> None:
        async with official_client(served) as client:
            made = await client.auth.sign_up(
                {"email": email, "password": PASSWORD, "options": {"data": {"name": "Ünal"}}}
            )
            assert made.user is not None
            assert made.session is not None
            assert (made.user.email, made.user.user_metadata) == (email.lower(), {"name": "Ünal"})
            assert made.user.identities is not None
            found = await client.auth.get_user()
            assert found is not None
            assert found.user.id == made.user.id
            refreshed = await client.auth.refresh_session()
            assert refreshed.session is not None
            assert refreshed.session.refresh_token != made.session.refresh_token
            claims = await client.auth.get_claims(refreshed.session.access_token)
            assert claims is not None
            assert claims["claims"]["sub"] == made.user.id
            await client.auth.sign_out()
            again = await client.auth.sign_in_with_password({"email": email.upper(), "password": PASSWORD})
            assert again.session is not None
            assert again.session.expires_in == 3600

    asyncio.run(story())


def test_the_official_client_reads_every_refusal(served: Served, anna: Person) -> None:
    async def story() -> None:
        async with official_client(served) as client:
            with pytest.raises(AuthApiError) as caught:
                await client.auth.sign_in_with_password({"email": anna.email, "password": "wrong password"})
            assert (caught.value.status, caught.value.code) == (400, "invalid_credentials")
            with pytest.raises(AuthApiError) as caught:
                await client.auth.sign_up({"email": anna.email.upper(), "password": PASSWORD})
            assert (caught.value.status, caught.value.code) == (422, "user_already_exists")
            with pytest.raises(AuthWeakPasswordError) as weak:
                await client.auth.sign_up({"email": "new@example.test", "password": "1234567"})
            assert weak.value.reasons == ["length"]
            with pytest.raises(AuthApiError) as caught:
                await client.auth.refresh_session("nonsense")
            assert (caught.value.status, caught.value.code) == (400, "refresh_token_not_found")

    asyncio.run(story())


@pytest.mark.parametrize(
    "email",
    ["", "no", "@x.test", "a@", "a@@b.test", "a b@c.test", "a@b..test", "a\n@b.test", "a@b\x00.test", "\ud800@b.test",
     "x" * 250 + "@b.test", None, 5, ["a@b.test"]],
)  # fmt: skip
def test_an_address_that_is_none_is_refused(served: Served, email: object) -> None:
    answer = httpx.post(
        f"{served.url}/auth/v1/signup",
        headers=served.headers(),
        content=json.dumps({"email": email, "password": PASSWORD}),
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_failed")


@pytest.mark.parametrize("password", [None, "", 12345678, "x" * 1025])
def test_a_password_that_is_none_is_refused(served: Served, password: object) -> None:
    answer = auth(served, "POST", "signup", body={"email": "new@example.test", "password": password})
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_failed")


@pytest.mark.parametrize("data", ["text", [1], {"a": "\u0000"}, {"a": "\ud800"}])
def test_metadata_that_cannot_be_kept_is_refused(served: Served, data: object) -> None:
    body = json.dumps({"email": f"{uuid.uuid4().hex}@x.test", "password": PASSWORD, "data": data})
    answer = httpx.post(f"{served.url}/auth/v1/signup", headers=served.headers(), content=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_failed")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "bad_json"),
        (b"<html>", 400, "bad_json"),
        (b"[]", 400, "bad_json"),
        (b"[" * 60_000, 400, "bad_json"),
        (b" " * 70_000, 413, "request_too_large"),
    ],
)
def test_a_body_that_is_no_small_object_is_refused(
    served: Served, body: bytes, status: int, code: str
) -> None:
    answer = httpx.post(f"{served.url}/auth/v1/signup", headers=served.headers(), content=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["X-Supabase-Api-Version"] == "2024-01-01"


def test_unicode_passwords_work_as_typed(served: Served) -> None:
    email, password = f"{uuid.uuid4().hex}@x.test", "пароль🏠日本"
    assert auth(served, "POST", "signup", body={"email": email, "password": password}).status_code == 200
    signed_in = auth(served, "POST", "token?grant_type=password", body={"email": email, "password": password})
    assert signed_in.status_code == 200


def test_two_who_take_one_address_at_once_are_one_user(served: Served) -> None:
    email = f"{uuid.uuid4().hex}@x.test"
    with ThreadPoolExecutor(6) as threads:
        answers = list(
            threads.map(
                lambda _: (
                    auth(served, "POST", "signup", body={"email": email, "password": PASSWORD}).status_code
                ),
                range(6),
            )
        )
    assert sorted(answers) == [200, 422, 422, 422, 422, 422]


def test_guessing_is_slowed_down_even_in_a_burst(served: Served, anna: Person) -> None:
    def guess(number: int) -> int:
        body = {"email": anna.email, "password": f"guess {number}"}
        return auth(served, "POST", "token?grant_type=password", body=body).status_code

    with ThreadPoolExecutor(15) as threads:
        answers = list(threads.map(guess, range(15)))
    assert sorted(answers) == [400] * 10 + [429] * 5
    refused = auth(
        served, "POST", "token?grant_type=password", body={"email": anna.email, "password": PASSWORD}
    )
    assert (refused.status_code, refused.json()["code"]) == (429, "over_request_rate_limit")
    assert 0 < int(refused.headers["Retry-After"]) <= 301


def test_a_refresh_token_is_replaced_by_use(served: Served, anna: Person) -> None:
    second = renewed(served, anna.refresh_token)
    third = renewed(served, second)
    assert len({anna.refresh_token, second, third}) == 3


def test_a_lost_answer_is_told_again_at_any_time(served: Served, anna: Person) -> None:
    second = renewed(served, anna.refresh_token)
    forget_the_last_ten_seconds(served)
    assert renewed(served, anna.refresh_token) == second
    assert renewed(served, second) not in (anna.refresh_token, second)


def test_any_token_replaced_a_moment_ago_gives_the_active_one(served: Served, anna: Person) -> None:
    second = renewed(served, anna.refresh_token)
    third = renewed(served, second)
    assert renewed(served, anna.refresh_token) == third


def test_any_other_reuse_ends_the_session(served: Served, anna: Person) -> None:
    third = renewed(served, renewed(served, anna.refresh_token))
    forget_the_last_ten_seconds(served)
    stolen = refresh(served, anna.refresh_token)
    assert (stolen.status_code, stolen.json()["code"]) == (400, "refresh_token_already_used")
    assert refresh(served, third).json()["code"] == "refresh_token_not_found"
    assert auth(served, "GET", "user", anna.access_token).json()["code"] == "session_not_found"


def test_reuse_in_one_session_leaves_the_persons_others(served: Served, anna: Person) -> None:
    body = {"email": anna.email, "password": PASSWORD}
    other = auth(served, "POST", "token?grant_type=password", body=body).json()["refresh_token"]
    renewed(served, renewed(served, anna.refresh_token))
    forget_the_last_ten_seconds(served)
    assert refresh(served, anna.refresh_token).status_code == 400
    renewed(served, other)


def test_windows_that_refresh_at_once_get_the_same_token(served: Served, anna: Person) -> None:
    with ThreadPoolExecutor(8) as threads:
        tokens = set(threads.map(lambda _: renewed(served, anna.refresh_token), range(8)))
    assert len(tokens) == 1


def test_a_sign_in_replaces_old_sessions_that_no_key_counts_for_any_more(
    served: Served, anna: Person
) -> None:
    def sign_in() -> str:
        body = {"email": anna.email, "password": PASSWORD}
        token = auth(served, "POST", "token?grant_type=password", body=body).json()["refresh_token"]
        return str(uuid.UUID(bytes=base64.urlsafe_b64decode(token)[:16]))

    def kept() -> set[str]:
        with served.database() as db:
            found = db.execute("select id::text from auth.sessions where user_id = %s", (anna.user_id,))
            return {row[0] for row in found.fetchall()}

    first = kept()
    dead, young, idle, renewed_lately = (sign_in() for _ in range(4))
    with served.database() as db:
        long_ago = "update auth.sessions set created_at = now() - interval '91 days' where id = any(%s)"
        db.execute(long_ago, ([dead, idle, renewed_lately],))
        db.execute("update auth.sessions set refreshed_at = now() where id = %s", (renewed_lately,))
        revoked = "update auth.sessions set signed_by = 'another key' where id = any(%s)"
        db.execute(revoked, ([dead, young, renewed_lately],))
    last = sign_in()
    assert kept() == first | {young, idle, renewed_lately, last}


def test_a_token_newer_than_a_restored_database_still_counts(served: Served, anna: Person) -> None:
    third = renewed(served, renewed(served, anna.refresh_token))
    with served.database() as db:
        db.execute("update auth.sessions set refresh_counter = 1 where user_id = %s", (anna.user_id,))
        db.execute("delete from auth.refresh_tokens")
    renewed(served, third)


def test_a_forged_refresh_token_is_not_found(served: Served, anna: Person) -> None:
    raw = bytearray(base64.urlsafe_b64decode(anna.refresh_token))
    raw[23] += 1
    for forged in (
        base64.urlsafe_b64encode(raw).decode(),
        "",
        "a",
        "ü",
        anna.refresh_token[:-4],
        anna.refresh_token * 2,
    ):
        assert refresh(served, forged).json()["code"] == "refresh_token_not_found"
    renewed(served, anna.refresh_token)


def test_a_banned_person_gets_no_session(served: Served, anna: Person) -> None:
    with served.database() as db:
        db.execute(
            "update auth.users set banned_until = now() + interval '1 day' where id = %s", (anna.user_id,)
        )
    body = {"email": anna.email, "password": PASSWORD}
    assert auth(served, "POST", "token?grant_type=password", body=body).json()["code"] == "user_banned"
    assert refresh(served, anna.refresh_token).json()["code"] == "user_banned"


@pytest.mark.parametrize(
    ("scope", "own", "other"),
    [("local", 403, 200), ("others", 200, 403), ("global", 403, 403), (None, 403, 403)],
)
def test_a_sign_out_ends_the_sessions_of_its_scope(
    served: Served, anna: Person, scope: str | None, own: int, other: int
) -> None:
    body = {"email": anna.email, "password": PASSWORD}
    second = auth(served, "POST", "token?grant_type=password", body=body).json()["access_token"]
    stranger = served.sign_up()
    path = f"logout?scope={scope}" if scope else "logout"
    assert auth(served, "POST", path, anna.access_token).status_code == 204
    assert auth(served, "GET", "user", anna.access_token).status_code == own
    assert auth(served, "GET", "user", second).status_code == other
    assert auth(served, "GET", "user", stranger.access_token).status_code == 200


def forgeries(served: Served, person: Person) -> dict[str, str]:
    secret = (served.data_dir / "server" / "jwt-secret").read_text()
    claims = jwt.decode(person.access_token, options={"verify_signature": False})
    _, payload, signature = person.access_token.split(".")

    def signed(key: str = secret, algorithm: str = "HS256", **changes: object) -> str:
        changed = {name: value for name, value in {**claims, **changes}.items() if value is not None}
        return jwt.encode(changed, key, algorithm=algorithm)

    none_header = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
    return {
        "alg none": f"{none_header}.{payload}.",
        "alg none with the signature": f"{none_header}.{payload}.{signature}",
        "another secret": signed("x" * 64),
        "the publishable key as secret": signed(served.key.ljust(64, "x")),
        "another algorithm": signed(algorithm="HS512"),
        "expired": signed(exp=1_000_000_000),
        "not yet valid": signed(nbf=4_000_000_000),
        "no expiry": signed(exp=None),
        "another audience": signed(aud="anon"),
        "no audience": signed(aud=None),
        "service role": signed(role="service_role"),
        "superuser": signed(role="homing"),
        "no subject": signed(sub=None),
        "a subject that is no id": signed(sub="x' or true --"),
        "no session": signed(session_id=None),
        "cut": person.access_token[:-2],
        "garbage": "a.b.c",
        "no token": "x",
        "a refresh token": person.refresh_token,
    }


def test_no_forged_token_opens_anything(served: Served, anna: Person) -> None:
    for name, token in forgeries(served, anna).items():
        headers = served.headers(token)
        called = httpx.post(f"{served.url}/rest/v1/rpc/test_who", headers=headers, json={})
        asked = httpx.get(f"{served.url}/auth/v1/user", headers=headers)
        assert (called.status_code, called.json()["code"][:5]) == (401, "PGRST"), name
        assert (asked.status_code, asked.json()["code"]) == (403, "bad_jwt"), name
    expired = served.headers(forgeries(served, anna)["expired"])
    told = httpx.post(f"{served.url}/rest/v1/rpc/test_who", headers=expired, json={}).json()
    assert (told["code"], told["message"]) == ("PGRST303", "JWT expired")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "health"),
        ("GET", "settings"),
        ("POST", "signup"),
        ("POST", "token"),
        ("GET", "user"),
        ("POST", "logout"),
    ],
)
def test_auth_too_asks_for_the_publishable_key(served: Served, method: str, path: str) -> None:
    answer = httpx.request(method, f"{served.url}/auth/v1/{path}", json={} if method == "POST" else None)
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_api_key")


def test_the_user_needs_a_users_token(served: Served) -> None:
    assert auth(served, "GET", "user").json()["code"] == "no_authorization"


def test_settings_and_health_are_told(served: Served) -> None:
    assert auth(served, "GET", "settings").json()["external"]["email"] is True
    assert auth(served, "GET", "health").json()["name"] == "GoTrue"


@pytest.mark.parametrize("path", ["token", "token?grant_type=pkce", "token?grant_type=magic"])
def test_an_unknown_grant_is_refused(served: Served, path: str) -> None:
    answer = auth(served, "POST", path, body={})
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_failed")


def test_the_database_holds_neither_passwords_nor_tokens(served: Served, anna: Person) -> None:
    renewed(served, anna.refresh_token)
    with served.database() as db:
        rows = db.execute(
            "select to_jsonb(users)::text || to_jsonb(sessions)::text || coalesce(to_jsonb(refresh_tokens)::text, '')"
            " from auth.users join auth.sessions on user_id = users.id"
            " left join auth.refresh_tokens on session_id = sessions.id where users.id = %s",
            (anna.user_id,),
        ).fetchall()
    kept = "".join(row[0] for row in rows)
    assert "$argon2id$" in kept
    assert not any(secret in kept for secret in (PASSWORD, anna.refresh_token, anna.access_token))
