#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""spdx.py PACKAGE: holds X.spdx.json against X.deb or X.rpm, which it reads with other tools than what wrote the document.

The document: the fields that SPDX 2.3 asks for, unique ids, no reference into nothing, the package verification code. The facts:
the package's digest, every file and its digests, Depends or Requires, and the libraries that the dynamic linker will look for.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile

package = sys.argv[1]
with open(re.sub(r"\.(deb|rpm)$", ".spdx.json", package)) as f:
    doc = json.load(f)
wrong = []


def run(*command):
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout


def same(what, said, found):
    if said != found:
        if isinstance(said, set):
            said, found = sorted(said - found), sorted(found - said)
        wrong.append(f"{what}: the document says {said}, the package {found}")


same("version", doc["spdxVersion"], "SPDX-2.3")
same("licence of the document", doc["dataLicense"], "CC0-1.0")
if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", doc["creationInfo"]["created"]):
    wrong.append("created is no time")
if not doc["documentNamespace"].startswith("https://") or "#" in doc["documentNamespace"]:
    wrong.append("documentNamespace")
ids = [e["SPDXID"] for e in doc["packages"] + doc["files"]] + ["SPDXRef-DOCUMENT"]
same("number of ids", len(ids), len(set(ids)))
for i in ids:
    if not re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", i):
        wrong.append(f"{i} is no id")
for r in doc["relationships"]:
    for end in (r["spdxElementId"], r["relatedSpdxElement"]):
        if end not in ids:
            wrong.append(f"{end} is nowhere")
for p in doc["packages"]:
    for field in ("name", "downloadLocation", "filesAnalyzed", "licenseConcluded", "licenseDeclared", "copyrightText"):
        if field not in p:
            wrong.append(f"{p['SPDXID']} has no {field}")
main = doc["packages"][0]
names = {p["SPDXID"]: p["name"] for p in doc["packages"]}
relations = lambda kind: {names[r["relatedSpdxElement"]] for r in doc["relationships"] if r["relationshipType"] == kind and r["spdxElementId"] == main["SPDXID"]}
same("files that are contained", {r["relatedSpdxElement"] for r in doc["relationships"] if r["relationshipType"] == "CONTAINS"},
     {f["SPDXID"] for f in doc["files"]})
sums = {f["fileName"]: {c["algorithm"]: c["checksumValue"] for c in f["checksums"]} for f in doc["files"]}
same("verification code", main["packageVerificationCode"]["packageVerificationCodeValue"],
     hashlib.sha1("".join(sorted(s["SHA1"] for s in sums.values())).encode()).hexdigest())

with open(package, "rb") as f:
    same("digest", main["checksums"][0]["checksumValue"], hashlib.sha256(f.read()).hexdigest())
with tempfile.TemporaryDirectory() as root:
    if package.endswith(".deb"):
        subprocess.run(f"dpkg-deb --fsys-tarfile '{package}' | tar -xf - -C '{root}'", shell=True, check=True)
        same("name and version", f"{main['name']} {main['versionInfo']}", run("dpkg-deb", "--showformat=${Package} ${Version}", "-W", package))
        depends = {re.split(r"[ (|]", d.strip())[0] for f in ("Depends", "Pre-Depends") for d in run("dpkg-deb", "-f", package, f).split(",") if d.strip()}
        whose = {}
        for line in run("ldconfig", "-p").splitlines():
            entry = re.match(r"\t(\S+) \(.*(?:x86-64|AArch64).*\) => (\S+)", line)
            if entry:
                whose.setdefault(entry.group(1), entry.group(2))
    else:
        subprocess.run(f"rpm2cpio '{package}' | cpio -idm --quiet --no-preserve-owner -D '{root}'", shell=True, check=True)
        same("name and version", f"{main['name']} {main['versionInfo']}", run("rpm", "-qp", "--nosignature", "--qf", "%{NAME} %{VERSION}-%{RELEASE}", package))
        needs = [d.split()[0] for d in run("rpm", "-qp", "--nosignature", "--requires", package).splitlines()]
        depends = {re.sub(r"\(.*", "", d) for d in needs if not d.startswith("(")}
        optional = {names[r["spdxElementId"]] for r in doc["relationships"] if r["relationshipType"] == "OPTIONAL_DEPENDENCY_OF"}
        for need in {d[1:] for d in needs if d.startswith("(")} - optional:  # "(NAME if OTHER)"
            wrong.append(f"needed where something else is, and not in the document: {need}")
        depends -= {"rpmlib", "config", "rtld"}
        depends = {d for d in depends if not d.startswith("ld-linux")} | {n for n in relations("DEPENDS_ON") if n.startswith("ld-linux")}
    files, linked = {}, set()
    for top, _, found in os.walk(root):
        for name in found:
            path = os.path.join(top, name)
            if os.path.islink(path):
                continue
            with open(path, "rb") as f:
                data = f.read()
            files["./" + os.path.relpath(path, root)] = {"SHA1": hashlib.sha1(data).hexdigest(), "SHA256": hashlib.sha256(data).hexdigest()}
            if data[:4] == b"\x7fELF":
                linked |= set(re.findall(r"NEEDED +(\S+)", run("objdump", "-p", path)))
same("files", set(sums), set(files))
for name in sums:
    same(name, sums[name], files.get(name))
same("depends on", relations("DEPENDS_ON"), depends)
said = {s for r in doc["relationships"] if r["relationshipType"] == "DYNAMIC_LINK" for s in r["comment"].split()}
same("links", said, linked)
if package.endswith(".deb"):
    # Where /lib is a link, the list of a package may name either.
    owners = {s: run("sh", "-c", 'dpkg -S "$1" 2>/dev/null || dpkg -S "/usr$1" 2>/dev/null || dpkg -S "${1#/usr}"', "sh", whose[s]).split(":")[0]
              if s in whose else s for s in linked}
    same("whose libraries are linked", relations("DYNAMIC_LINK"), set(owners.values()))
    # What only a program links that few use may be suggested.
    suggests = {re.split(r"[ (|]", d.strip())[0] for d in run("dpkg-deb", "-f", package, "Suggests").split(",") if d.strip()}
    if set(owners.values()) - depends - suggests:
        wrong.append(f"linked and neither depended on nor suggested: {set(owners.values()) - depends - suggests}")
print("\n".join(f"{os.path.basename(package)}: {w}" for w in wrong) or
      f"{os.path.basename(package)}: {len(files)} files, {len(depends)} dependencies, {len(linked)} libraries are as the document says")
sys.exit(bool(wrong))
