# SPDX-License-Identifier: Apache-2.0
"""What is in a root, and whether that is one of the states in which an add-on may be."""
import hashlib
import json
import os
import re
import stat

from fixture import BINARY, GROUP, ID, PACKAGED, VERSIONS, payload

ADDONS = "var/lib/serviceradar/addons"
HOME = f"{ADDONS}/{ID}"
PACKAGED_DIR = f"usr/lib/serviceradar/addons/{ID}"
UNITS = "etc/systemd/system"
WANTS = ("multi-user.target.wants", "sockets.target.wants", "timers.target.wants")
CAPABILITY = "security.capability"
CHANGED_AT = re.compile(rb'"changed_at": *"[^"]*"')  # the one thing that a clock decides


def scan(root):
    """path -> (type, mode, uid, gid, links, content or target, extended attributes); times are left out."""
    out = {}
    todo = [""]
    while todo:
        at = todo.pop()
        for e in os.scandir(f"{root}/{at}"):
            path = f"{at}/{e.name}" if at else e.name
            st = e.stat(follow_symlinks=False)
            kind = stat.S_IFMT(st.st_mode)
            content, links = b"", st.st_nlink
            if stat.S_ISDIR(st.st_mode):
                todo.append(path)
                links = 0  # file systems count them differently
            elif stat.S_ISLNK(st.st_mode):
                content = os.readlink(e.path).encode()
            elif stat.S_ISREG(st.st_mode):
                with open(e.path, "rb") as f:
                    content = CHANGED_AT.sub(b"", f.read())
                if len(content) > 4096:
                    content = hashlib.sha256(content).digest()
            attributes = tuple((n, os.getxattr(e.path, n, follow_symlinks=False))
                               for n in sorted(os.listxattr(e.path, follow_symlinks=False)))
            out[path] = (kind, stat.S_IMODE(st.st_mode), st.st_uid, st.st_gid, links, content, attributes)
    return out


def key(tree):
    return hashlib.sha256(repr(sorted(tree.items())).encode()).digest()


def below(tree, directory):
    return {p: v for p, v in tree.items() if p == directory or p.startswith(directory + "/")}


def difference(want, have, skip=("run",)):
    """Lines saying what is not the same; nothing when all is."""
    out = []
    for path in sorted(set(want) | set(have)):
        if path.split("/")[0] in skip or want.get(path) == have.get(path):
            continue
        if path not in have:
            out.append(f"missing: {path}")
        elif path not in want:
            out.append(f"too much: {path}")
        else:
            names = ("type", "mode", "uid", "gid", "links", "content", "xattrs")
            for name, w, h in zip(names, want[path], have[path]):
                if w != h:
                    show = (oct(w), oct(h)) if name == "mode" else (repr(w)[:300], repr(h)[:300])
                    out.append(f"{path}: {name}: {show[1]}, wanted {show[0]}")
    return out


def digest(v):
    return hashlib.sha256(payload(v)[BINARY][1]).hexdigest()


def kept(data):
    """File content as scan() keeps it."""
    return hashlib.sha256(data).digest() if len(data) > 4096 else data


def target_of(label):
    return f"/{PACKAGED_DIR}" if label == "packaged" else f"versions/{label}"


def record(tree):
    """state.json; a missing one and one that says nothing are the same. None when it is no JSON."""
    entry = tree.get(f"{HOME}/state.json")
    if not entry:
        return {}
    try:
        o = json.loads(re.sub(rb",\s*}", b"}", entry[5]))
    except ValueError:
        return None
    if o.pop("id", ID) != ID:
        return None
    o.pop("last_error", None)
    return {k: v for k, v in o.items() if v not in ("", False)}


def facts(tree):
    """What tells one state from another: record, links, units, the active binary's rights."""
    out = {"state": record(tree)}
    for link in ("current", "previous"):
        entry = tree.get(f"{HOME}/{link}")
        out[link] = entry[5].decode() if entry else None
    for path, entry in below(tree, UNITS).items():
        if entry[0] != stat.S_IFDIR:
            out[path] = entry
    active = out["current"]
    if active:
        where = active.lstrip("/") if active.startswith("/") else f"{HOME}/{active}"
        out["rights"] = tree.get(f"{where}/{BINARY}", (0,))[:5] + tree.get(f"{where}/{BINARY}", (0,))[6:]
    return out


def versions(tree):
    return {p.split("/")[-1] for p in tree if p.startswith(f"{HOME}/versions/") and p.count("/") == HOME.count("/") + 2}


def check_names(tree):
    known = {ADDONS, HOME, f"{HOME}/versions", f"{HOME}/current", f"{HOME}/previous", f"{HOME}/state.json"}
    for v in VERSIONS:
        known |= {f"{HOME}/versions/{v}", f"{HOME}/versions/{v}/.origin.json"}
        known |= {f"{HOME}/versions/{v}/{name}" for name in payload(v)}
    out = [f"left behind: {p}" for p in below(tree, ADDONS) if p not in known]
    names = {f"serviceradar-{ID}.{s}" for s in ("service", "socket", "timer")} | set(WANTS)
    return out + [f"left behind: {p}" for p in below(tree, UNITS)
                  if p != UNITS and (p.split("/")[-1] not in names or "/." in p)]


