"""Which modes and set-ups an instrument offers: the page on which the managers of its centre choose.

What must not live here: what may be offered (domain/modes.py).
"""

from __future__ import annotations

import msgspec
from litestar import Response, Router, get, post
from litestar.params import FromPath

from labshare.domain.modes import LONGEST_SETUP, MOST_SETUPS, Mode
from labshare.domain.people import Actor
from labshare.errors import Refused
from labshare.services import Database, modes
from labshare.web import given
from labshare.web.rendering import Form, Request, redirect, render


class OfferForm(msgspec.Struct, frozen=True, kw_only=True):
    """A box for each mode, named as its value is, and the set-ups, one a line."""

    self_: str = msgspec.field(default="", name="self")
    assisted: str = ""
    commissioned: str = ""
    setups: str = ""

    @property
    def modes(self) -> list[str]:
        ticked = {Mode.SELF: self.self_, Mode.ASSISTED: self.assisted, Mode.COMMISSIONED: self.commissioned}
        return [mode.value for mode, value in ticked.items() if value]


@get("/instruments/{instrument_id:str}/modes", sync_to_thread=True)
def show(request: Request, database: given.Database, me: given.Me, instrument_id: FromPath[str]) -> Response[str]:
    return _page(request, database, me, instrument_id)


@post("/instruments/{instrument_id:str}/modes", sync_to_thread=True)
def choose(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    instrument_id: FromPath[str],
    data: Form[OfferForm],
) -> Response[str]:
    try:
        with database.write() as db:
            modes.choose(db, me, instrument_id, data.modes, data.setups, now)
    except Refused as error:
        return _page(request, database, me, instrument_id, data, error)
    return redirect(request, f"/instruments/{instrument_id}", notice="modes_chosen")


def _page(
    request: Request,
    database: Database,
    me: Actor,
    instrument_id: str,
    form: OfferForm | None = None,
    error: Refused | None = None,
) -> Response[str]:
    with database.read() as db:
        rules = modes.offered(db, me, instrument_id)
    return render(
        request,
        "bookings/modes.html",
        status=error.status if error else 200,
        rules=rules,
        modes=[each.value for each in Mode],
        chosen=form.modes if form else [each.value for each in rules.modes],
        setups=form.setups if form else "\n".join(rules.setups),
        most=MOST_SETUPS,
        longest=LONGEST_SETUP,
        refusals=error.refusals if error else (),
    )


router = Router("/", route_handlers=[show, choose])
