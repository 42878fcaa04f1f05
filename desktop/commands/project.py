"""`homing project`: create, list and change projects in the local store, and save and get their files."""

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from typing import IO, Any, TypeVar

import click

from desktop.commands.options import GlobalOptions, HomingGroup, pass_options
from storage import accounts, chats, projects, snapshots
from storage.errors import UnknownProject
from storage.records import ChatId, Project, ProjectId
from storage.snapshots import Snapshot
from storage.store import Reader, Store
from storage.transaction import Transaction
from sync.login.vault import chosen_kind

T = TypeVar("T")


@click.group(cls=HomingGroup)
def project() -> None:
    """Create, list, rename and delete projects; save and get their files."""


@project.command()
@click.argument("name")
@pass_options
def new(options: GlobalOptions, name: str) -> None:
    """Create a project and print its id."""
    with options.store() as store:
        owner = store.read(accounts.shown)[0]
        made = store.write(lambda tx: projects.create(tx, name, account_id=owner)).result()
    options.say({"project_id": made.project_id}, made.project_id)


@project.command(name="list")
@pass_options
def list_(options: GlobalOptions) -> None:
    """List projects, the oldest first, with what was set aside of them."""
    with options.store() as store:
        listed = store.read(
            lambda db: [
                (each, snapshots.get(db, each.project_id))
                for each in projects.list_projects(db, accounts.shown(db))
            ]
        )
    for each, files in listed:
        aside = each.sync_error or (files.sync_error if files else None)
        options.say(asdict(each) | {"files": _told(files)}, _line(each, aside))


@project.command()
@click.argument("project_id", metavar="PROJECT")
@click.argument("name")
@pass_options
def rename(options: GlobalOptions, project_id: str, name: str) -> None:
    """Give a project another name."""
    renamed = _change(options, project_id, lambda tx, known: projects.rename(tx, known, name))
    options.say({"project_id": project_id, "name": renamed.name}, f"Renamed to {renamed.name}")


@project.command()
@click.argument("project_id", metavar="PROJECT")
@pass_options
def delete(options: GlobalOptions, project_id: str) -> None:
    """Delete a project on every device; its chats stay."""
    deleted = _change(options, project_id, projects.delete)
    options.say({"project_id": project_id, "deleted": deleted.deleted}, "Deleted")


@project.command()
@click.argument("project_id", metavar="PROJECT")
@click.argument("chat_id", metavar="CHAT")
@pass_options
def add(options: GlobalOptions, project_id: str, chat_id: str) -> None:
    """Put a chat into a project."""

    def job(tx: Transaction, known: ProjectId) -> None:
        chats.set_project(tx, chats.get_shown(tx.db, ChatId(chat_id)).chat_id, known)

    _change(options, project_id, job)
    options.say({"chat_id": chat_id, "project_id": project_id}, "Added")


@project.command()
@click.argument("project_id", metavar="PROJECT")
@click.argument("file", type=click.File(encoding="utf-8"))
@pass_options
def save(options: GlobalOptions, project_id: str, file: IO[str]) -> None:
    """Save a project's files, in the place of the last ones.

    FILE, or - for the standard input, is a JSON object with files, an object from path to text, and a summary or none.
    """
    content = _content(file)
    saved = _change(
        options,
        project_id,
        lambda tx, known: snapshots.save(tx, known, content["files"], content.get("summary")),
    )
    options.say({"project_id": project_id, "files": _told(saved)}, f"Saved {saved.octets} bytes")


@project.command()
@click.argument("project_id", metavar="PROJECT")
@click.argument("file", type=click.File("w", encoding="utf-8", lazy=True))
@pass_options
def get(options: GlobalOptions, project_id: str, file: IO[str]) -> None:
    """Write a project's files into FILE, as `homing project save` takes them; - is the standard output.

    They are the server's, or those that wait here for it. Of two that were saved at once, these are the server's.
    """
    with options.store() as store:
        known = store.read(lambda db: _shown(db, project_id))
        held = store.read(lambda db: snapshots.get(db, known.project_id))
        waits = held is not None and held.files is not None and held.theirs is None
        found = held if held is not None and waits else _fetched(options, store, known.project_id)
    json.dump({"files": found.files, "summary": found.summary}, file, ensure_ascii=False)


@project.command()
@click.argument("project_id", metavar="PROJECT")
@click.argument("choice", type=click.Choice(["mine", "theirs"]))
@pass_options
def keep(options: GlobalOptions, project_id: str, choice: str) -> None:
    """Choose between the files here and those that another device saved first."""
    _change(options, project_id, snapshots.keep_mine if choice == "mine" else snapshots.keep_theirs)
    options.say({"project_id": project_id, "kept": choice}, f"Kept {choice}")


def _change(options: GlobalOptions, project_id: str, change: Callable[[Transaction, ProjectId], T]) -> T:
    with options.store() as store:
        return store.write(lambda tx: change(tx, _shown(tx.db, project_id).project_id)).result()


def _shown(db: Reader, project_id: str) -> Project:
    """The project, unless it belongs to an account that is not the active one."""
    known = projects.get(db, ProjectId(project_id))
    if known.account_id not in accounts.shown(db):
        raise UnknownProject(
            f"There is no project {project_id} here: choose one from the list, or sync first"
        )
    return known


def _fetched(options: GlobalOptions, store: Store, project_id: ProjectId) -> Snapshot:
    from sync.service import SyncService

    service = SyncService(store, options.profile_dir, session_store=chosen_kind(), realtime=False)
    service.start()
    try:
        return service.fetch_snapshot(project_id).result()
    finally:
        service.stop()


def _content(file: IO[str]) -> dict[str, Any]:
    with closing(file):
        try:
            content = json.load(file)
        except ValueError:
            content = None
    files, summary = (
        (content.get("files"), content.get("summary")) if isinstance(content, dict) else (None, None)
    )
    if not isinstance(files, dict) or not isinstance(summary, str | None):
        raise click.ClickException('This is no file of files: write {"files": {"name": "text"}}.')
    return {"files": files, "summary": summary}


def _told(files: Snapshot | None) -> dict[str, Any] | None:
    if files is None:
        return None
    return {
        "content_hash": files.content_hash,
        "octets": files.octets,
        "here": files.files is not None,
        "pending": files.pending,
        "sync_error": files.sync_error,
    }


def _line(each: Project, aside: str | None) -> str:
    return f"{each.project_id}  {each.name or 'Unnamed'}" + (f"  ({aside})" if aside else "")
