"""The fold of a view model: swap the frozen properties first, then notify exactly those whose value moved."""

from dataclasses import fields
from typing import Any, Generic, TypeVar

from PySide6.QtCore import Property, QObject, Signal

from desktop.viewmodels.rows import camel

PropsT = TypeVar("PropsT")


def prop(kind: type, name: str, notify: Signal) -> Any:  # noqa: ANN401 a Property is read as the value behind it
    """A QML property that reads field `name` of the object's current props."""
    return Property(kind, lambda self: getattr(self.props, name), notify=notify)


class PropsObject(QObject, Generic[PropsT]):
    """Holds one frozen dataclass; each of its fields has a signal named `<fieldInCamelCase>Changed`."""

    def __init__(self, props: PropsT, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.props = props

    def _become(self, props: PropsT) -> None:
        old, self.props = self.props, props
        for field in fields(props):  # type: ignore[arg-type]  # every PropsT is a dataclass
            if getattr(old, field.name) != getattr(props, field.name):
                getattr(self, camel(field.name) + "Changed").emit()
