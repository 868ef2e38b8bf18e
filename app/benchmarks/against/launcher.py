"""A program that runs a command and tells what it spent: `python launcher.py FOLDER COMMAND …`.

It is a process of its own, and a small one without the project's libraries, since Linux counts the peak of a
process from that of the process that started it.
"""

from __future__ import annotations

import json
import os
import sys
import time


def main(folder: str, *command: str) -> None:
    """Run the command in `folder`, silently but for its errors, and print what it spent as json.

    code: its exit code, negative for a signal; seconds; cpu_seconds: user and system; peak: memory in bytes
    """
    os.chdir(folder)
    silent = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
    ]
    begun = time.perf_counter()
    process = os.posix_spawn(command[0], command, os.environ, file_actions=silent)
    _, status, used = os.wait4(process, 0)
    seconds = time.perf_counter() - begun
    spent = {
        "code": os.waitstatus_to_exitcode(status),
        "seconds": seconds,
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "peak": used.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
    }
    print(json.dumps(spent))


if __name__ == "__main__":
    main(*sys.argv[1:])
