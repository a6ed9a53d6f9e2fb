"""The planning desk of a national round: 200 instruments at 20 centres, 3,000 requests, some 2,400 sessions.

CPU of one answer through the whole application, and how much the browser is sent. `make bench` prints a line for each.
"""

from __future__ import annotations

import statistics
import time

from labshare.app import create_app
from labshare.services.desk import desk
from labshare.services.people import sign_in_as
from labshare.settings import Settings
from labshare.store.engine import Database
from tests.benchmarks.asgi import Caller, called
from tests.furniture import OFFICE, actor
from tests.national_round import proposed
from tests.round_of import LATER

TURNS = 5


def test_the_parts_of_a_national_desk(database: Database) -> None:
    with database.write() as db:
        r, _ = proposed(db)
        tokens = {who: sign_in_as(db, who, LATER, hours=12)[1] for who in ("office", "manager")}
        shown = desk(db, actor(OFFICE), r.id, LATER)
    assert shown is not None
    print(f"\n{shown.placed} sessions, {len(shown.left_out)} requests left out")
    left = f"/rounds/{r.id}/left-out"
    parts = [
        ("office", "the page", f"/rounds/{r.id}", False),
        ("office", "one centre's strips", f"/rounds/{r.id}/strips?centre=C-ONE", True),
        ("office", "100 more left out", f"{left}?after=25", True),
        ("office", "what would help one", f"{left}/{shown.left_out[0].line.request.id}", True),
        ("manager", "the page", f"/rounds/{r.id}", False),
        ("manager", "table of sessions", f"/rounds/{r.id}/sessions", False),
    ]
    app = create_app(Settings(secret="x" * 64, secure_cookies=False), database=database, clock=lambda: LATER)
    with called(app) as caller:
        for who, what, path, is_part in parts:
            _measure(caller, f"{who}: {what}", path, tokens[who], is_part=is_part)


def _measure(caller: Caller, what: str, path: str, token: str, *, is_part: bool) -> None:
    headers = {"Cookie": f"sign_in={token}", "Host": "localhost"} | ({"HX-Request": "true"} if is_part else {})
    times: list[float] = []
    body = b""
    for _ in range(TURNS):
        began = time.process_time()
        status, body = caller.call("GET", path, headers=headers)
        times.append(1000 * (time.process_time() - began))
        assert status == 200, body[:500]
    print(
        f"{what:32} CPU ms: median {statistics.median(times):5.0f}  least {min(times):5.0f}  {len(body) // 1000:5} kB"
    )
