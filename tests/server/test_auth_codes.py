"""Magic codes, recovery, links and PKCE, with the official client and without it."""

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import jwt
import pytest
from supabase import AsyncClient, AsyncClientOptions, acreate_client
from supabase_auth.errors import AuthApiError, AuthWeakPasswordError

from tests.fakes.mailbox import Mailbox, text_of
from tests.fakes.pkce import CHALLENGE, VERIFIER
from tests.fakes.served import PASSWORD, Person, Served, fresh_server, official_client

APP = "http://localhost:3000/welcome?from=mail"


@asynccontextmanager
async def pkce_client(served: Served) -> AsyncIterator[AsyncClient]:
    async with httpx.AsyncClient(timeout=30) as http:
        options = AsyncClientOptions(auto_refresh_token=False, flow_type="pkce", httpx_client=http)
        client = await acreate_client(served.url, served.key, options)
        try:
            yield client
        finally:
            await client.realtime.close()


def someone() -> str:
    return f"{uuid.uuid4().hex}@example.test"


def post(served: Served, path: str, **body: object) -> httpx.Response:
    return httpx.post(f"{served.url}/auth/v1/{path}", headers=served.headers(), json=body, timeout=30)


def put_user(person: Person, **body: object) -> httpx.Response:
    url, headers = f"{person.served.url}/auth/v1/user", person.served.headers(person.access_token)
    return httpx.put(url, headers=headers, json=body, timeout=30)


def verified(served: Served, email: str, code: str, kind: str = "email") -> httpx.Response:
    return post(served, "verify", type=kind, email=email, token=code)


def age(person: Person, interval: str) -> None:
    with person.served.database() as db:
        db.execute(
            "update auth.sessions set created_at = created_at - %s::interval where user_id = %s",
            (interval, person.user_id),
        )


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_the_official_client_signs_up_and_in_by_code(served: Served) -> None:
    email = someone()

    async def story() -> None:
        async with official_client(served) as client:
            await client.auth.sign_in_with_otp(
                {"email": email.upper(), "options": {"data": {"name": "Anna"}}}
            )
            code = served.code_for(email)
            made = await client.auth.verify_otp({"email": email, "token": code, "type": "email"})
            assert made.session is not None
            assert made.user is not None
            assert (made.user.email, made.user.user_metadata) == (email, {"name": "Anna"})
            claims = jwt.decode(made.session.access_token, options={"verify_signature": False})
            assert claims["amr"][0]["method"] == "otp"
            refreshed = await client.auth.refresh_session()
            assert refreshed.session is not None
            claims = jwt.decode(refreshed.session.access_token, options={"verify_signature": False})
            assert claims["amr"][0]["method"] == "otp"
            await client.auth.sign_in_with_otp({"email": email, "options": {"should_create_user": False}})
            again = await client.auth.verify_otp(
                {"email": email, "token": served.code_for(email), "type": "magiclink"}
            )
            assert again.user is not None
            assert again.user.id == made.user.id
            with pytest.raises(AuthApiError) as caught:
                await client.auth.verify_otp({"email": email, "token": code, "type": "email"})
            assert (caught.value.status, caught.value.code) == (403, "otp_expired")

    asyncio.run(story())


def test_the_official_client_recovers_an_account(served: Served, anna: Person) -> None:
    async def story() -> None:
        async with official_client(served) as client:
            await client.auth.reset_password_for_email(anna.email)
            code = served.code_for(anna.email)
            await client.auth.verify_otp({"email": anna.email, "token": code, "type": "recovery"})
            with pytest.raises(AuthWeakPasswordError):
                await client.auth.update_user({"password": "short"})
            with pytest.raises(AuthApiError) as caught:
                await client.auth.update_user({"password": PASSWORD})
            assert (caught.value.status, caught.value.code) == (422, "same_password")
            await client.auth.update_user({"password": "another horse battery"})
            await client.auth.sign_out()
            with pytest.raises(AuthApiError) as caught:
                await client.auth.sign_in_with_password({"email": anna.email, "password": PASSWORD})
            assert caught.value.code == "invalid_credentials"
            await client.auth.sign_in_with_password(
                {"email": anna.email, "password": "another horse battery"}
            )

    asyncio.run(story())


