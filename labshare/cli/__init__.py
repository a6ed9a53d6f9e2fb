"""The command line: `labshare COMMAND`. Each command reads its words, calls one service and says what came of it.

What must not live here: decisions. Commands import what they need when they run, so that `labshare --help` is quick.

Exit codes: 0 done; 1 refused, or violations found; 2 input that cannot be read, settings included; 3 infeasible.
"""

from __future__ import annotations

import rich_click as click

from labshare import __version__
from labshare.cli import loading, replaying, serving, solving, tokens
from labshare.cli.common import Commands

main = Commands(name="labshare", help="Shared research instruments: registry, booking, planning, reports.")
click.version_option(__version__, prog_name="labshare")(main)

for _command in (
    serving.demo,
    serving.serve,
    serving.migrate,
    serving.recount,
    loading.load,
    loading.export,
    loading.create_admin,
    loading.agreement,
    tokens.token,
    solving.solve,
    solving.check,
    solving.explain,
    solving.repair,
    solving.schema,
    replaying.replay,
):
    main.add_command(_command)
