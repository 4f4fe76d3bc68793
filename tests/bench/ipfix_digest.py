# SPDX-License-Identifier: Apache-2.0
"""ipfix_digest.py PORT FILE: takes IPFIX by TCP, one connection at a time; FILE has, for each template, how many bytes of records came and
the SHA-256 of all of them in their order. How they were put into messages makes no difference to it."""
import hashlib
import signal
import socket
import struct
import sys

digests, sizes = {}, {}


def write(*_):
    with open(sys.argv[2], "w", encoding="ascii") as out:
        for n in sorted(digests):
            out.write(f"{n} {sizes[n]} {digests[n].hexdigest()}\n")


signal.signal(signal.SIGALRM, write)
signal.setitimer(signal.ITIMER_REAL, 0.5, 0.5)
s = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    c, _ = s.accept()
    f = c.makefile("rb", buffering=1 << 20)
    while head := f.read(16):
        body, at = f.read(struct.unpack_from(">H", head, 2)[0] - 16), 0
        while at < len(body):
            number, size = struct.unpack_from(">HH", body, at)
            if number >= 256:
                digests.setdefault(number, hashlib.sha256()).update(body[at + 4:at + size])
                sizes[number] = sizes.get(number, 0) + size - 4
            at += size
