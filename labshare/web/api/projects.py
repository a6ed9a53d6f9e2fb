"""/api/v1/projects: the projects whose time a program's person may spend, so that it can name one when it books."""

from __future__ import annotations

from datetime import datetime

import msgspec
from litestar import Response, get

from labshare.domain.projects import AccessClass, Activity, ProjectState
from labshare.services import projects as service
from labshare.web import given
from labshare.web.api.answers import answer
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
    items: tuple[ProjectView, ...]


@get("/projects", sync_to_thread=True, operation_id="listProjects", summary="My projects",
     tags=["projects"], responses=problems())  # fmt: skip
def listing(request: Request, database: given.Database, me: given.Me) -> Response[ProjectList]:
    """My projects: those I lead and those I am a member of."""
    with database.read() as db:
        found = [line.project for line in service.mine(db, me)]
    views = tuple(
        ProjectView(
            code=project.code,
            title=project.title,
            organisation=project.organisation_id,
            access_class=project.access_class,
            activity=project.activity,
            state=project.state,
            expires_at=project.expires_at,
        )
        for project in found
    )
    return answer(request, ProjectList(items=views))


HANDLERS = [listing]
