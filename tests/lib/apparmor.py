#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""apparmor.py DUMP TRACE...: holds what programs did against what their AppArmor profiles allow.

DUMP is what `apparmor_parser -d` says of the profiles, every variable and include expanded. Each TRACE is a process's output of
`strace -ff -y -e trace=%file`. A process is confined from the execve of a program of PROGRAMS on. Prints each access that no rule
allows; the last line has the numbers. Only files: sockets, signals and the bus are not looked at."""
import posixpath
import re
import sys

PROGRAMS = {
    "serviceradar-agent": "serviceradar-agent",
    "agent-fetch": "fetch",
    "agent-updater": "serviceradar-updater",
    "serviceradar-netprobe": "serviceradar-netprobe",
}


def regex_of(glob):
    """An AppArmor pattern as a regular expression: * stays in a path element, ** does not, {a,b} are alternatives, nested too."""
    out, depth, i = "", 0, 0
    while i < len(glob):
        c = glob[i]
        if glob.startswith("**", i):
            # Of a folder's own name with its slash, ** has to match something.
            out, i = out + (".+" if glob[i - 1] == "/" else ".*"), i + 1
        elif c == "*":
            out += "[^/]+" if glob[i - 1] == "/" and glob[i + 1 : i + 2] in ("", "/") else "[^/]*"
        elif c == "?":
            out += "[^/]"
        elif c == "[":
            end = glob.index("]", i)
            out, i = out + glob[i : end + 1], end
        elif c == "{":
            out, depth = out + "(?:", depth + 1
        elif c == "}":
            out, depth = out + ")", depth - 1
        elif c == "," and depth:
            out += "|"
        else:
            out += re.escape(c)
        i += 1
    return re.compile(re.sub("//+", "/", out))


def read_dump(path):
    profiles, rules = {}, None
    for line in open(path, encoding="utf-8"):
        if m := re.match(r"Name:\t\t(.*)", line):
            rules = profiles.setdefault(m[1], [])
        elif m := re.match(r"Mode:\t(\S*)\s+Name:\t\((.*)\)", line):
            rules.append((set(m[1].replace(":", "")), regex_of(m[2])))
    return profiles


def join(base, name):
    return posixpath.normpath(posixpath.join(base, name))


def accesses(line):
    """The accesses (permission, path) of one successful call."""
    m = re.match(r"(\w+)\((.*)\)\s+= (\d+)(?:<([^>]*)>)?$", line)
    if not m:
        return
    call, arguments, fd_path = m[1], m[2], m[4]
    paths = [join(at or "/", name) for at, name in re.findall(r'(?:(?:AT_FDCWD|\d+)<([^>]*)>, )?"([^"]*)"', arguments)]
    if call == "execve":
        yield "x", paths[0]
    elif call in ("open", "openat", "openat2") and fd_path and "O_PATH" not in arguments:
        path = fd_path.removesuffix(" (deleted)")
        if not path.startswith("/") or path.startswith("/memfd:"):
            return
        if "O_DIRECTORY" in arguments and "O_TMPFILE" not in arguments:
            path = path.rstrip("/") + "/"
        if "O_WRONLY" not in arguments:
            yield "r", path
        if re.search("O_WRONLY|O_RDWR|O_CREAT|O_TRUNC", arguments):
            yield "w", path
    elif call in ("mkdir", "mkdirat", "rmdir") or (call == "unlinkat" and "AT_REMOVEDIR" in arguments):
        yield "w", paths[0].rstrip("/") + "/"
    elif call in ("unlink", "unlinkat", "chmod", "fchmodat", "chown", "fchownat", "utimensat", "truncate") and paths:
        yield "w", paths[0]
    elif call in ("symlink", "symlinkat", "rename", "renameat", "renameat2", "link", "linkat"):
        yield "w", paths[-1]
        if call.startswith("rename"):
            yield "w", paths[0]
    elif call in ("readlink", "readlinkat") and paths:
        yield "r", paths[0]


profiles = read_dump(sys.argv[1])
seen, denied = {}, 0
for trace in sys.argv[2:]:
    profile = None
    for line in open(trace, encoding="utf-8", errors="replace"):
        for permission, path in accesses(line.strip()):
            if permission == "x" and posixpath.basename(path) in PROGRAMS:
                profile = PROGRAMS[posixpath.basename(path)]
            if profile is None:
                continue
            if permission == "x" and posixpath.basename(path) in PROGRAMS:
                continue  # the profile is attached to it, by the path that its links lead to
            seen.setdefault(profile, set()).add((permission, path))
            if permission == "x":
                profile = None  # what it runs has its own profile, or none

for profile, what in sorted(seen.items()):
    for permission, path in sorted(what):
        if not any(permission in modes and rule.fullmatch(path) for modes, rule in profiles[profile]):
            print(f"{profile}: {permission} {path}")
            denied += 1
print(f"{', '.join(f'{p} {len(w)}' for p, w in sorted(seen.items()))} accesses, {denied} that no rule allows")
sys.exit(denied > 0 or set(seen) != set(PROGRAMS.values()))
