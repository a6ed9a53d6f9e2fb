"""Rows that every plan keeps and a relaxation breaks: at most one of sessions of which any two clash.

On an instrument, or for a person who must be there, let others hold every slot of a stretch and one request touch any
of them. Any two of those starts clash: two of others in the stretch, one of the request where it touches it with any of
them, and two of the request since it is served once. Rows for single slots let a request have half of its time here and
half a little later; this one does not. Source: Sousa and Wolsey, "A time indexed formulation of non-preemptive single
machine scheduling problems", Mathematical Programming 54 (1992). What must not live here: when to look for them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from labshare.scheduler.layout import Ints
from labshare.scheduler.timed_model import Bools, Floats, Rows, TimedModel

# What counts as taken; and by how much a row must be broken to be worth its place.
SOME, BROKEN = 1e-6, 0.02
# The most rows of one request on one line at a time: those that are broken most.
EACH = 2


class Cliques:
    """The cliques of a model, each told once."""

    def __init__(self, model: TimedModel) -> None:
        layout, columns = model.layout, model.columns
        self._request, self._start, self._end = columns.request, columns.start, model.end
        self._size = model.size
        # By instrument and by person, the line that each column takes from its start to its end.
        self._lines = [
            layout.by_run(lambda run: layout.uses(run)[0].line)[columns.run],
            layout.by_run(lambda run: layout.uses(run)[1].line)[columns.run],
        ]
        self._told: set[bytes] = set()

    def broken(self, values: Floats) -> Rows:
        """Rows that these values of a program's variables break."""
        values = values[: self._size]
        found: list[Ints] = []
        for lines in self._lines:
            taken = np.flatnonzero((values > SOME) & (lines >= 0))
            for columns in _parts(taken, lines[taken]):
                for request in _several(self._request[columns]):
                    for first, last in self._stretches(columns, request, values):
                        members = self._members(np.flatnonzero(lines == lines[columns[0]]), request, first, last)
                        # Another stretch may have the same members.
                        if (told := members.tobytes()) not in self._told:
                            self._told.add(told)
                            found.append(members)
        return Rows.at_most_one(found)

    def _stretches(self, columns: Ints, request: int, values: Floats) -> list[tuple[int, int]]:
        """The stretches that are taken most by this request together with others, of columns on one line."""
        own, others = columns[self._request[columns] == request], columns[self._request[columns] != request]
        first = np.unique(np.concatenate((self._end[own] - 1, self._start[others])))
        last = np.unique(np.concatenate((self._start[own], self._end[others] - 1)))
        # (first, last): what of the request touches a stretch, and what of others holds all of it.
        touching = ((self._end[own] > first[:, None]) * values[own]) @ (self._start[own][:, None] <= last)
        holding = ((self._start[others] <= first[:, None]) * values[others]) @ (self._end[others][:, None] > last)
        taken: Floats = np.where(first[:, None] < last, np.round(touching + holding, 9), 0.0)
        most = np.argsort(-taken, axis=None, kind="stable")[:EACH]
        at = [divmod(k, len(last)) for k in most.tolist()]
        return [(int(first[a]), int(last[b])) for a, b in at if taken[a, b] > 1 + BROKEN]

    def _members(self, columns: Ints, request: int, first: int, last: int) -> Ints:
        """Of all columns on a line those of a clique, whether they are taken or not."""
        start, end = self._start[columns], self._end[columns]
        touches: Bools = (start <= last) & (end > first)
        holds: Bools = (start <= first) & (end > last)
        return columns[np.where(self._request[columns] == request, touches, holds)]


def _parts(columns: Ints, line: Ints) -> Iterator[Ints]:
    """The columns of each line that has several."""
    order = np.argsort(line, kind="stable")
    edges = np.flatnonzero(np.diff(line[order])) + 1
    return (part for part in np.split(columns[order], edges) if len(part) > 1)


def _several(requests: Ints) -> list[int]:
    """Those that occur more than once, in order."""
    found, count = np.unique(requests, return_counts=True)
    return found[count > 1].tolist()
