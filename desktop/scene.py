"""Loads a window of the QML module and gives it its view model, its theme and its icons."""

from PySide6.QtCore import QObject, QSize, QUrl
from PySide6.QtQml import QQmlApplicationEngine
from PySide6.QtQuick import QQuickWindow

from desktop.assets import QML, resources


def load(
    component: str, view_model: QObject, *, dark: bool, size: QSize | None = None
) -> tuple[QQmlApplicationEngine, QQuickWindow]:
    """The engine, which owns the window, and the window. The view model must outlive the engine."""
    engine = QQmlApplicationEngine()
    engine.addImportPath(str(QML))
    theme = engine.singletonInstance("Homing", "Theme")
    assert isinstance(theme, QObject)
    theme.setProperty("iconFolder", QUrl.fromLocalFile(str(resources() / "icons")))
    theme.setProperty("dark", dark)
    engine.setInitialProperties(
        {"viewModel": view_model, **({"width": size.width(), "height": size.height()} if size else {})}
    )
    engine.loadFromModule("Homing", component)
    (window,) = engine.rootObjects()
    assert isinstance(window, QQuickWindow)
    return engine, window
