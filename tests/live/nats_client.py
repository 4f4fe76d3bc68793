# SPDX-License-Identifier: Apache-2.0
"""nats_client.py CA_FILE add STREAM SUBJECTS | dump STREAM: makes a JetStream stream; prints its messages, one a line of JSON. A client of a
few lines of the NATS protocol (docs.nats.io, "Client Protocol", "JetStream wire API")."""
import base64
import json
import socket
import ssl
import sys

ca, verb, stream = sys.argv[1:4]
s = socket.create_connection(("127.0.0.1", 4222))
info = s.makefile("rb", buffering=0).readline()
assert info.startswith(b"INFO")
s = ssl.create_default_context(cafile=ca).wrap_socket(s, server_hostname="localhost")
f = s.makefile("rwb")
f.write(b'CONNECT {"verbose":false,"tls_required":true,"user":"agent","pass":"pass","headers":true,"no_responders":true}\r\nSUB _INBOX.x 1\r\n')


def ask(subject, body):
    body = json.dumps(body).encode() if body else b""
    f.write(b"PUB $JS.API.%s _INBOX.x %d\r\n%s\r\n" % (subject.encode(), len(body), body))
    f.flush()
    while line := f.readline():
        if line.startswith(b"PING"):
            f.write(b"PONG\r\n")
            f.flush()
        elif line.startswith(b"MSG"):
            reply = json.loads(f.read(int(line.split()[-1]) + 2))
            assert "error" not in reply, reply
            return reply
        elif line.startswith((b"HMSG", b"-ERR")):
            sys.exit(f"nats_client: {line}")


if verb == "add":
    ask(f"STREAM.CREATE.{stream}", {"name": stream, "subjects": [sys.argv[4]], "storage": "file", "duplicate_window": 120000000000,
                                    "retention": "limits", "num_replicas": 1})
else:
    state = ask(f"STREAM.INFO.{stream}", None)["state"]
    for number in range(state["first_seq"], state["last_seq"] + 1):
        m = ask(f"STREAM.MSG.GET.{stream}", {"seq": number})["message"]
        print(json.dumps({"subject": m["subject"], "event": json.loads(base64.b64decode(m["data"]))}))
