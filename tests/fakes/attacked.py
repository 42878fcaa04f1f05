"""A victim, an attacker and a mail server, and what it means that an attack was refused."""

import asyncio
import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
from websockets.asyncio.client import connect

from tests.fakes.mailbox import Mailbox
from tests.fakes.pkce import CHALLENGE
from tests.fakes.served import Person, Served

APP = "http://localhost:3000/welcome"

_KEPT: Final = (
    b"""select id, email, role, aud, encrypted_password, raw_app_meta_data, raw_user_meta_data, banned_until,
    email_confirmed_at from auth.users where id = %s""",
    b"select id, refresh_counter, means from auth.sessions where user_id = %s order by id",
    b"select chat_id, title, deleted, message_count, digest from public.chats where owner_id = %s",
    b"""select message_id, sequence_num, content::text, change from public.messages
    where owner_id = %s order by sequence_num""",
)


@dataclass(frozen=True)
class World:
    """A server with a mail server, Anna with a chat in it, and Eve, who has an account too."""

    served: Served
    mailbox: Mailbox
    anna: Person
    eve: Person
    chat: str

    def post(self, path: str, body: object, **headers: str) -> httpx.Response:
        url = f"{self.served.url}/auth/v1/{path}"
        return httpx.post(
            url, headers={**self.served.headers(), **headers}, content=json.dumps(body), timeout=30
        )

    def put_user(self, person: Person, **body: object) -> httpx.Response:
        headers = self.served.headers(person.access_token)
        return httpx.put(f"{self.served.url}/auth/v1/user", headers=headers, json=body, timeout=30)

    def user(self, token: str) -> httpx.Response:
        return httpx.get(f"{self.served.url}/auth/v1/user", headers=self.served.headers(token))

    def history(self, token: str | None, **more: str) -> httpx.Response:
        return httpx.post(
            f"{self.served.url}/rest/v1/rpc/list_messages",
            headers={**self.served.headers(token), **more},
            json={"p_chat_id": self.chat},
        )

    def refresh(self, token: str) -> httpx.Response:
        return self.post("token?grant_type=refresh_token", {"refresh_token": token})

    def sign_in(self, email: object, password: object) -> httpx.Response:
        return self.post("token?grant_type=password", {"email": email, "password": password})

    def verify(self, email: str, code: str, kind: str = "email") -> httpx.Response:
        return self.post("verify", {"type": kind, "email": email, "token": code})

    def code_for(self, email: str, path: str = "otp", **more: object) -> str:
        assert self.post(path, {"email": email, **more}).status_code == 200
        return self.mailbox.code_to(email)

    def link_for(self, email: str, **more: object) -> str:
        assert self.post(f"otp?redirect_to={APP}", {"email": email, **more}).status_code == 200
        return self.mailbox.link_to(email)

    def auth_code_for(self, email: str) -> str:
        link = self.link_for(email, code_challenge=CHALLENGE, code_challenge_method="s256")
        return parse_qs(urlsplit(httpx.get(link).headers["Location"]).query)["code"][0]

    def secret(self) -> str:
        return (self.served.data_dir / "server" / "jwt-secret").read_text()

    def claims(self, person: Person) -> dict[str, object]:
        return dict(jwt.decode(person.access_token, options={"verify_signature": False}))

    def kept(self) -> object:
        """All that the database holds of Anna, but for times."""
        with self.served.database() as db:
            return [db.execute(statement, (self.anna.user_id,)).fetchall() for statement in _KEPT]


def open_world(server: Served, mailbox: Mailbox) -> World:
    """Everybody before the attack."""
    anna, eve, chat = server.sign_up(), server.sign_up(), str(uuid.uuid4())
    anna.rpc("save_chats", p_chats=[{"chat_id": chat, "title": "secret"}]).raise_for_status()
    message = {"message_id": str(uuid.uuid4()), "role": "user", "content": "dear diary"}
    anna.rpc("append_messages", p_chat_id=chat, p_messages=[message]).raise_for_status()
    return World(server, mailbox, anna, eve, chat)


@contextmanager
def unharmed(served: Served, mailbox: Mailbox) -> Iterator[World]:
    """Everybody before an attack. Afterwards Anna's rows are the same, and her tokens and password still count."""
    made = open_world(served, mailbox)
    before = made.kept()
    yield made
    assert made.kept() == before
    assert made.user(made.anna.access_token).status_code == 200
    assert len(made.history(made.anna.access_token).json()) == 1
    assert made.refresh(made.anna.refresh_token).status_code == 200
    with served.database() as db:
        db.execute("delete from auth.one_time_codes where email = %s", (made.anna.email,))
    assert made.verify(made.anna.email, made.code_for(made.anna.email)).status_code == 200


def shut(answer: httpx.Response, *codes: str) -> None:
    """The attack was refused, with one of these codes."""
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.json()["code"] in codes, answer.text
    assert "access_token" not in answer.text


def joined(world: World, token: str, topic: str, *, private: bool = True) -> str:
    """What the server answers to somebody who wants to listen."""

    async def story() -> str:
        url = f"{world.served.url.replace('http', 'ws', 1)}/realtime/v1/websocket"
        async with connect(f"{url}?apikey={world.served.key}&vsn=1.0.0") as socket_:
            payload = {"config": {"private": private}, "access_token": token}
            frame = {"topic": f"realtime:{topic}", "event": "phx_join", "payload": payload, "ref": "1"}
            await socket_.send(json.dumps(frame))
            return str(json.loads(await socket_.recv())["payload"]["status"])

    return asyncio.run(story())
