"""Journeys use the furnished house and the application of the web tests, through a browser or over HTTP."""

from tests.web.conftest import (
    application,
    client,
    clock,
    furnished,
    house,
    house_template,
    settings,
    site,
    site_database,
)

__all__ = [
    "application", "client", "clock", "furnished", "house", "house_template", "settings", "site", "site_database",
]  # fmt: skip
