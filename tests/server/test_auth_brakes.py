"""Who asks too often is told to wait, in GoTrue's words; who asks as people and programs do is not."""

import asyncio
import uuid
from collections.abc import Iterator

import httpx
import pytest
from supabase_auth.errors import AuthApiError

from server.limits import Rate, Rates
from tests.fakes.served import PASSWORD, Served, fresh_server, official_client

SMALL = Rates()._replace(
    sign_ups_of_address=Rate(6, 300), mails_of_address=Rate(7, 3600), refreshes_of_address=Rate(20, 300)
)


@pytest.fixture(scope="module")
def strict() -> Iterator[Served]:
    """A server with the usual limits, three of them small enough to be met in a test."""
    with fresh_server(rates=SMALL) as running:
        yield running


def post(served: Served, path: str, **body: object) -> httpx.Response:
    return httpx.post(f"{served.url}/auth/v1/{path}", headers=served.headers(), json=body, timeout=30)


def waits(answer: httpx.Response, code: str, at_most: int) -> None:
    assert (answer.status_code, answer.json()["code"]) == (429, code)
    assert 0 < int(answer.headers["Retry-After"]) <= at_most + 1
    assert answer.headers["X-Sb-Error-Code"] == code


def test_usual_limits_leave_room_for_a_household_behind_one_address() -> None:
    usual = Rates()
    assert usual.sign_ups_of_address.times >= 300
    assert usual.refreshes_of_address.times / usual.refreshes_of_address.seconds >= 5
    assert usual.mails_to_email == Rate(1, 60)


def test_codes_go_to_an_address_once_a_minute_and_from_one_so_many_an_hour(strict: Served) -> None:
    emails = [f"{uuid.uuid4().hex}@example.test" for _ in range(7)]
    for path in ("otp", "recover"):
        email = emails.pop()
        assert post(strict, path, email=email).status_code == 200
        for again in ("otp", "recover"):
            waits(post(strict, again, email=email.upper()), "over_email_send_rate_limit", 60)

    async def story() -> None:
        async with official_client(strict) as client:
            email = emails.pop()
            await client.auth.sign_in_with_otp({"email": email})
            with pytest.raises(AuthApiError) as caught:
                await client.auth.sign_in_with_otp({"email": email})
            assert caught.value.code in ("over_email_send_rate_limit", "over_request_rate_limit")

    asyncio.run(story())
    waits(post(strict, "otp", email=emails.pop()), "over_request_rate_limit", 3600)


def test_new_accounts_from_one_address_are_limited_and_refused_ones_do_not_count(strict: Served) -> None:
    for _ in range(10):
        assert post(strict, "signup", email="no address", password=PASSWORD).status_code == 400
        assert post(strict, "signup", email="a@b.test", password="short").status_code == 422
    answers = [
        post(strict, "signup", email=f"{uuid.uuid4().hex}@example.test", password=PASSWORD) for _ in range(7)
    ]
    assert [answer.status_code for answer in answers[:-1]] == [200] * 6
    waits(answers[-1], "over_request_rate_limit", 300)
    refreshed = answers[0].json()["refresh_token"]
    for _ in range(20):
        answer = post(strict, "token?grant_type=refresh_token", refresh_token=refreshed)
        assert answer.status_code == 200
        refreshed = answer.json()["refresh_token"]
    waits(
        post(strict, "token?grant_type=refresh_token", refresh_token=refreshed),
        "over_request_rate_limit",
        300,
    )


def test_who_signs_in_rightly_is_never_slowed_down(served: Served) -> None:
    person = served.sign_up()
    for _ in range(30):
        assert (
            post(served, "token?grant_type=password", email=person.email, password=PASSWORD).status_code
            == 200
        )


def test_codes_of_one_address_are_tried_so_often_whatever_comes_between(served: Served) -> None:
    person = served.sign_up()
    statuses = []
    for number in range(16):
        if number % 5 == 0:
            post(served, "otp", email=person.email)
        code = served.code_for(person.email)
        wrong = f"{(int(code) + 1) % 1_000_000:06}"
        statuses.append(post(served, "verify", type="email", email=person.email, token=wrong).status_code)
    assert statuses == [403] * 15 + [429]