def test_the_official_client_changes_data_and_address(served: Served, anna: Person) -> None:
    new = someone()

    async def story() -> None:
        async with official_client(served) as client:
            await client.auth.sign_in_with_password({"email": anna.email, "password": PASSWORD})
            told = await client.auth.update_user({"data": {"name": "Anna", "town": "Kiel"}})
            assert told.user.user_metadata == {"name": "Anna", "town": "Kiel"}
            told = await client.auth.update_user({"data": {"town": None}, "email": new})
            assert told.user.user_metadata == {"name": "Anna"}
            assert (told.user.email, told.user.new_email) == (anna.email, new)
            changed = await client.auth.verify_otp(
                {"email": new, "token": served.code_for(new), "type": "email_change"}
            )
            assert changed.user is not None
            assert (changed.user.id, changed.user.email) == (anna.user_id, new)
            await client.auth.sign_in_with_password({"email": new, "password": PASSWORD})

    asyncio.run(story())


def test_a_changed_password_ends_every_other_session_and_all_that_was_mailed(
    served: Served, anna: Person
) -> None:
    other = post(served, "token?grant_type=password", email=anna.email, password=PASSWORD).json()
    post(served, "otp", email=anna.email)
    code = served.code_for(anna.email)
    assert put_user(anna, password="another horse battery").status_code == 200
    gone = httpx.get(f"{served.url}/auth/v1/user", headers=served.headers(other["access_token"]))
    assert gone.json()["code"] == "session_not_found"
    refresh = post(served, "token?grant_type=refresh_token", refresh_token=other["refresh_token"])
    assert refresh.json()["code"] == "refresh_token_not_found"
    assert refused(verified(served, anna.email, code)) == (403, "otp_expired")
    assert post(served, "token?grant_type=refresh_token", refresh_token=anna.refresh_token).status_code == 200


def test_a_session_of_yesterday_must_say_again_who_it_is(served: Served, anna: Person) -> None:
    age(anna, "25 hours")
    new = "another horse battery"
    assert refused(put_user(anna, password=new)) == (400, "reauthentication_needed")
    assert refused(put_user(anna, password=new, nonce="000000")) == (422, "reauthentication_not_valid")
    assert refused(put_user(anna, password=new, current_password="wrong")) == (
        400,
        "current_password_invalid",
    )
    headers = served.headers(anna.access_token)
    assert httpx.get(f"{served.url}/auth/v1/reauthenticate", headers=headers).json() == {}
    nonce = served.code_for(anna.email)
    assert refused(verified(served, anna.email, nonce)) == (403, "otp_expired")
    assert put_user(anna, password=new, nonce=nonce).status_code == 200
    assert put_user(anna, password=PASSWORD, current_password=new).status_code == 200


def test_a_code_dies_after_five_wrong_tries(served: Served, anna: Person) -> None:
    post(served, "otp", email=anna.email)
    code = served.code_for(anna.email)
    for number in range(5):
        wrong = f"{(int(code) + number + 1) % 1_000_000:06}"
        assert refused(verified(served, anna.email, wrong)) == (403, "otp_expired")
    assert refused(verified(served, anna.email, code)) == (403, "otp_expired")
    post(served, "otp", email=anna.email)
    assert verified(served, anna.email, served.code_for(anna.email)).status_code == 200


def test_a_code_ends_after_ten_minutes_and_by_a_newer_one(served: Served, anna: Person) -> None:
    post(served, "otp", email=anna.email)
    old = served.code_for(anna.email)
    post(served, "otp", email=anna.email)
    new = served.code_for(anna.email)
    if old != new:
        assert verified(served, anna.email, old).status_code == 403
    with served.database() as db:
        db.execute(
            "update auth.one_time_codes set expires_at = expires_at - interval '10 minutes' where email = %s",
            (anna.email,),
        )
    assert verified(served, anna.email, new).status_code == 403


@pytest.mark.parametrize(
    ("asked", "kind"),
    [("otp", "recovery"), ("recover", "email"), ("recover", "email_change"), ("otp", "email_change")],
)
def test_a_code_is_good_for_its_purpose_only(served: Served, anna: Person, asked: str, kind: str) -> None:
    post(served, asked, email=anna.email)
    assert verified(served, anna.email, served.code_for(anna.email), kind).status_code == 403


def test_the_database_and_the_log_hold_no_more_than_they_must(served: Served, anna: Person) -> None:
    post(served, "otp", email=anna.email)
    code = served.code_for(anna.email)
    with served.database() as db:
        rows = str(db.execute("select * from auth.one_time_codes where email = %s", (anna.email,)).fetchall())
    assert code not in rows
    assert hashlib.sha256(code.encode()).hexdigest() not in rows
    assert sum(code in line for line in served.stderr.splitlines()) == 1