def check_version(tree, v, origins):
    """A version that is there is whole."""
    out = []
    where = f"{HOME}/versions/{v}"
    if tree[where][:4] != (stat.S_IFDIR, 0o755, 0, 0):
        out.append(f"{where}: not a directory of root's with mode 0755")
    for name, (mode, data) in payload(v).items():
        entry = tree.get(f"{where}/{name}")
        if not entry:
            out.append(f"not whole: {where}/{name} is missing")
        elif entry[5] != kept(data) or entry[4] != 1 or entry[2] != 0:
            out.append(f"not whole: {where}/{name} is not what the bundle holds")
        elif name != BINARY and (entry[1], entry[3], entry[6]) != (mode, 0, ()):
            out.append(f"{where}/{name}: mode {entry[1]:o}, group {entry[3]}, xattrs {entry[6]}")
        elif name == BINARY and (entry[1] not in (0o755, 0o750) or entry[3] not in (0, GROUP)):
            out.append(f"{where}/{name}: mode {entry[1]:o}, group {entry[3]}")
    if tree.get(f"{where}/.origin.json") != origins[v]:
        out.append(f"not whole: {where}/.origin.json")
    return out


def check_links(tree):
    """The links and the record say the same, and what they name is there."""
    state = record(tree)
    if state is None:
        return [f"{HOME}/state.json: damaged"]
    out = []
    active = state.get("activated", False)
    want = {"current": target_of(state["active"]) if active else None,
            "previous": target_of(state["previous"]) if "previous" in state else None}
    for link, target in want.items():
        entry = tree.get(f"{HOME}/{link}")
        have = entry[5].decode() if entry else None
        if have != target:
            out.append(f"{HOME}/{link}: {have}, but state.json wants {target}")
        if have and (have.lstrip("/") if have.startswith("/") else f"{HOME}/{have}") not in tree:
            out.append(f"{HOME}/{link}: {have} is not there")
    if active:
        v = PACKAGED if state["active"] == "packaged" else state["active"]
        if (state.get("active_version"), state.get("binary_sha256")) != (v, digest(v)):
            out.append(f"{HOME}/state.json: active_version or binary_sha256 is not that of {v}")
    return out


def check_foreign(tree, start, clean):
    """All that is not the updater's is as it was; the packaged binary may have either's rights."""
    mine = (ADDONS, UNITS, "run")
    binary = f"{PACKAGED_DIR}/{BINARY}"

    def rest(t):
        return {p: v for p, v in t.items() if not any(p == m or p.startswith(m + "/") for m in mine) and p != binary}

    out = difference(rest(start), rest(tree))
    if tree.get(binary, (0,) * 7)[5] != start[binary][5]:
        out.append(f"{binary}: content changed")
    elif tree[binary][1] not in (0o755, 0o750):
        out.append(f"{binary}: mode {tree[binary][1]:o}")
    if clean[binary] == start[binary] and tree[binary] != start[binary]:
        out += difference({binary: start[binary]}, {binary: tree[binary]})
    return out


def not_collected(clean, tree):
    """Whether all that is too much is a whole version, or one half thrown away: the next activation or recover sees to it."""
    extra = {p for p in tree if p not in clean and p.split("/")[0] != "run"}
    gone = [f"{ADDONS}/.scratch"] + [f"{HOME}/versions/{v}" for v in versions(tree) - versions(clean)]
    return bool(extra) and all(any(p == g or p.startswith(g + "/") for g in gone) for p in extra) and not difference(
        clean, {p: v for p, v in tree.items() if p not in extra})


def check(tree, sides, origins):
    """(the name of the side that the tree is on or None, what is wrong). `sides`: name -> tree; "old" and "new" are of them."""
    out = check_names(tree) + check_links(tree) + check_foreign(tree, sides["old"], sides["new"])
    if f"{HOME}/journal" in tree:
        out.append("the journal is still there")
    there = versions(tree)
    for v in there & set(VERSIONS):
        same = below(tree, f"{HOME}/versions/{v}") == below(sides["old"], f"{HOME}/versions/{v}")  # damaged before
        out += [] if same else check_version(tree, v, origins)
    old, new = versions(sides["old"]), versions(sides["new"])
    if not (old & new) <= there <= (old | new):
        out.append(f"versions {sorted(there)}; before {sorted(old)}, after {sorted(new)}")
    now = facts(tree)
    same = [name for name, side in sides.items() if facts(side) == now]
    # Staged versions tell states apart too, when nothing else does; what is not collected yet is no difference.
    staged = f"{HOME}/versions"
    for fits in (lambda t: below(t, staged) == below(tree, staged), lambda t: versions(t) == there,
                 lambda t: versions(t) <= there):
        for name in reversed(same):
            if fits(sides[name]):
                return name, out
    if same:
        return same[0], out
    for name in ("old", "new"):
        want = facts(sides[name])
        out += [f"not the {name} state: {k}: {str(now.get(k))[:200]}, wanted {str(want.get(k))[:200]}"
                for k in sorted(set(now) | set(want)) if now.get(k) != want.get(k)]
    return None, out
