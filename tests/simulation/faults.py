"""The weather of a session: what goes wrong by itself, one profile per seed, so that sessions differ in kind."""

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class Faults:
    """Probabilities per request, store effect or poke. After the heal all are zero but that of lost pokes."""

    drop_request: float = 0.0
    drop_answer: float = 0.0
    double_request: float = 0.0
    double_answer: float = 0.0
    slow: float = 0.0
    busy: float = 0.0
    unauthorised: float = 0.0
    lose_poke: float = 0.0
    store_fails: float = 0.0
    poison: float = 0.0
    trickle: float = 0.0
    """Somebody else's message comes with an answer: the server never stands still."""


CALM = Faults()


def draw_faults(random: Random) -> Faults:
    """A profile: each kind of fault is absent in half of the sessions or more."""

    def some(most: float) -> float:
        return random.random() * most if random.random() < 0.4 else 0.0

    return Faults(
        drop_request=some(0.4),
        drop_answer=some(0.4),
        double_request=some(0.4),
        double_answer=some(0.4),
        slow=some(0.3),
        busy=some(0.3),
        unauthorised=some(0.2),
        lose_poke=random.choice((0.0, 0.0, 0.3, 1.0)),
        store_fails=some(0.3),
        poison=some(0.2),
        trickle=some(0.2),
    )
