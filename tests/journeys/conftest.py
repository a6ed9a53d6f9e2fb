"""Journeys use the furnished house and the application of the web tests, through a browser or over HTTP."""

from tests.web.conftest import client, clock, house, settings, site

__all__ = ["client", "clock", "house", "settings", "site"]
