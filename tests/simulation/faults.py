"""What goes wrong in a session: one profile per seed, so that sessions differ in kind and not only in luck."""

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class Faults:
    """Probabilities per request or per action. After the heal all are zero."""

    drop_request: float = 0.0
    drop_answer: float = 0.0
    double_request: float = 0.0
    double_answer: float = 0.0
    slow: float = 0.0
    busy: float = 0.0
    unauthorised: float = 0.0
    lose_poke: float = 0.0
    store_fails: float = 0.0
    crash: float = 0.0
    restore: float = 0.0
    network_flaps: float = 0.0
    sign_out: float = 0.0
    poison: float = 0.0
    delete_chat: float = 0.0
    same_id: float = 0.0
    tombstone: float = 0.0


def draw_faults(random: Random) -> Faults:
    """A profile: each kind of fault is absent in about half of the sessions."""

    def some(most: float) -> float:
        return random.random() * most if random.random() < 0.5 else 0.0

    return Faults(
        drop_request=some(0.4),
        drop_answer=some(0.4),
        double_request=some(0.4),
        double_answer=some(0.4),
        slow=some(0.3),
        busy=some(0.3),
        unauthorised=some(0.2),
        lose_poke=random.choice((0.0, 0.3, 1.0)),
        store_fails=some(0.3),
        crash=some(0.15),
        restore=some(0.06),
        network_flaps=some(0.1),
        sign_out=some(0.05),
        poison=some(0.1),
        delete_chat=some(0.05),
        same_id=some(0.05),
        tombstone=some(0.05),
    )
