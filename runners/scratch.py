"""Folders for files that nobody needs afterwards, removed also for processes that were killed."""

import fcntl
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PREFIX = "dollygrip-"
# Locked as long as the process lives that made the folder: the system sees to it, whatever ends it.
_LOCK = ".in-use"
# Seconds; between making a folder and locking it there is a moment.
_YOUNG = 60.0


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """An empty folder, absolute and without links in its path; removed afterwards.

    What killed processes of the same user left behind is removed, too.

    Raises:
        OSError: It cannot be made.
    """
    _sweep()
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX)).resolve()
    try:
        with (folder.parent / f"{folder.name}{_LOCK}").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder
    finally:
        _remove(folder)


def _sweep() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        try:
            about = folder.lstat()
            own = stat.S_ISDIR(about.st_mode) and about.st_uid == os.getuid()
            if not own or time.time() - about.st_mtime < _YOUNG:
                continue
            with (folder.parent / f"{folder.name}{_LOCK}").open("r") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # in use, or not one of these
            continue
        _remove(folder)


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    (folder.parent / f"{folder.name}{_LOCK}").unlink(missing_ok=True)