def test_an_answer_says_nothing_about_who_has_an_account(served: Served, anna: Person) -> None:
    stranger = someone()
    for path, more in (("otp", {"create_user": False}), ("recover", {})):
        known, unknown = (
            post(served, path, email=anna.email, **more),
            post(served, path, email=stranger, **more),
        )
        assert (known.status_code, known.json()) == (unknown.status_code, unknown.json()) == (200, {})
    assert stranger not in served.stderr
    for kind in ("email", "recovery", "email_change"):
        known, unknown = (
            verified(served, anna.email, "000000", kind),
            verified(served, stranger, "000000", kind),
        )
        assert known.json() == unknown.json()
    with served.database() as db:
        found = db.execute("select from auth.users where email = %s", (stranger,)).fetchone()
    assert found is None


def test_a_code_goes_by_mail_and_not_to_the_log(mailing: Served, mailbox: Mailbox) -> None:
    email = someone()
    assert post(mailing, "otp", email=email).json() == {}
    code = mailbox.code_to(email)
    assert code not in mailing.stderr
    assert email not in mailing.stderr
    assert "http" not in text_of(mailbox.to(email)[-1])
    assert verified(mailing, email, code).status_code == 200


def test_who_has_no_account_gets_a_letter_that_says_so(mailing: Served, mailbox: Mailbox) -> None:
    email = someone()
    assert post(mailing, "recover", email=email).json() == {}
    assert "no account" in text_of(mailbox.to(email)[-1])


def test_a_mail_server_that_refuses_tells_nothing_of_the_address(mailing: Served, mailbox: Mailbox) -> None:
    person = mailing.sign_up()
    mailbox.refusal = "451 try later"
    try:
        answers = [post(mailing, "recover", email=email) for email in (person.email, someone())]
    finally:
        mailbox.refusal = None
    assert [refused(answer) for answer in answers] == [(500, "unexpected_failure")] * 2
    assert answers[0].json() == answers[1].json()
    assert "@" not in answers[0].text
    assert person.email not in mailing.stderr


def test_a_link_leads_to_the_app_with_a_session(mailing: Served, mailbox: Mailbox) -> None:
    email = someone()
    httpx.post(
        f"{mailing.url}/auth/v1/otp",
        params={"redirect_to": APP},
        headers=mailing.headers(),
        json={"email": email},
    ).raise_for_status()
    link = mailbox.link_to(email)
    assert httpx.head(link).status_code == 405
    led = httpx.get(link)
    assert led.status_code == 303
    assert led.headers["Location"].startswith(f"{APP}#access_token=")
    parts = dict(parse_qsl(urlsplit(led.headers["Location"]).fragment))
    assert parts.keys() >= {"access_token", "refresh_token", "expires_in", "expires_at", "token_type", "type"}
    user = httpx.get(f"{mailing.url}/auth/v1/user", headers=mailing.headers(parts["access_token"])).json()
    assert user["email"] == email
    again = parse_qs(urlsplit(httpx.get(link).headers["Location"]).fragment)
    assert again["error_code"] == ["otp_expired"]


def test_a_link_and_its_code_end_together(mailing: Served, mailbox: Mailbox) -> None:
    email = someone()
    params = {"redirect_to": APP}
    headers = mailing.headers()
    httpx.post(f"{mailing.url}/auth/v1/otp", params=params, headers=headers, json={"email": email})
    token = parse_qs(urlsplit(mailbox.link_to(email)).query)["token"][0]
    assert post(mailing, "verify", type="email", token_hash=token).status_code == 200
    assert verified(mailing, email, mailbox.code_to(email)).status_code == 403


@pytest.mark.parametrize("kind", ["otp", "recovery", "email_change"])
def test_the_official_client_goes_the_way_of_pkce(mailing: Served, mailbox: Mailbox, kind: str) -> None:
    person = mailing.sign_up()
    email = person.email if kind != "email_change" else someone()

    async def story() -> None:
        async with pkce_client(mailing) as client:
            if kind == "otp":
                await client.auth.sign_in_with_otp({"email": email, "options": {"email_redirect_to": APP}})
            elif kind == "recovery":
                await client.auth.reset_password_for_email(email, {"redirect_to": APP})
            else:
                await client.auth.sign_in_with_password({"email": person.email, "password": PASSWORD})
                await client.auth.update_user({"email": email}, {"email_redirect_to": APP})
            async with httpx.AsyncClient() as browser:
                led = urlsplit((await browser.get(mailbox.link_to(email))).headers["Location"])
            assert led.fragment == ""
            query = parse_qs(led.query)
            assert query["from"] == ["mail"]
            answer = await client.auth.exchange_code_for_session(
                {"auth_code": query["code"][0], "code_verifier": "", "redirect_to": ""}
            )
            assert answer.user is not None
            assert (answer.user.id, answer.user.email) == (person.user_id, email)

    asyncio.run(story())


