#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""apparmor.py DUMP ACCESSES: holds accesses (accesses.py) against AppArmor profiles. DUMP is what `apparmor_parser --debug` says of
them, every variable and include expanded. Prints each access that no rule allows; the last line has the numbers. Only files: sockets,
signals and the bus are not looked at."""
import re
import sys

PROFILES = {
    "serviceradar-agent": "serviceradar-agent",
    "agent-fetch": "fetch",
    "agent-updater": "serviceradar-updater",
    "serviceradar-netprobe": "serviceradar-netprobe",
}
PERMISSIONS = {"read": "r", "list": "r", "readlink": "r", "run": "x"}  # all others: w


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


profiles = read_dump(sys.argv[1])
seen = denied = 0
for line in open(sys.argv[2], encoding="utf-8"):
    program, kind, path = line.rstrip("\n").split(" ", 2)
    permission = PERMISSIONS.get(kind, "w")
    seen += 1
    if not any(permission in modes and rule.fullmatch(path) for modes, rule in profiles[PROFILES[program]]):
        print(f"{PROFILES[program]}: {permission} {path}")
        denied += 1
print(f"AppArmor: {seen} accesses, {denied} that no rule allows")
sys.exit(denied > 0)
