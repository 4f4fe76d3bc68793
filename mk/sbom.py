#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""sbom.py PACKAGE...: writes X.spdx.json (SPDX 2.3) beside each X.deb and X.rpm.

What it says is read from the built package, not from what built it: its files and their digests, what the package manager will
ask for, which libraries each program names and whose they are. Build dependencies, with the versions that were used, come from
the .buildinfo and .dsc beside a .deb. The time is SOURCE_DATE_EPOCH's, so that the same package has the same document.
"""

import datetime
import glob
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile

SUPPLIER = "Organization: ServiceRadar Packagers (packagers@serviceradar.cloud)"
# The programs for the kernel are inside netprobe's.
LICENSES = {"serviceradar-netprobe": "Apache-2.0 AND (GPL-2.0-only OR BSD-2-Clause)"}


def output(*command, check=True):
    return subprocess.run(command, check=check, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout


def spdx_id(text):
    return "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]", "-", text)


def digest(path, name):
    with open(path, "rb") as f:
        return hashlib.new(name, f.read()).hexdigest()


def needed(path):
    """The sonames that an ELF file names."""
    with open(path, "rb") as f:
        if f.read(4) != b"\x7fELF":
            return []
    return re.findall(r"\(NEEDED\).*\[(.*)\]", output("readelf", "-dW", path))


class Deb:
    def __init__(self, path):
        self.path = path
        field = lambda name: output("dpkg-deb", "-f", path, name).strip()
        self.name, self.version, self.arch = field("Package"), field("Version"), field("Architecture")
        with open("/etc/os-release") as f:
            self.distribution = dict(re.findall(r'^(\w+)="?(.*?)"?$', f.read(), re.M)).get("ID", "debian")
        self.depends = self.names(field("Pre-Depends")) | self.names(field("Depends"))
        self.optional = self.names(field("Recommends")) | self.names(field("Suggests"))
        self.versions, self.built_with = {}, {}
        folder, source = os.path.dirname(path) or ".", field("Source") or self.name
        version = re.sub(r"^\d+:", "", self.version)
        for info in glob.glob(f"{folder}/{source}_{version}_*.buildinfo"):
            with open(info) as f:
                self.versions = dict(re.findall(r"^ (\S+) \(= (.*?)\),?$", f.read(), re.M))
        for dsc in glob.glob(f"{folder}/{source}_{version}.dsc"):
            with open(dsc) as f:
                wanted = re.search(r"^Build-Depends: (.*(?:\n .*)*)", f.read(), re.M)
            for group in wanted.group(1).split(",") if wanted else []:
                names = [re.match(r"\s*([a-z0-9.+-]+)", n).group(1) for n in group.split("|")]
                used = [n for n in names if n in self.versions]
                if used:
                    self.built_with[used[0]] = self.versions[used[0]]
        if "gcc" in self.versions:
            self.built_with["gcc"] = self.versions["gcc"]

    @staticmethod
    def names(field):
        """The package names of a relation, the first of alternatives."""
        return {re.match(r"[a-z0-9.+-]+", group.strip()).group(0) for group in field.split(",") if group.strip()}

    def unpack(self, folder):
        subprocess.run(["dpkg-deb", "-x", self.path, folder], check=True)

    def owner(self, soname):
        """The package of a library on this machine, for the package's architecture."""
        for line in output("dpkg", "-S", f"*/{soname}", check=False).splitlines():
            name, _, path = line.partition(": ")
            package, _, arch = name.partition(":")
            if os.path.basename(path) == soname and arch in ("", self.arch):
                return package
        return soname

    def version_of(self, name):
        return self.version if name.startswith("serviceradar-") else self.versions.get(name)

    def purl(self, name, version):
        return f"pkg:deb/{self.distribution}/{name}" + (f"@{version}?arch={self.arch}" if version else "")


class Rpm:
    def __init__(self, path):
        self.path = path
        tag = lambda name: output("rpm", "-qp", "--nosignature", "--qf", "%{" + name + "}", path).strip()
        self.name, self.version, self.arch = tag("NAME"), tag("VERSION") + "-" + tag("RELEASE"), tag("ARCH")
        # On a system of rpm packages a need is named by the package that meets it, with the version it was built against.
        self.here = bool(output("rpm", "-q", "--whatprovides", "glibc", check=False).strip().startswith("glibc"))
        self.versions = {}
        self.depends = self.names("--requires")
        self.optional = self.names("--recommends") | self.names("--suggests") | self.conditional()
        self.built_with = {}

    def conditional(self):
        """Needed where something else is installed: "(NAME if OTHER)"."""
        needs = output("rpm", "-qp", "--nosignature", "--requires", self.path).splitlines()
        return {need[1:].split(" ")[0] for need in needs if need.startswith("(") and " if " in need}

    def names(self, kind):
        found = set()
        for need in output("rpm", "-qp", "--nosignature", kind, self.path).splitlines():
            need = need.split(" ")[0]
            if re.match(r"((rpmlib|config|rtld)?)\(", need):
                continue
            # The versions of a library's symbols, and the architecture of a package, are further facts of the same need.
            found.add(self.provider(re.sub(r"\((64bit|x86-64|aarch-64)\)$", "", re.sub(r"^(lib[^(]*|ld-[^(]*)\(.*", r"\1", need))))
        return found

    def provider(self, need):
        if not self.here:
            return need
        what = need + "()(64bit)" if ".so" in need else need
        line = output("rpm", "-q", "--whatprovides", what, "--qf", "%{NAME} %{VERSION}-%{RELEASE}\n", check=False).splitlines()
        if not line or "no package" in line[0]:
            return need
        name, version = line[0].split(" ")
        self.versions[name] = version
        return name

    def unpack(self, folder):
        data = subprocess.run(["rpm2cpio", self.path], check=True, stdout=subprocess.PIPE).stdout
        subprocess.run(["cpio", "-idm", "--quiet", "--no-preserve-owner"], input=data, cwd=folder, check=True, stderr=subprocess.DEVNULL)

    def owner(self, soname):
        return self.provider(soname)

    def version_of(self, name):
        return self.version if name.startswith("serviceradar-") else self.versions.get(name)

    def purl(self, name, version):
        return f"pkg:rpm/{name}" + (f"@{version}?arch={self.arch}" if version else "")


