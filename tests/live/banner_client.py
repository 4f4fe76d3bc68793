#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""banner_client.py SOCKET: reads lines `protocol<TAB>banner` (with \\r, \\n written so), sends them as one BannerBatch and prints the
matches, one a line: observation id, label, product, version, system, confidence, pattern. Protobuf by hand: nothing to install."""
import socket
import struct
import sys


def varint(n):
    out = b''
    while n > 0x7f:
        out += bytes([n & 0x7f | 0x80])
        n >>= 7
    return out + bytes([n])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def fields(data):
    at = 0

    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at, value, shift = at + 1, value | (byte & 0x7f) << shift, shift + 7
            if not byte & 0x80:
                return value

    while at < len(data):
        tag = number()
        if tag & 7 == 0:
            yield tag >> 3, number()
            continue
        size = 8 if tag & 7 == 1 else number()
        yield tag >> 3, data[at:at + size]
        at += size


def receive(s, size):
    data = b''
    while len(data) < size:
        more = s.recv(size - len(data))
        if not more:
            sys.exit('the connection was closed')
        data += more
    return data


def main():
    batch = b''
    for number, line in enumerate(sys.stdin, 1):
        protocol, banner = line.rstrip('\n').split('\t')
        banner = banner.replace('\\r', '\r').replace('\\n', '\n').encode()
        batch += field(1, field(1, number) + field(4, protocol.encode()) + field(5, banner))
    frame = field(1, 7) + field(26, batch)
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(10)
    s.connect(sys.argv[1])
    s.sendall(struct.pack('>I', len(frame)) + frame)
    reply = dict(fields(receive(s, struct.unpack('>I', receive(s, 4))[0])))
    if reply.get(1) != 7 or 27 not in reply:
        sys.exit('no BannerMatchBatch: %r' % reply)
    for _, match in fields(reply[27]):
        m = dict(fields(match))
        confidence = struct.unpack('<d', m.get(6, bytes(8)))[0]
        print(m.get(1, 0), *(m.get(n, b'').decode() for n in (2, 4, 5, 3)), '%.2f' % confidence, m.get(7, b'').decode(), sep='|')


main()
