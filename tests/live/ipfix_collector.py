# SPDX-License-Identifier: Apache-2.0
"""ipfix_collector.py tcp|udp PORT FILE: an IPFIX collector (RFC 7011) that appends each data record to FILE as a line of JSON, keyed by
"ID" or "PEN/ID"; texts of variable length as text, all else as a number. Says what breaks the RFC on stderr and ends with 1."""
import json
import os
import socket
import struct
import sys

templates, out = {}, os.open(sys.argv[3], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
expected = None


def need(condition, what):
    if not condition:
        sys.exit("ipfix_collector: " + what)


def take_templates(body):
    while len(body) >= 4:
        number, count = struct.unpack_from(">HH", body)
        body, fields = body[4:], []
        need(number >= 256, f"template {number}")
        for _ in range(count):
            element, length = struct.unpack_from(">HH", body)
            body, name = body[4:], str(element & 0x7FFF)
            if element & 0x8000:
                name, body = f"{struct.unpack_from('>I', body)[0]}/{name}", body[4:]
            fields.append((name, length))
        templates[number] = fields
    need(not body, "bytes behind the templates")


def take_records(number, body):
    count = 0
    need(number in templates, f"data of template {number}, which was not sent")
    while body:
        record = {"template": number}
        for name, length in templates[number]:
            if length == 65535:
                length, body = body[0], body[1:]
                need(length < 255, "a long text")
                record[name] = body[:length].decode()
            else:
                record[name] = int.from_bytes(body[:length], "big")
            need(len(body) >= length, "a record is cut off")
            body = body[length:]
        os.write(out, (json.dumps(record) + "\n").encode())
        count += 1
    return count


def take_message(message):
    global expected
    version, length, _, sequence, domain = struct.unpack_from(">HHIII", message)
    need(version == 10 and length == len(message), f"version {version}, length {length} of {len(message)}")
    need(expected is None or sequence == expected, f"sequence {sequence}, expected {expected}")
    need(domain == 7, f"domain {domain}")
    expected, at = sequence, 16
    while at < length:
        number, size = struct.unpack_from(">HH", message, at)
        need(size > 4 and at + size <= length, "a set is cut off")
        body = message[at + 4:at + size]
        if number == 2:
            take_templates(body)
        else:
            expected += take_records(number, body)
        at += size


stream = sys.argv[1] == "tcp"
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM if stream else socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
s.bind(("127.0.0.1", int(sys.argv[2])))
if stream:
    s.listen()
while True:
    if not stream:
        datagram, peer = s.recvfrom(65535)
        if globals().get("last") != peer:
            last, expected = peer, None
        take_message(datagram)
        continue
    c, _ = s.accept()
    expected = 0
    templates.clear()
    f = c.makefile("rb")
    while head := f.read(4):
        take_message(head + f.read(int.from_bytes(head[2:4], "big") - 4))
    c.close()
