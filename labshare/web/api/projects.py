"""/api/v1/projects: the projects whose time a program's person may spend, so that it can name one when it books."""

from __future__ import annotations

from datetime import datetime

import msgspec
from litestar import Response, get

from labshare.domain.projects import AccessClass, Activity, Project, ProjectState
from labshare.services import projects as service
from labshare.web import given
from labshare.web.api import paging
from labshare.web.api.answers import answer
from labshare.web.api.reading import Code
from labshare.web.api.schema import problems
from labshare.web.rendering import Request


class ProjectView(msgspec.Struct, frozen=True, kw_only=True):
    """A project. It can pay for a booking while it is verified and until it expires."""

    code: str
    title: str
    organisation: str
    access_class: AccessClass
    activity: Activity
    state: ProjectState
    expires_at: datetime | None


class ProjectList(msgspec.Struct, frozen=True, kw_only=True):
    """One page. `next` is the path of the next one, None on the last."""

    items: tuple[ProjectView, ...]
    next: str | None


@get("/projects", sync_to_thread=True, operation_id="listProjects", summary="My projects",
     tags=["projects"], responses=problems())  # fmt: skip
def listing(
    request: Request,
    database: given.Database,
    me: given.Me,
    cursor: paging.Cursor = "",
    limit: paging.Limit = paging.USUAL_PAGE,
) -> Response[ProjectList]:
    """My projects, by code: those I lead and those I am a member of."""
    place = paging.behind(cursor, tuple[Code])
    with database.read() as db:
        found = service.mine_after(db, me, after=place[0] if place else "", limit=limit + 1)
    lines, following = paging.page(request, found, limit, lambda line: (line.project.code,))
    items = tuple(_view(line.project) for line in lines)
    return answer(request, ProjectList(items=items, next=following), following=following)


HANDLERS = [listing]


def _view(project: Project) -> ProjectView:
    return ProjectView(
        code=project.code,
        title=project.title,
        organisation=project.organisation_id,
        access_class=project.access_class,
        activity=project.activity,
        state=project.state,
        expires_at=project.expires_at,
    )
