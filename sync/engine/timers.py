"""The names of the engine's timers."""

from enum import StrEnum


class Timer(StrEnum):
    """What a timer is for. Setting one replaces the one of the same name."""

    POLL = "poll"
    RETRY = "retry"
    CHATS = "chats"
    ERRANDS = "errands"
    STORE = "store"
    FILL = "fill"
    HEADS = "heads"
    SETTLE = "settle"
