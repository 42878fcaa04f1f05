"""The running server that the tests of this folder share, with a few functions of their own in it."""

from collections.abc import Iterator

import pytest

from tests.fakes.attacked import World, unharmed
from tests.fakes.mailbox import Mailbox, open_mailbox
from tests.fakes.served import Person, Served, fresh_server

_FUNCTIONS = """
create function public.test_add(p_left integer, p_right integer default 40 + 2) returns integer
  language sql immutable set search_path = '' as 'select p_left + p_right';
create function public.test_rows(p_count integer) returns table (number integer, "the Name" text)
  language sql stable set search_path = '' as $$ select n, 'no ' || n from generate_series(1, p_count) as n $$;
create function public.test_values(p_count integer) returns setof integer
  language sql stable set search_path = '' as 'select generate_series(1, p_count)';
create function public.test_json(p_given jsonb default null) returns jsonb
  language sql stable set search_path = '' as 'select p_given';
create function public.test_nothing() returns void language plpgsql set search_path = '' as 'begin end';
create function public.test_who() returns json language sql stable set search_path = '' as $$
  select json_build_object('role', current_user, 'user', auth.uid(), 'session', auth.jwt() ->> 'session_id',
    'timeout', current_setting('statement_timeout'), 'isolation', current_setting('transaction_isolation')) $$;
create sequence public.test_written;
create function public.test_write() returns void language plpgsql security definer set search_path = ''
  as $$ begin perform nextval('public.test_written'); end $$;
create function public.test_raise(p_code text, p_message text) returns void language plpgsql set search_path = ''
  as $$ begin raise exception using errcode = p_code, message = p_message, detail = 'd', hint = 'h'; end $$;
create function public.test_raise_bare(p_code text) returns void language plpgsql set search_path = ''
  as $$ begin raise exception using errcode = p_code; end $$;
create function public.test_slow() returns void language sql set search_path = '' as 'select pg_catalog.pg_sleep(60)';
create function public.test_secret() returns integer language sql set search_path = '' as 'select 1';
create function public.test_poke(p_payload jsonb) returns void language sql security definer set search_path = ''
  as $$ select realtime.send(p_payload, 'changed', 'user:' || auth.uid(), true) $$;
create function public.test_twice(p_a integer) returns integer language sql set search_path = '' as 'select 1';
create function public.test_twice(p_b text) returns integer language sql set search_path = '' as 'select 1';
create function public.test_upper("P Quoted" text) returns text language sql immutable set search_path = ''
  as 'select upper("P Quoted")';
revoke execute on function public.test_secret() from public;
"""


@pytest.fixture(scope="session")
def served() -> Iterator[Served]:
    """One server for all tests of a worker, with the test functions in it."""
    with fresh_server() as running:
        with running.database() as db:
            db.execute(_FUNCTIONS.encode())
        yield running


@pytest.fixture
def anna(served: Served) -> Person:
    """Somebody who signed up just now."""
    return served.sign_up()


@pytest.fixture(scope="session")
def mailbox() -> Iterator[Mailbox]:
    """The mail server of `mailing`."""
    with open_mailbox() as opened:
        yield opened


@pytest.fixture(scope="session")
def mailing(mailbox: Mailbox) -> Iterator[Served]:
    """One server with a mail server for all tests of a worker."""
    with fresh_server(smtp_url=mailbox.url, mail_from="homing@example.test") as running:
        yield running


@pytest.fixture
def world(mailing: Served, mailbox: Mailbox) -> Iterator[World]:
    """Everybody before the attack, and unharmed afterwards."""
    with unharmed(mailing, mailbox) as made:
        yield made
