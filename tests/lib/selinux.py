#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""selinux.py POLICY FILE_CONTEXTS ACCESSES: holds accesses (accesses.py) against a policy, as checkpolicy writes a compiled one down,
with the types that its file contexts give to the paths. Prints each permission that no rule gives; the last line has the numbers. What has no type by its path is
left out: /proc, /sys and /dev, and dpkg's program, which a system with SELinux has not."""
import posixpath
import re
import subprocess
import sys

DOMAINS = {
    "serviceradar-agent": "serviceradar_agent_t",
    "agent-fetch": "serviceradar_agent_t",
    "agent-updater": "serviceradar_updater_t",
    "serviceradar-netprobe": "serviceradar_netprobe_t",
}
ON_IT = {
    "read": ["open", "read", "getattr"],
    "write": ["open", "write"],
    "create": ["create"],
    "list": ["open", "read"],
    "mkdir": ["create"],
    "rmdir": ["rmdir"],
    "unlink": ["unlink"],
    "symlink": ["create"],
    "rename": ["rename"],
    "attributes": ["setattr"],
    "readlink": ["read"],
    "run": ["execute", "execute_no_trans", "open", "read"],
}
ON_ITS_FOLDER = {
    "create": ["write", "add_name"],
    "mkdir": ["write", "add_name"],
    "symlink": ["write", "add_name"],
    "rmdir": ["write", "remove_name"],
    "unlink": ["write", "remove_name"],
    "rename": ["write", "add_name", "remove_name"],
}
MODES = {"dir": "dir", "file": "file", "lnk_file": "symlink"}
LEFT_OUT = re.compile(r"/(proc|sys|dev)(/|$)|/usr/bin/dpkg|/srv/")

POLICY = open(sys.argv[1], encoding="utf-8").read()
accesses = [line.rstrip("\n").split(" ", 2) for line in open(sys.argv[3], encoding="utf-8")]
links = {path for _, kind, path in accesses if kind in ("symlink", "readlink")}
folders = {path.rstrip("/") for _, kind, path in accesses if kind in ("mkdir", "list")}
types = {}


def rules_of(domains, targets):
    """{(domain, target type, class): permissions}. Rules name types and attributes of types; conditional ones are left out."""
    meant = {name: {name} for name in domains | targets}
    for name, attributes in re.findall(r"^typeattribute (\w+) (.*);$", POLICY, flags=re.M):
        if name in domains | targets:
            for attribute in attributes.split(", "):
                meant.setdefault(attribute, set()).add(name)
    allowed = {}
    for source, target, kind, permissions in re.findall(r"^allow (\w+) (\w+):(\w+) \{? ?([^};]*?) ?\}?;$", POLICY, flags=re.M):
        for domain in meant.get(source, set()) & domains:
            for name in {domain} if target == "self" else meant.get(target, set()) & targets:
                allowed.setdefault((domain, name, kind), set()).update(permissions.split())
    return allowed


def class_of(path):
    if path.endswith("/") or path in folders:
        return "dir"
    return "lnk_file" if path in links or posixpath.basename(path) in ("current", "previous") else "file"


def label(checks):
    """{(path, class): type}, by the file contexts; one call for each class, as the contexts take long to read."""
    for kind in {kind for _, _, kind, _ in checks}:
        paths = sorted({path for _, path, k, _ in checks if k == kind})
        said = subprocess.run(
            ["matchpathcon", "-n", "-f", sys.argv[2], "-m", MODES[kind], *paths], capture_output=True, text=True, check=False
        ).stdout.splitlines()
        assert len(said) == len(paths), (len(said), len(paths))
        for path, context in zip(paths, said):
            types[path, kind] = context.split(":")[2] if context.count(":") > 2 else "default_t"


denied, checks = set(), set()
for program, kind, path in accesses:
    if LEFT_OUT.match(path):
        continue
    folder = posixpath.dirname(path.rstrip("/")) or "/"
    target = class_of(path)
    checks |= {(DOMAINS[program], path.rstrip("/") or "/", target, p) for p in ON_IT[kind]}
    checks |= {(DOMAINS[program], folder, "dir", p) for p in ON_ITS_FOLDER.get(kind, [])}
    while True:  # every folder on the way is searched
        checks.add((DOMAINS[program], folder, "dir", "search"))
        if folder == "/":
            break
        folder = posixpath.dirname(folder)
label(checks)
allowed = rules_of(set(DOMAINS.values()), set(types.values()))
for domain, path, kind, permission in checks:
    target = types[path, kind]
    if permission not in allowed.get((domain, target, kind), ()):
        denied.add(f"{domain} {target}:{kind} {permission}  # {path}")
print("\n".join(sorted(denied)))
print(f"SELinux: {len(accesses)} accesses, {len(checks)} permissions, {len(denied)} that no rule gives")
sys.exit(len(denied) > 0)
