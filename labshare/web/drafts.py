"""The editor of an agreement: a text, what it would do to the current period, and its signature.

What must not live here: what a draft does (services/drafts.py), or who may sign it (services/agreements.py).
"""

from __future__ import annotations

import msgspec
from litestar import Response, Router, get, post
from litestar.params import FromQuery

from labshare.domain.document_faults import too_long
from labshare.domain.people import Action, Actor, may
from labshare.errors import LabShareError, Malformed, Refused, Stale
from labshare.services import agreements, drafts
from labshare.services.drafts import Draft
from labshare.web import given
from labshare.web.rendering import Form, Request, redirect, render

# Nobody reads an agreement longer than this.
LONGEST_TEXT = 200_000

BLANK = """format = "labshare-agreement/1"
id = ""
title_vi = ""
title_en = ""
parties = []
effective_from = 2027-01-01

[[rules]]
id = ""
kind = "cap"
share = "20 %"
window = "year"
sentence_vi = ""
sentence_en = ""
who = { activity = ["economic"] }
where = { centres = [] }
"""


class DraftForm(msgspec.Struct, frozen=True):
    """`version` is the newest one that the signer saw the effect against, 0 where there was none."""

    text: str = ""
    version: int = 0


@get("/agreements/draft", sync_to_thread=True)
def begin(
    request: Request,
    database: given.Database,
    me: given.Me,
    of: FromQuery[str] = "",
) -> Response[str]:
    drafts.require_may_draft(me)
    with database.read() as db:
        text = drafts.text_of(db, me, of) if of else BLANK
    return _page(request, me, text)


@post("/agreements/draft", status_code=200, sync_to_thread=True)
def weigh(
    request: Request, database: given.Database, me: given.Me, now: given.Now, data: Form[DraftForm]
) -> Response[str]:
    try:
        with database.read() as db:
            draft = drafts.weighed(db, me, _text(data), now)
    except (Malformed, Refused) as error:
        return _page(request, me, data.text, error=error)
    return _page(request, me, data.text, draft)


@post("/agreements/draft/sign", sync_to_thread=True)
def sign(
    request: Request, database: given.Database, me: given.Me, now: given.Now, data: Form[DraftForm]
) -> Response[str]:
    try:
        with database.write() as db:
            loaded = agreements.sign(db, me, _text(data), now, seen_version=data.version)
    except (Malformed, Refused, Stale) as error:
        return _page(request, me, data.text, error=error)
    return redirect(request, f"/agreements/{loaded.agreement_id}", notice="agreement_signed")


def _text(data: DraftForm) -> str:
    """What was typed. Browsers send lines that end in CR LF, which TOML reads, but texts are kept as files are."""
    if len(data.text) > LONGEST_TEXT:
        raise too_long("agreement_unreadable", LONGEST_TEXT)
    return data.text.replace("\r\n", "\n")


def _page(
    request: Request, me: Actor, text: str, draft: Draft | None = None, error: LabShareError | None = None
) -> Response[str]:
    return render(
        request,
        "agreements/draft.html",
        status=error.status if error else 200,
        text=text,
        draft=draft,
        may_sign=may(me, Action.LOAD_AGREEMENT),
        refusals=error.refusals if error else (),
    )


router = Router("/", route_handlers=[begin, weigh, sign])
