"""What people paste as an address and a key, and what Homing makes of it."""

import base64
import json

import pytest

from sync.errors import Refused
from sync.wire.endpoint import clean_key, clean_url, endpoint


def legacy_key(role: str) -> str:
    body = base64.urlsafe_b64encode(json.dumps({"role": role}).encode()).rstrip(b"=").decode()
    return f"eyJhbGciOiJIUzI1NiJ9.{body}.c2ln"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("https://abc.supabase.co", "https://abc.supabase.co"),
        (" https://abc.supabase.co/// ", "https://abc.supabase.co"),
        ("https://ABC.Supabase.co:443/", "https://abc.supabase.co"),
        ("https://abc.supabase.co/rest/v1", "https://abc.supabase.co"),
        ("https://abc.supabase.co/rest/v1/", "https://abc.supabase.co"),
        ("https://abc.supabase.co/auth/v1/token", "https://abc.supabase.co"),
        ("https://example.org/sync/rest/v1/", "https://example.org/sync"),
        ("http://127.0.0.1:8787/", "http://127.0.0.1:8787"),
        ("http://localhost:8787", "http://localhost:8787"),
        ("http://[::1]:8787", "http://[::1]:8787"),
        ("http://127.0.0.1:80", "http://127.0.0.1"),
    ],
)
def test_an_address_has_one_form(typed: str, meant: str) -> None:
    assert clean_url(typed) == meant


@pytest.mark.parametrize(
    ("typed", "remedy"),
    [
        ("", "https://"),
        ("   ", "https://"),
        ("abc.supabase.co", "https://"),
        ("127.0.0.1:8787", "https://"),
        ("ftp://abc.supabase.co", "https://"),
        ("http://abc.supabase.co", "https://"),
        ("http://192.168.1.4:8787", "https://"),
        ("http://localhost.evil.example", "https://"),
        ("https://", "typing errors"),
        ("https://abc:notaport", "typing errors"),
        ("https://a b.example", "typing errors"),
        ("https://user:word@abc.supabase.co", "leave out"),
        ("https://abc.supabase.co/?apikey=1", "leave out"),
        ("https://abc.supabase.co/#x", "leave out"),
        ("https://supabase.com/dashboard/project/abcdef/settings/api", "https://abcdef.supabase.co"),
    ],
)
def test_a_wrong_address_gets_one_line_that_says_what_to_type(typed: str, remedy: str) -> None:
    with pytest.raises(Refused) as caught:
        clean_url(typed)
    assert caught.value.code == "bad_url"
    assert remedy in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["sb_publishable_abc", " sb_publishable_abc\n", legacy_key("anon"), "plain"])
def test_a_publishable_key_is_taken_without_blanks_around_it(key: str) -> None:
    assert clean_key(key) == key.strip()


@pytest.mark.parametrize(
    "key", ["", "  ", "a b", "schlüssel", "a\nb", "sb_secret_abc", legacy_key("service_role")]
)
def test_an_empty_garbled_or_secret_key_is_refused_without_being_repeated(key: str) -> None:
    with pytest.raises(Refused) as caught:
        clean_key(key)
    assert caught.value.code == "bad_key"
    assert not key.strip() or key.strip() not in str(caught.value)


def test_an_endpoint_does_not_show_its_key() -> None:
    assert "sb_publishable_abc" not in repr(endpoint("https://abc.supabase.co", "sb_publishable_abc"))
