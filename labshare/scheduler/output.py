"""What commands say: one line for each thing on standard error or output, whatever the names in it, and whole files.

Ids come from files that anybody may have written: they may hold line breaks, or signs that this terminal cannot show.
"""

from __future__ import annotations

import errno
import os
import sys
import tempfile
from pathlib import Path
from typing import TextIO

from labshare.scheduler.reading import Fault, Malformed


def one_line(text: str) -> str:
    """The text with what is not printable (line breaks, control signs) written as an escape."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def say(line: str) -> None:
    """One line on standard error."""
    _write(sys.stderr, one_line(line) + "\n")


def answer(text: str) -> None:
    """Text on standard output, as it stands."""
    _write(sys.stdout, text)


def _write(stream: TextIO, text: str) -> None:
    encoding = stream.encoding or "utf-8"
    try:
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()
    except BrokenPipeError:
        # Whoever reads has seen enough (`| head`); without this Python would complain once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def must_be_writable(*paths: Path) -> None:
    """Refuse before the work what could not be written after it.

    Raises:
        OSError: a folder that is not there or may not be written to, or a path that is a folder.
        Malformed: two of the paths are the same.
    """
    if len({path.absolute() for path in paths}) < len(paths):
        raise Malformed([Fault("--problem-out", "is the same file as -o")])
    for path in paths:
        if not path.parent.is_dir():
            raise _fault(errno.ENOENT, path)
        if path.is_dir():
            raise _fault(errno.EISDIR, path)
        if not os.access(path.parent, os.W_OK):
            raise _fault(errno.EACCES, path)


def _fault(number: int, path: Path) -> OSError:
    return OSError(number, os.strerror(number), str(path))


def write_atomically(path: Path, data: bytes) -> None:
    """The file is there whole or not at all, whenever the process ends. Raises `OSError` with the path's name."""
    temporary: Path | None = None
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".labshare.")
        temporary = Path(name)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException as error:
        if temporary:
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None:
            raise _fault(error.errno, path) from error
        raise
