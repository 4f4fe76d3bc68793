#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""accesses.py TRACE...: what the services of ours did with files, from `strace -ff -y -e trace=%file`, one process in each TRACE.

Prints "PROGRAM KIND PATH", each once. A process counts from the execve of one of ours on. KIND is read, write, create, list, search,
mkdir, rmdir, unlink, symlink, rename, attributes, readlink or run; a folder's path ends with a slash. Only calls that succeeded."""
import posixpath
import re
import sys

PROGRAMS = {"serviceradar-agent", "agent-fetch", "agent-updater", "serviceradar-netprobe"}


def joined(base, name):
    return posixpath.normpath(posixpath.join(base or "/", name))


def opened(arguments, path):
    path = path.removesuffix(" (deleted)")
    if not path.startswith("/") or path.startswith("/memfd:") or "O_PATH" in arguments:
        return
    if "O_TMPFILE" in arguments:
        yield "create", path
    elif "O_DIRECTORY" in arguments:
        yield "list", path.rstrip("/") + "/"
    else:
        if "O_WRONLY" not in arguments:
            yield "read", path
        if "O_CREAT" in arguments:
            yield "create", path
        if re.search("O_WRONLY|O_RDWR|O_TRUNC", arguments):
            yield "write", path


def accesses(line):
    m = re.match(r"(\w+)\((.*)\)\s+= (\d+)(?:<([^>]*)>)?$", line)
    if not m:
        return
    call, arguments, opened_path = m[1], m[2], m[4]
    paths = [joined(at, name) for at, name in re.findall(r'(?:(?:AT_FDCWD|\d+)<([^>]*)>, )?"([^"]*)"', arguments)]
    if call in ("open", "openat", "openat2"):
        if opened_path:
            yield from opened(arguments, opened_path)
    elif not paths or not paths[0].strip("/"):
        return
    elif call == "execve":
        yield "run", paths[0]
    elif call in ("mkdir", "mkdirat"):
        yield "mkdir", paths[0] + "/"
    elif call == "rmdir" or (call == "unlinkat" and "AT_REMOVEDIR" in arguments):
        yield "rmdir", paths[0] + "/"
    elif call in ("unlink", "unlinkat"):
        yield "unlink", paths[0]
    elif call in ("symlink", "symlinkat"):
        yield "symlink", paths[-1]
    elif call in ("rename", "renameat", "renameat2"):
        yield "rename", paths[0]
        yield "rename", paths[-1]
    elif call in ("chmod", "fchmodat", "chown", "fchownat", "utimensat", "truncate"):
        yield "attributes", paths[0]
    elif call in ("readlink", "readlinkat"):
        yield "readlink", paths[0]


def main():
    seen = set()
    for trace in sys.argv[1:]:
        program = None
        for line in open(trace, encoding="utf-8", errors="replace"):
            for kind, path in accesses(line.strip()):
                if kind == "run" and posixpath.basename(path) in PROGRAMS:
                    # By the path that its links lead to, policies are attached to it: that is tested elsewhere.
                    if program:
                        seen.add((program, kind, path))
                    program = posixpath.basename(path)
                elif program:
                    seen.add((program, kind, path))
                    if kind == "run":
                        program = None  # another program, with a policy of its own or none
    for access in sorted(seen):
        print(*access)
    missing = PROGRAMS - {program for program, _, _ in seen}
    if missing:
        sys.exit(f"accesses: nothing was traced of {', '.join(sorted(missing))}")


main()
