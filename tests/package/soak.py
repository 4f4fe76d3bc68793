# SPDX-License-Identifier: Apache-2.0
"""soak.py MINUTES MS SEED: so many simulated minutes of MS milliseconds each, in which assignments are flipped, units killed and stopped, and
the disk of the events is full, a collector gone, the journal stopped; every minute a file is left in the spool. At the end everything is
assigned, and the event file, the collector and the journal must hold every record that was spooled. Prints what happened; fails with what is
wrong."""
import gzip
import http.server
import json
import os
import random
import subprocess
import sys
import threading
import time

MINUTES, MS, SEED = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
SPOOL = "/var/lib/serviceradar/spool/sample-timer"
LOGS = "/var/log/serviceradar"
ASSIGNMENTS = "/etc/serviceradar/addons.d"
PORT = 4318
ADDONS = ("sample-timer", "heartbeat", "netprobe", "metrics")
random.seed(SEED)
done = dict.fromkeys(("flips", "kills", "stops", "runs", "outages", "collector_outages", "journal_outages", "records"), 0)


class Collector(http.server.BaseHTTPRequestHandler):
    """Of OTLP/HTTP logs; keeps the ids of the records that it has acknowledged, in the order in which they came first."""
    protocol_version = "HTTP/1.1"
    ids = {}
    server = None

    def do_POST(self):
        body = json.loads(gzip.decompress(self.rfile.read(int(self.headers["Content-Length"]))))
        for record in body["resourceLogs"][0]["scopeLogs"][0]["logRecords"]:
            if record["eventName"] == "addon_record":
                event = json.loads(record["body"]["stringValue"])
                if "id" in event["record"]:
                    Collector.ids.setdefault(event["record"]["id"])
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
        if Collector.server is None:
            self.close_connection = True

    def log_message(self, *args):
        pass

    @classmethod
    def up(cls):
        cls.server = http.server.ThreadingHTTPServer(("127.0.0.1", PORT), cls)
        cls.server.daemon_threads = True
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()

    @classmethod
    def down(cls):
        server, cls.server = cls.server, None
        server.shutdown()
        server.server_close()


