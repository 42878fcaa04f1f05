import pytest

from storage import projects
from storage.errors import InvalidProject, UnknownProject
from storage.exchange import ChatEdit, ProjectChange, ProjectEdit
from storage.inbound import kinds
from storage.records import AccountId, Project, ProjectId
from storage.standing import edits
from storage.store import Store
from tests.fakes.kinds import confirm, project_change

P = ProjectId("p")


def test_a_new_project_is_wholly_unconfirmed_and_then_only_what_changed(
    store: Store, account: AccountId
) -> None:
    made = create(store, account, " My  home ")
    assert (made.name, made.status, made.deleted) == ("My home", "draft", False)
    (first,) = edited(store, account)
    assert first.fields == {"name": "My home", "description": "", "status": "draft", "url_id": None}
    confirm(store, account, first)
    assert edited(store, account) == ()
    store.write(lambda tx: projects.set_status(tx, P, "published")).result()
    assert [each.fields for each in edited(store, account)] == [{"status": "published"}]


def test_an_unconfirmed_field_wins_over_a_pull_until_its_receipt(store: Store, account: AccountId) -> None:
    shared(store, account)
    store.write(lambda tx: projects.rename(tx, P, "Mine")).result()
    (edit,) = edited(store, account)
    take(store, account, project_change(2, P, "Theirs", status="archived"))
    assert (get(store).name, get(store).status) == ("Mine", "archived")
    confirm(store, account, edit, project_change(3, P, "Mine", status="archived"))
    take(store, account, project_change(4, P, "Later"))
    assert get(store).name == "Later"


def test_what_came_behind_the_save_and_was_pulled_before_its_receipt_is_the_last_word(
    store: Store, account: AccountId
) -> None:
    shared(store, account)
    store.write(lambda tx: projects.rename(tx, P, "Mine")).result()
    (edit,) = edited(store, account)
    take(store, account, project_change(4, P, "Later"))
    assert get(store).name == "Mine"
    confirm(store, account, edit, project_change(3, P, "Mine"))
    assert get(store).name == "Later"
    assert edited(store, account) == ()


def test_what_came_before_the_save_is_not(store: Store, account: AccountId) -> None:
    shared(store, account)
    store.write(lambda tx: projects.rename(tx, P, "Mine")).result()
    (edit,) = edited(store, account)
    take(store, account, project_change(2, P, "Earlier"))
    confirm(store, account, edit, project_change(3, P, "Mine"))
    assert get(store).name == "Mine"


def test_a_field_that_changed_while_the_save_was_under_way_is_still_unconfirmed_and_alone(
    store: Store, account: AccountId
) -> None:
    create(store, account, "Home")
    (edit,) = edited(store, account)
    store.write(lambda tx: projects.rename(tx, P, "House")).result()
    confirm(store, account, edit)
    assert [each.fields for each in edited(store, account)] == [{"name": "House"}]


def test_a_refused_project_shows_why_and_waits_for_the_next_edit(store: Store, account: AccountId) -> None:
    create(store, account, "Home")
    (edit,) = edited(store, account)
    store.write(lambda tx: edits.refuse(tx, account, edit, "No.")).result()
    assert get(store).sync_error == "No."
    assert edited(store, account) == ()
    store.write(lambda tx: projects.describe(tx, P, "Four walls")).result()
    assert edited(store, account)[0].fields["description"] == "Four walls"


def test_a_deleted_project_is_out_of_the_list_and_stays_deleted(store: Store, account: AccountId) -> None:
    shared(store, account)
    store.write(lambda tx: projects.delete(tx, P)).result()
    take(store, account, project_change(2, P, "Theirs"))
    assert get(store).deleted
    assert store.read(lambda db: projects.list_projects(db, [account])) == []
    assert [each.fields for each in edited(store, account)] == [{"deleted": True}]


def test_what_the_server_would_not_take_is_refused_here(store: Store, account: AccountId) -> None:
    create(store, account, "x" * 2000)
    assert len(get(store).name) == 1000
    with pytest.raises(InvalidProject, match="draft, published or archived"):
        store.write(lambda tx: projects.set_status(tx, P, "lost")).result()
    with pytest.raises(UnknownProject, match="nowhere"):
        store.write(lambda tx: projects.rename(tx, ProjectId("nowhere"), "x")).result()


@pytest.mark.parametrize("kind", [ChatEdit, ProjectEdit])
def test_only_first_saves_are_to_be_remembered(kind: type[ChatEdit] | type[ProjectEdit]) -> None:
    assert not edits.creates([kind("a", 1, {"deleted": True})])  # type: ignore[arg-type]  # a table of two id types


def create(store: Store, account: AccountId, name: str) -> Project:
    return store.write(lambda tx: projects.create(tx, name, account_id=account, project_id=P)).result()


def shared(store: Store, account: AccountId) -> None:
    take(store, account, project_change(1, P))


def take(store: Store, account: AccountId, change: ProjectChange) -> None:
    store.write(lambda tx: kinds.apply(tx, account, 0, change)).result()


def edited(store: Store, account: AccountId) -> tuple[ProjectEdit, ...]:
    return store.read(lambda db: projects.edited(db, account))


def get(store: Store) -> Project:
    return store.read(lambda db: projects.get(db, P))
