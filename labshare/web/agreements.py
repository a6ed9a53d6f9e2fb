"""The pages of agreements: the list, and one agreement in plain words with a bar for each rule.

What must not live here: which of its figures a reader may see (services/entitlements.py).
"""

from __future__ import annotations

from litestar import Response, Router, get
from litestar.params import FromPath

from labshare.services import entitlements
from labshare.web import given
from labshare.web.rendering import Request, render


@get("/agreements", sync_to_thread=True)
def list_agreements(request: Request, database: given.Database, me: given.Me, now: given.Now) -> Response[str]:
    with database.read() as db:
        lines, names = entitlements.agreements(db, me, now)
    return render(request, "agreements/page.html", lines=lines, names=names)


@get("/agreements/{agreement_id:str}", sync_to_thread=True)
def agreement(
    request: Request, database: given.Database, me: given.Me, now: given.Now, agreement_id: FromPath[str]
) -> Response[str]:
    with database.read() as db:
        page = entitlements.agreement(db, me, agreement_id, now)
    by_rule = {
        rule.id: [each for each in page.line.standings if each.rule.id == rule.id] for rule in page.line.agreement.rules
    }
    return render(request, "agreements/agreement.html", page=page, by_rule=by_rule)


router = Router("/", route_handlers=[list_agreements, agreement])