def test_an_auth_code_is_for_one_use_within_five_minutes_by_its_verifier(
    mailing: Served, mailbox: Mailbox
) -> None:
    def auth_code(email: str) -> str:
        body = {"email": email, "code_challenge": CHALLENGE, "code_challenge_method": "s256"}
        params = {"redirect_to": APP}
        headers = mailing.headers()
        httpx.post(f"{mailing.url}/auth/v1/otp", params=params, headers=headers, json=body).raise_for_status()
        location = httpx.get(mailbox.link_to(email)).headers["Location"]
        return parse_qs(urlsplit(location).query)["code"][0]

    def exchanged(code: str, verifier: str) -> httpx.Response:
        return post(mailing, "token?grant_type=pkce", auth_code=code, code_verifier=verifier)

    code = auth_code(someone())
    assert refused(exchanged(code, "w" * 64)) == (400, "bad_code_verifier")
    assert refused(exchanged(code, CHALLENGE)) == (400, "bad_code_verifier")
    assert exchanged(code, VERIFIER).status_code == 200
    assert refused(exchanged(code, VERIFIER)) == (404, "flow_state_not_found")
    late = auth_code(someone())
    with mailing.database() as db:
        db.execute("update auth.auth_codes set expires_at = expires_at - interval '5 minutes'")
    assert refused(exchanged(late, VERIFIER)) == (422, "flow_state_expired")


@pytest.mark.parametrize(
    "target",
    [
        "http://localhost:3000/",
        "http://127.0.0.1:9/x?y=z",
        "http://[::1]:3000/",
        "https://localhost/",
    ],
)
def test_a_link_may_lead_to_this_machine(served: Served, anna: Person, target: str) -> None:
    answer = httpx.post(
        f"{served.url}/auth/v1/recover",
        params={"redirect_to": target},
        headers=served.headers(),
        json={"email": anna.email},
    )
    assert answer.json() == {}


def test_the_operators_names_may_be_led_to_by_https() -> None:
    with fresh_server(names=["app.example.test"]) as running:
        for target, status in (
            ("https://app.example.test/in", 200),
            ("http://app.example.test/in", 400),
            ("https://evil.example.test/in", 400),
            (f"{running.url}/in", 200),
        ):
            answer = httpx.post(
                f"{running.url}/auth/v1/otp",
                params={"redirect_to": target},
                headers=running.headers(),
                json={"email": someone()},
            )
            assert answer.status_code == status, target


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("otp", {"email": "no"}),
        ("otp", {"email": "a@b.test", "create_user": "yes"}),
        ("otp", {"email": "a@b.test", "data": []}),
        ("otp", {"email": "a@b.test", "data": {"a": "x" * 9_000}}),
        ("otp", {"email": "a@b.test", "code_challenge": CHALLENGE}),
        ("otp", {"email": "a@b.test", "code_challenge": "short", "code_challenge_method": "s256"}),
        ("otp", {"email": "a@b.test", "code_challenge": CHALLENGE, "code_challenge_method": "s512"}),
        ("signup", {"email": "a@b.test", "password": PASSWORD, "code_challenge_method": "s256"}),
        ("recover", {}),
        ("verify", {"type": "email", "email": "a@b.test"}),
        ("verify", {"type": "email", "email": "a@b.test", "token": "1", "token_hash": "1"}),
        ("verify", {"type": "sms", "email": "a@b.test", "token": "123456"}),
        ("verify", {"email": "a@b.test", "token": "123456"}),
        ("verify", {"type": "email", "token": "123456"}),
        ("verify", {"type": "email", "email": "a@b.test", "token": 123456}),
        ("token?grant_type=pkce", {"auth_code": "x"}),
        ("token?grant_type=pkce", {"code_verifier": "x"}),
    ],
)
def test_a_malformed_request_is_refused_without_an_effect(
    served: Served, path: str, body: dict[str, object]
) -> None:
    assert refused(post(served, path, **body)) == (400, "validation_failed")
