#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""httpd.py PORT DIR [REGEX COMMAND]: serves a folder at 127.0.0.1, and logs each request to standard output.

When the path of a request matches REGEX for the first time, COMMAND is run by the shell before it is answered: what happens
in the middle of somebody's download happens at exactly that request. Path names are looked up at each request, as a web server
does whose folder is a symbolic link that moves.
"""

import functools
import http.server
import os
import re
import subprocess
import sys

port, folder = int(sys.argv[1]), os.path.abspath(sys.argv[2])
hook = (re.compile(sys.argv[3]), sys.argv[4]) if len(sys.argv) > 4 else None


class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        global hook
        if hook and hook[0].search(self.path):
            command, hook = hook[1], None
            subprocess.run(command, shell=True, check=True, stdout=sys.stderr)
        super().do_GET()

    def log_message(self, form, *args):
        print(form % args, flush=True)


class Server(http.server.ThreadingHTTPServer):
    # A client that goes away in the middle is none of the server's errors.
    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], (BrokenPipeError, ConnectionResetError)):
            super().handle_error(request, client_address)


Server(("127.0.0.1", port), functools.partial(Handler, directory=folder)).serve_forever()
