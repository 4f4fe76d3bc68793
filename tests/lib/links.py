#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""links.py FILE...: every relative link of these Markdown files leads to a file that is there, and every anchor to a heading."""
import os
import re
import sys


def text_of(path):
    """Without code, in which a bracket is no link and a # no heading."""
    with open(path, encoding="utf-8") as f:
        text = re.sub(r"^```.*?^```$", "", f.read(), flags=re.M | re.S)
    return re.sub(r"^    .*$", "", text, flags=re.M)


def anchors(path):
    """As the usual renderers name headings: small letters, dashes for spaces, no punctuation."""
    for heading in re.findall(r"^#+ (.*)$", text_of(path), flags=re.M):
        yield re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


bad = 0
for path in sys.argv[1:]:
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", text_of(path))):
        name, _, anchor = target.partition("#")
        there = os.path.normpath(os.path.join(os.path.dirname(path), name)) if name else path
        if "://" in target:
            continue
        if not os.path.exists(there):
            why = "no such file"
        elif anchor and anchor not in anchors(there):
            why = "no such heading"
        else:
            continue
        print(f"{path}: {target}: {why}", file=sys.stderr)
        bad = 1
sys.exit(bad)
