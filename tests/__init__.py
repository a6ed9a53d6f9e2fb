"""The tests, laid out as a mirror of the package. Nothing but tests and what they need lives here."""
