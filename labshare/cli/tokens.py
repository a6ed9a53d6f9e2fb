"""`labshare token`: secrets with which programs speak for people."""

from __future__ import annotations

from uuid import UUID

import rich_click as click

from labshare.cli.common import open_database, say, settings, utc_now, with_example


@click.group(cls=click.RichGroup)
def token() -> None:
    """Make, list and revoke the tokens with which programs use the API."""


@with_example("labshare token create --person researcher.ims --days 30 --label 'plotter script'")
@token.command()
@click.option("--person", required=True, metavar="LOGIN", help="For whom the token speaks.")
@click.option("--days", default=90, show_default=True, help="How long it holds.")
@click.option("--label", default="", help="What it is for, to tell it from others later.")
def create(person: str, days: int, label: str) -> None:
    """Make a token and show its secret, once: only its hash is kept."""
    from labshare import formats
    from labshare.services import tokens

    with open_database(settings()) as database, database.write() as db:
        issued = tokens.create(db, login=person, days=days, label=label, now=utc_now())
    until = formats.moment(issued.token.expires_at)
    say("Token %(id)s speaks for %(login)s until %(until)s. Its secret, shown only now:",
        err=True, id=issued.token.id, login=person, until=until)  # fmt: skip
    # The secret alone goes to stdout, so that a script can keep it.
    click.echo(issued.secret)


@with_example("labshare token list --person researcher.ims")
@token.command("list")
@click.option("--person", metavar="LOGIN", help="Only the tokens of this person.")
def list_tokens(person: str | None) -> None:
    """List tokens with their state; secrets cannot be shown again."""
    from labshare import formats
    from labshare.services import tokens

    now = utc_now()
    with open_database(settings()) as database, database.read() as db:
        lines = tokens.listing(db, person)
    for line in lines:
        held = line.token
        until = formats.moment(held.expires_at)
        click.echo("  ".join((str(held.id), line.login, f"{held.state(now):<8}", until, held.label)).rstrip())


@with_example("labshare token revoke 7d3c6a54-6f0c-4d8f-8a6e-0f2f5f4f3c11")
@token.command()
@click.argument("token_id", metavar="ID", type=click.UUID)
def revoke(token_id: UUID) -> None:
    """End a token at once. `labshare token list` shows the ids."""
    from labshare.services import tokens

    with open_database(settings()) as database, database.write() as db:
        tokens.revoke(db, token_id, utc_now())
    say("Token %(id)s is revoked.", id=token_id)