def run(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout.strip()


def pid(unit):
    return int(run("systemctl", "show", "-P", "MainPID", unit) or 0)


def status(addon):
    try:
        with open(f"/run/serviceradar/addons/{addon}.json") as f:
            return json.load(f)
    except (FileNotFoundError, json.JSONDecodeError):
        return {"state": "unknown", "drift": []}


def rss(process):
    with open(f"/proc/{process}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("RssAnon:"))


def put(directory, name, text):
    with open(f"{directory}/.{name}", "w") as f:
        f.write(text)
    os.rename(f"{directory}/.{name}", f"{directory}/{name}")


def assign(addon, enabled):
    with open(f"/root/{addon}.json") as f:
        assignment = json.load(f)
    assignment["enabled"] = enabled
    put(ASSIGNMENTS, f"{addon}.json", json.dumps(assignment))


def spool(minute):
    records = [json.dumps({"id": done["records"] + i, "minute": minute}) + "\n" for i in range(random.randint(1, 30))]
    done["records"] += len(records)
    put(SPOOL, f"{minute:08d}.jsonl", "".join(records))


def fill():
    with open(f"{LOGS}/.fill", "wb", buffering=0) as f:
        try:
            while f.write(bytes(1 << 16)):
                pass
        except OSError:
            pass


def flip():
    addon = random.choice(("sample-timer", "heartbeat", "metrics"))
    if random.random() < 0.2 and os.path.exists(f"{ASSIGNMENTS}/{addon}.json"):
        os.unlink(f"{ASSIGNMENTS}/{addon}.json")
    else:
        assign(addon, random.random() < 0.6)
    done["flips"] += 1


def kill():
    process = pid(random.choice(("serviceradar-heartbeat", "serviceradar-heartbeat", "serviceradar-netprobe")))
    if process:
        os.kill(process, 9)
        done["kills"] += 1


class Outage:
    """Something that is gone for a while, now and then."""

    def __init__(self, name, one_in, begin, end):
        self.name, self.one_in, self.begin, self.end = name, one_in, begin, end
        self.until = None

    def minute(self, minute):
        if self.until is None and random.random() < 1 / self.one_in:
            self.begin()
            done[self.name] += 1
            self.until = minute + random.randint(5, 20)
        elif self.until is not None and minute >= self.until:
            self.over()

    def over(self):
        if self.until is not None:
            self.end()
        self.until = None


def signal_journal(number):
    os.kill(pid("systemd-journald"), number)


OUTAGES = (Outage("outages", 50, fill, lambda: os.unlink(f"{LOGS}/.fill")),
           Outage("collector_outages", 50, Collector.down, Collector.up),
           Outage("journal_outages", 100, lambda: signal_journal(19), lambda: signal_journal(18)))


def minute_of(minute):
    """What happens in one of them."""
    spool(minute)
    if random.random() < 1 / 5:
        flip()
    if random.random() < 1 / 40:
        kill()
    if random.random() < 1 / 60:
        run("systemctl", "stop", "serviceradar-heartbeat", "serviceradar-sample-timer.timer")
        done["stops"] += 1
    if random.random() < 1 / 30:
        run("systemctl", "start", "--no-block", "serviceradar-sample-timer.service")
        done["runs"] += 1
    for outage in OUTAGES:
        outage.minute(minute)


def id_of(event):
    return event["record"].get("id") if event["type"] == "addon_record" else None


def in_file():
    ids = set()
    for name in os.listdir(LOGS):
        if name.startswith("events.ndjson"):
            with open(f"{LOGS}/{name}") as f:
                ids.update(id_of(json.loads(line)) for line in f)
    return ids


def in_journal():
    lines = run("journalctl", "-q", "-o", "cat", "SR_TYPE=addon_record").splitlines()
    return {id_of(json.loads(line)) for line in lines}


def sinks():
    return [json.loads(line) for line in run("srctl", "sinks", "--json").splitlines()]


def settled():
    return all(status(a)["state"] == "active" and not status(a)["drift"] for a in ADDONS) and \
        status("sample-timer")["spool"]["waiting"] == 0 and not any(n.endswith(".jsonl") for n in os.listdir(SPOOL)) and \
        all(s["connected"] and s["waiting_bytes"] == 0 for s in sinks())


def warm_up():
    """What the agent keeps room for is used once at its largest: a file as large and one with lines as long as it takes."""
    put(SPOOL, "warm-1.jsonl", "".join(json.dumps({"warm": "x" * 85}) + "\n" for _ in range(9999)))
    put(SPOOL, "warm-2.jsonl", "".join(json.dumps({"warm": "x" * 16000}) + "\n" for _ in range(60)))
    before = time.monotonic()
    while not settled() and time.monotonic() < before + 30:
        time.sleep(0.1)


agent = pid("serviceradar-agent")
Collector.up()
warm_up()
start = time.monotonic()
memory = []
for minute in range(MINUTES):
    minute_of(minute)
    if minute % 10 == 0:
        memory.append(rss(agent))
    time.sleep(max(0, start + (minute + 1) * MS / 1000 - time.monotonic()))
for outage in OUTAGES:
    outage.over()
for addon in ADDONS:
    assign(addon, True)
deadline = time.monotonic() + 90
while not settled() and time.monotonic() < deadline:
    time.sleep(0.1)

half = len(memory) // 4
before, after = max(memory[half:2 * half]), max(memory[-half:])
print(f"{MINUTES} simulated minutes in {time.monotonic() - start:.0f} s:", ", ".join(f"{n} {what}" for what, n in done.items()))
print("RssAnon every ten minutes:", *memory)
print(f"RssAnon of the agent: {before} kB at most in the second quarter, {after} kB in the last: {100 * (after - before) / before:+.2f} %")
wrong = [f"{a}: {status(a)['state']} {status(a)['drift']}" for a in ADDONS if status(a)["state"] != "active" or status(a)["drift"]]
for where, ids in ("file", in_file()), ("collector", set(Collector.ids)), ("journal", in_journal()):
    missing = set(range(done["records"])) - ids
    if missing:
        wrong.append(f"{len(missing)} records are not in the {where}, the first {min(missing)}: {sinks()} {status('sample-timer').get('spool')}")
if list(Collector.ids) != sorted(Collector.ids):
    wrong.append("the collector got them in another order")
if pid("serviceradar-agent") != agent:
    wrong.append("the agent was restarted")
if (after - before) * 100 > before * float(os.environ.get("GROWTH_PERCENT", "1")):
    wrong.append("memory grows")
sys.exit("; ".join(wrong) or 0)
