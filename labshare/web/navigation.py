"""What stands in the navigation, in its order. The first four have a place in a phone's bar; the rest are under More.

A link stands here only while its page exists; a test follows each one as every role.
"""

from __future__ import annotations

import msgspec

from labshare.domain.people import Action, Actor, may_somewhere


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """A link: `label` is looked up in the catalogue; `needs` hides it from those who may do none of these anywhere."""

    path: str
    label: str
    icon: str
    needs: tuple[Action, ...] = ()
    signed_in: bool = False

    def is_at(self, path: str) -> bool:
        """Whether the page at this path belongs to the item."""
        return path == self.path or (self.path != "/" and path.startswith(f"{self.path}/"))


ITEMS: tuple[Item, ...] = (
    Item(path="/", label="Home", icon="house"),
    Item(path="/instruments", label="Instruments", icon="microscope"),
    Item(path="/bookings", label="Bookings", icon="calendar-days", signed_in=True),
    Item(path="/rounds", label="Rounds", icon="clipboard-list"),
    Item(path="/projects", label="Projects", icon="file-text", signed_in=True),
    Item(path="/people", label="People", icon="users", needs=(Action.MANAGE_PEOPLE,)),
    Item(path="/agreements", label="Agreements", icon="handshake", needs=(Action.READ_AGREEMENT,)),
    Item(path="/reports/utilisation", label="Reports", icon="chart-column", needs=(Action.READ_REPORT,)),
    Item(path="/centres", label="Centres", icon="building-2"),
    Item(path="/technologies", label="Technologies", icon="layers"),
)


def items(actor: Actor | None) -> tuple[Item, ...]:
    """The links for this reader."""
    return tuple(item for item in ITEMS if _shown(item, actor))


def _shown(item: Item, actor: Actor | None) -> bool:
    if item.needs:
        return any(may_somewhere(actor, action) for action in item.needs)
    return actor is not None or not item.signed_in
