# SPDX-License-Identifier: Apache-2.0
"""otlp_collector.py PORT FILE CERT KEY [STATUS]...: takes logs by OTLP/HTTP with JSON at /v1/logs, appends each log record to FILE, with what
it found of its resource, and ends with 1 when a request is not as the specification has it. It answers the first requests with STATUS each:
a number, or "partial" for a partial success that rejects one record."""
import gzip
import http.server
import json
import os
import ssl
import sys

out = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
answers = sys.argv[5:]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Content-Encoding"] == "gzip":
            body = gzip.decompress(body)
        answer = answers.pop(0) if answers else "200"
        if answer in ("200", "partial"):
            try:
                self.take(json.loads(body))
            except (AssertionError, KeyError, ValueError) as e:
                print(repr(e), file=sys.stderr)
                os._exit(1)
        reply = b'{"partialSuccess":{"rejectedLogRecords":"1"}}' if answer == "partial" else b"{}"
        self.send_response(200 if answer == "partial" else int(answer))
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def take(self, o):
        assert self.path == "/v1/logs" and self.headers["Content-Type"] == "application/json"
        for r in o["resourceLogs"]:
            resource = {a["key"]: a["value"]["stringValue"] for a in r["resource"]["attributes"]}
            assert resource["service.name"] == "serviceradar-agent"
            for s in r["scopeLogs"]:
                for record in s["logRecords"]:
                    assert set(record) == {"timeUnixNano", "observedTimeUnixNano", "severityNumber", "severityText", "eventName", "body", "attributes"}
                    assert isinstance(record["timeUnixNano"], str) and record["severityNumber"] == 9
                    record["attributes"] = {a["key"]: a["value"] for a in record["attributes"]}
                    record["event"] = json.loads(record.pop("body")["stringValue"])
                    record["token"] = self.headers["X-Token"]
                    os.write(out, (json.dumps(record) + "\n").encode())

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[3], sys.argv[4])
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
