"""A list model over frozen rows that turns one list into the next by the smallest moves, and emits only those."""

from collections.abc import Hashable, Sequence
from dataclasses import fields
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from PySide6.QtCore import (
    Property,
    QAbstractListModel,
    QByteArray,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
    Signal,
)


class Row(Protocol):
    """A frozen dataclass whose fields are the roles, named in camelCase for QML."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def key(self) -> Hashable:
        """What makes two rows the same thing at two moments."""


RowT = TypeVar("RowT", bound=Row)

_FIRST_ROLE = Qt.ItemDataRole.UserRole + 1


def camel(name: str) -> str:
    """`badge_text` as QML writes it: `badgeText`."""
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)


class RowsModel(QAbstractListModel, Generic[RowT]):
    """Rows of one dataclass. A field that holds a callable is lazy: it is called when a delegate asks."""

    countChanged = Signal()
    replaced = Signal()
    """The list shows another subject."""

    def __init__(self, row_type: type[RowT], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._fields = [field.name for field in fields(row_type)]
        self._rows: list[RowT] = []

    @property
    def rows(self) -> Sequence[RowT]:
        """What the model shows now."""
        return self._rows

    def rowCount(self, parent: QModelIndex | QPersistentModelIndex = QModelIndex()) -> int:  # noqa: B008 Qt's default
        """As Qt asks for it."""
        return 0 if parent.isValid() else len(self._rows)

    def roleNames(self) -> dict[int, QByteArray]:
        """One role a field."""
        return {_FIRST_ROLE + i: QByteArray(camel(name).encode()) for i, name in enumerate(self._fields)}

    def data(
        self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole
    ) -> object:
        """The field behind a role; lazy ones are computed here."""
        which = role - _FIRST_ROLE
        if not index.isValid() or not 0 <= which < len(self._fields):
            return None
        value = getattr(self._rows[index.row()], self._fields[which])
        return value() if callable(value) else value

    def replace(self, rows: Sequence[RowT]) -> None:
        """Everything anew, when the list shows another subject."""
        # Not by a reset: a ListView that is still making delegates then asks for rows that are gone.
        self._remove_all_but(set())
        if rows:
            self._insert(0, rows)
        self.countChanged.emit()
        self.replaced.emit()

    def become(self, rows: Sequence[RowT]) -> None:
        """Turns the shown list into `rows` by removals, moves, insertions and changed roles, and nothing else."""
        before = len(self._rows)
        self._remove_all_but({row.key for row in rows})
        held = {row.key for row in self._rows}
        at = 0
        while at < len(rows):
            if rows[at].key in held:
                self._place(at, rows[at])
                at += 1
            else:
                end = next((i for i in range(at, len(rows)) if rows[i].key in held), len(rows))
                self._insert(at, rows[at:end])
                at = end
        if len(self._rows) != before:
            self.countChanged.emit()

    def _remove_all_but(self, keys: set[Hashable]) -> None:
        last = len(self._rows) - 1
        while last >= 0:
            if self._rows[last].key in keys:
                last -= 1
                continue
            first = last
            while first > 0 and self._rows[first - 1].key not in keys:
                first -= 1
            self.beginRemoveRows(QModelIndex(), first, last)
            del self._rows[first : last + 1]
            self.endRemoveRows()
            last = first - 1

    def _insert(self, at: int, rows: Sequence[RowT]) -> None:
        self.beginInsertRows(QModelIndex(), at, at + len(rows) - 1)
        self._rows[at:at] = rows
        self.endInsertRows()

    def _place(self, at: int, row: RowT) -> None:
        held = next(i for i in range(at, len(self._rows)) if self._rows[i].key == row.key)
        if held != at:
            self.beginMoveRows(QModelIndex(), held, held, QModelIndex(), at)
            self._rows.insert(at, self._rows.pop(held))
            self.endMoveRows()
        self._change(at, row)

    def _change(self, at: int, row: RowT) -> None:
        old = self._rows[at]
        moved = [
            _FIRST_ROLE + i for i, name in enumerate(self._fields) if getattr(old, name) != getattr(row, name)
        ]
        if moved:
            self._rows[at] = row
            self.dataChanged.emit(self.index(at), self.index(at), moved)

    count: Any = Property(int, lambda self: len(self._rows), notify=countChanged)
