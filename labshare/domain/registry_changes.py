"""What differs between the registry that stands and the one that is to replace it, noun by noun.

What must not live here: how a difference is saved. The preview of a load and the load itself read the same value.
"""

from __future__ import annotations

import msgspec

from labshare.domain.registry import Registry, Row, key

# Replaced as a whole when any of them differs: nothing outside the registry speaks of their rows.
TECHNOLOGY_NOUNS = ("taxonomies", "technology_groups", "technology_products", "technology_crosswalk")


class NounChanges(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of one noun by what becomes of them. `gone` are keys: retired, or removed for a technology noun."""

    noun: str
    added: tuple[Row, ...] = ()
    changed: tuple[Row, ...] = ()
    gone: tuple[str, ...] = ()
    unchanged: int = 0

    @property
    def count(self) -> int:
        return len(self.added) + len(self.changed) + len(self.gone)


def changes(standing: Registry, wanted: Registry) -> tuple[NounChanges, ...]:
    """The changes of every noun, in the order of `Registry`. A retired row that is wanted again counts as changed."""
    return tuple(
        _changes_of(noun, getattr(standing, noun), getattr(wanted, noun)) for noun in Registry.__struct_fields__
    )


def _changes_of(noun: str, standing: tuple[Row, ...], wanted: tuple[Row, ...]) -> NounChanges:
    before = {key(row): row for row in standing}
    after = {key(row): row for row in wanted}
    changed = tuple(row for name, row in after.items() if name in before and before[name] != row)
    return NounChanges(
        noun=noun,
        added=tuple(row for name, row in after.items() if name not in before),
        changed=changed,
        gone=tuple(name for name, row in before.items() if name not in after and not is_retired(row)),
        unchanged=sum(name in before for name in after) - len(changed),
    )


def has_moved(standing: Registry, wanted: Registry) -> bool:
    """Whether an instrument goes to another centre, or a centre to another host."""
    before, after = _owners(standing), _owners(wanted)
    return any(before.get(name, owner) != owner for name, owner in after.items())


def _owners(registry: Registry) -> dict[tuple[str, str], str]:
    centres = {("centres", each.id): each.host_id for each in registry.centres}
    return centres | {("instruments", each.id): each.centre_id for each in registry.instruments}


def is_retired(row: Row) -> bool:
    return getattr(row, "retired_at", None) is not None


def in_use(registry: Registry) -> Registry:
    """The registry without its retired rows: what an export writes."""
    return Registry(
        **{
            noun: tuple(row for row in getattr(registry, noun) if not is_retired(row))
            for noun in Registry.__struct_fields__
        }
    )
