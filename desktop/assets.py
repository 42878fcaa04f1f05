"""Where the window's files lie: beside the packages in a checkout, inside this one when installed."""

from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).parent

QML: Final = _HERE / "qml"


def resources() -> Path:
    """The folder of icons and metadata."""
    installed = _HERE / "resources"
    return installed if installed.is_dir() else _HERE.parent / "resources"