def document(package):
    license = LICENSES.get(package.name, "Apache-2.0")
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH") or os.stat(package.path).st_mtime)
    main, files, links = spdx_id(package.name), [], {}
    with tempfile.TemporaryDirectory() as folder:
        package.unpack(folder)
        for path in sorted(os.path.join(top, name) for top, _, names in os.walk(folder) for name in names):
            if os.path.islink(path):
                continue
            name = "./" + os.path.relpath(path, folder)
            for soname in needed(path):
                links.setdefault(package.owner(soname), set()).add(soname)
            with open(path, "rb") as f:
                kind = "BINARY" if f.read(4) == b"\x7fELF" else "TEXT"
            files.append({
                "SPDXID": spdx_id("File-" + name[2:].replace("/", "-")), "fileName": name, "fileTypes": [kind],
                "checksums": [{"algorithm": a.upper(), "checksumValue": digest(path, a)} for a in ("sha1", "sha256")],
                "licenseConcluded": "NOASSERTION", "licenseInfoInFiles": ["NOASSERTION"], "copyrightText": "NOASSERTION"})
    code = hashlib.sha1("".join(sorted(f["checksums"][0]["checksumValue"] for f in files)).encode()).hexdigest()

    def entry(name, version, **more):
        # A need that no package is known for has no address.
        refs = [] if "/" in name or ".so" in name else [
            {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": package.purl(name, version)}]
        return {
            "SPDXID": spdx_id(name), "name": name, **({"versionInfo": version} if version else {}), "supplier": "NOASSERTION",
            "downloadLocation": "NOASSERTION", "filesAnalyzed": False, "licenseConcluded": "NOASSERTION",
            "licenseDeclared": "NOASSERTION", "copyrightText": "NOASSERTION",
            "externalRefs": refs, **more}

    packages = [entry(package.name, package.version, supplier=SUPPLIER, packageFileName=os.path.basename(package.path),
                      filesAnalyzed=True, packageVerificationCode={"packageVerificationCodeValue": code},
                      checksums=[{"algorithm": "SHA256", "checksumValue": digest(package.path, "sha256")}],
                      licenseConcluded=license, licenseDeclared=license, licenseInfoFromFiles=["NOASSERTION"],
                      copyrightText="2026 ServiceRadar Packagers")]
    relations = [{"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": main}]
    relations += [{"spdxElementId": main, "relationshipType": "CONTAINS", "relatedSpdxElement": f["SPDXID"]} for f in files]
    for name in sorted((package.depends | package.optional | set(links) | set(package.built_with)) - {package.name}):
        packages.append(entry(name, package.version_of(name) or package.built_with.get(name)))
        other = spdx_id(name)
        if name in package.depends:
            relations.append({"spdxElementId": main, "relationshipType": "DEPENDS_ON", "relatedSpdxElement": other})
        if name in package.optional:
            relations.append({"spdxElementId": other, "relationshipType": "OPTIONAL_DEPENDENCY_OF", "relatedSpdxElement": main})
        if name in links:
            relations.append({"spdxElementId": main, "relationshipType": "DYNAMIC_LINK", "relatedSpdxElement": other,
                              "comment": " ".join(sorted(links[name]))})
        if name in package.built_with:
            relations.append({"spdxElementId": other, "relationshipType": "BUILD_DEPENDENCY_OF", "relatedSpdxElement": main})
    name = os.path.basename(package.path)
    return {
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": name,
        "documentNamespace": f"https://serviceradar.cloud/spdx/{name}/{digest(package.path, 'sha256')}",
        "creationInfo": {"created": datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
                         "creators": [SUPPLIER, "Tool: serviceradar-sbom"]},
        "packages": packages, "files": files, "relationships": relations}


for argument in sys.argv[1:]:
    built = Deb(argument) if argument.endswith(".deb") else Rpm(argument)
    target = re.sub(r"\.(deb|rpm)$", ".spdx.json", argument)
    with open(target + ".new", "w") as out:
        json.dump(document(built), out, indent=1)
        out.write("\n")
    os.rename(target + ".new", target)
