"""What a handler may ask for by naming it: `database: given.Database`, `me: given.Me`, and so on (see labshare.app)."""

from __future__ import annotations

from datetime import datetime

from litestar.di import NamedDependency

from labshare import live, services, settings
from labshare.domain.people import Actor
from labshare.services import feeds, replay_pages

Database = NamedDependency[services.Database]
Settings = NamedDependency[settings.Settings]
Hub = NamedDependency[live.Hub]
Shelf = NamedDependency[replay_pages.Shelf]
FeedTexts = NamedDependency[feeds.Texts]

# The instant at which the request is judged; rules never look at a clock themselves.
Now = NamedDependency[datetime]

# `actor: given.Reader` is None when nobody is signed in; `me: given.Me` answers 401 then.
Reader = NamedDependency[Actor | None]
Me = NamedDependency[Actor]
