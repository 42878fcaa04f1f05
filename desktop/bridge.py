"""The one way from another thread to the GUI thread: a queued signal that carries what to run there."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from PySide6.QtCore import QObject, Qt, Signal, Slot

T = TypeVar("T")


class Bridge(QObject):
    """Lives on the GUI thread. After `close` whatever still arrives is dropped: its window is gone."""

    _posted = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._open = True
        self._posted.connect(self._run, Qt.ConnectionType.QueuedConnection)

    def post(self, call: Callable[[], None]) -> None:
        """Runs `call` on the GUI thread, in the order of posting. Safe from any thread."""
        if self._open:
            self._posted.emit(call)

    def deliver(
        self,
        future: Future[T],
        done: Callable[[T], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        """Hands a future's outcome to one of the two, on the GUI thread; a cancelled one to neither."""

        def settle(settled: Future[T]) -> None:
            if settled.cancelled():
                return
            error = settled.exception()
            if error is not None:
                self.post(lambda: failed(error))
            else:
                self.post(lambda: done(settled.result()))

        future.add_done_callback(settle)

    def close(self) -> None:
        """Drops everything that has not run yet."""
        self._open = False

    @Slot(object)
    def _run(self, call: Callable[[], None]) -> None:
        if self._open:
            call()
