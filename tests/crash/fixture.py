# SPDX-License-Identifier: Apache-2.0
"""Roots to try the updater in, and bundles to give it: made from nothing, with stock minisign."""
import gzip
import hashlib
import io
import os
import platform
import shutil
import subprocess
import tarfile

ID = "probe"
GROUP = 987
ARCH = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
BINARY = "serviceradar-probe"
PACKAGED = "0.9.0"  # older than all bundles, so that these are no downgrade
VERSIONS = ("1.0.0", "1.1.0", "1.2.0")

# They differ in their units: service and socket, service alone, timer.
SOCKET = "socket:\n  path: /run/serviceradar/probe/ipc.sock\n  mode: \"0600\"\n"
TIMER = "schedule:\n  on_calendar: daily\n"
PARTS = {
    PACKAGED: ("os-package", "systemd-service", SOCKET),
    "1.0.0": ("pushed-artifact", "systemd-service", SOCKET + "resources:\n  tasks_max: 32\n"),
    "1.1.0": ("pushed-artifact", "systemd-service", ""),
    "1.2.0": ("pushed-artifact", "systemd-timer", TIMER),
}
MANIFEST = """id: {id}
name: Probe
version: "{version}"
kind: native
delivery: {delivery}
supervision: {supervision}
language: c
capabilities: [host-network-visibility]
requires:
  base_agent: ">=0.1.0"
  platforms: [linux/amd64, linux/arm64]
  os_capabilities: [cap_net_raw]
  run_as: serviceradar
exec:
  binary: {binary}
  install_path: /var/lib/serviceradar/addons/{id}/current
config_schema: config.schema.json
{more}"""
SCHEMA = '{"type": "object", "properties": {"enabled": {"type": "boolean"}}}\n'


def payload(version):
    """What a version holds: name -> (mode, bytes)."""
    delivery, supervision, more = PARTS[version]
    manifest = MANIFEST.format(id=ID, version=version, delivery=delivery, supervision=supervision, binary=BINARY, more=more)
    binary = b"#!/bin/false\n" + hashlib.shake_128(version.encode()).digest(40000)
    return {
        "addon.yaml": (0o644, manifest.encode()),
        "config.schema.json": (0o644, SCHEMA.encode()),
        BINARY: (0o755, binary),
    }


def put(path, data, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)
    os.chmod(path, mode)


def bundle_path(directory, version):
    return f"{directory}/{ID}_{version}_linux_{ARCH}.tar.gz"


def make_keys(directory):
    os.makedirs(directory, exist_ok=True)
    subprocess.run(["minisign", "-G", "-W", "-f", "-p", f"{directory}/test.pub", "-s", f"{directory}/test.key"],
                   check=True, stdout=subprocess.DEVNULL)


def make_bundle(directory, version):
    """Strict ustar: tarfile fills its last record with zeros, of which two blocks are kept."""
    tar = io.BytesIO()
    size = 0
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.USTAR_FORMAT) as t:
        for name, (mode, data) in sorted(payload(version).items()):
            info = tarfile.TarInfo(name)
            info.mode, info.size = mode, len(data)
            t.addfile(info, io.BytesIO(data))
            size += 512 + (len(data) + 511) // 512 * 512
    packed = gzip.compress(tar.getvalue()[:size + 1024], mtime=0)
    path = bundle_path(directory, version)
    put(path, packed)
    comment = f"addon={ID} version={version} os=linux arch={ARCH} sha256={hashlib.sha256(packed).hexdigest()}"
    sign = ["minisign", "-S", "-H", "-W", "-s", f"{directory}/test.key", "-m", path, "-x", path + ".minisig", "-t", comment]
    subprocess.run(sign, check=True, stdout=subprocess.DEVNULL)


def make_root(root, keys):
    """What the packages install, and nothing of the updater's own."""
    os.makedirs(root)
    put(f"{root}/etc/passwd", f"root:x:0:0::/root:/bin/sh\nserviceradar:x:{GROUP}:{GROUP}::/:/bin/false\n".encode())
    put(f"{root}/etc/group", f"root:x:0:\nserviceradar:x:{GROUP}:\n".encode())
    put(f"{root}/usr/share/serviceradar/keys/test.pub", open(f"{keys}/test.pub", "rb").read())
    for name, (mode, data) in payload(PACKAGED).items():
        put(f"{root}/usr/lib/serviceradar/addons/{ID}/{name}", data, mode)
    for directory in ("usr/lib/systemd/system", "etc/systemd/system", "var/lib/serviceradar/addons"):
        os.makedirs(f"{root}/{directory}")


def copy(source, target):
    shutil.rmtree(target, ignore_errors=True)
    subprocess.run(["cp", "-a", source, target], check=True)
