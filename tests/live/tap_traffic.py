#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Traffic for tests/live/tap.bats, and the check of what the tap made of it.

  crafted DEVICE EXPECTED [OPTIONS]  sends frames of every kind through DEVICE, writes what has to be seen to EXPECTED
  check EXPECTED FLOWS PACKETS compares: the client's answers to `walk` and `packets`
  balance TOTALS FLOWS PACKETS BYTES  all that was counted is this many packets and bytes, and adds up
  talk FAMILY SERVER PORT N    N exchanges over UDP, and one TCP connection that carries N * 1000 bytes each way
  serve FAMILY ADDRESS PORT    the other end of it
  tun NAME                     a point-to-point interface that echoes UDP; ends with its input
  flood ADDRESS SECONDS        UDP from and to random ports
"""
import json, os, socket, struct, sys, threading, time

SOURCE, TARGET = "198.51.100.2", "198.51.100.1"
SOURCE6, TARGET6 = "2001:db8::2", "2001:db8::1"
TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58


def fnv(data):
    h = 0xCBF29CE484222325
    for b in data:
        h = (h ^ b) * 0x100000001B3 & (1 << 64) - 1
    return f"{h:016x}"


def ipv4(protocol, body, source=SOURCE, target=TARGET, options=b"", ident=0, fragment=0, first=None, total=None):
    header = struct.pack("!BBHHHBBH4s4s", first or 0x40 | 5 + len(options) // 4, 0, total or 20 + len(options) + len(body), ident, fragment,
                         64, protocol, 0, socket.inet_aton(source), socket.inet_aton(target))
    return 0x0800, header + options + body


def ipv6(protocol, body, source=SOURCE6, target=TARGET6, extensions=b"", first=None):
    return 0x86DD, struct.pack("!IHBB", 6 << 28, len(extensions) + len(body), first if extensions else protocol, 64) + \
        socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, target) + extensions + body


def udp(source, target, payload):
    return struct.pack("!HHHH", source, target, 8 + len(payload), 0) + payload


def tcp(source, target, flags, payload=b""):
    return struct.pack("!HHIIBBHHH", source, target, 1, 2, 0x50, flags, 1000, 0, 0) + payload


class Crafted:
    """Frames with what they should come to."""

    def __init__(self):
        self.frames, self.flows, self.up, self.not_ip, self.malformed = [], {}, [], 0, 0

    def add(self, packet, protocol=None, ports=(0, 0), flags=0, up=False, tags=(), ends=None, pad=0):
        """`protocol` None: no flow. `ends`: source and target; their order gives the direction."""
        ethertype, ip = packet
        link = b"\x02\0\0\0\0\x77" + b"\x02\0\0\0\0\x66"
        for kind, number in tags:
            link += struct.pack("!HH", kind, number)
        frame = link + struct.pack("!H", ethertype) + ip
        frame += b"\xee" * max(0, pad - len(frame))
        self.frames.append(frame)
        if protocol is None:
            return
        ends = ends or ((SOURCE, TARGET) if ethertype == 0x0800 else (SOURCE6, TARGET6))
        family = socket.AF_INET if ":" not in ends[0] else socket.AF_INET6
        a, b = ((socket.inet_pton(family, e), p) for e, p in zip(ends, ports))
        low, high = sorted([(a, ends[0]), (b, ends[1])])
        key = json.dumps([low[1], high[1], low[0][1], high[0][1], protocol])
        flow = self.flows.setdefault(key, {"packets": [0, 0], "bytes": [0, 0], "flags": [0, 0]})
        direction = 0 if low[1] == ends[0] else 1
        flow["packets"][direction] += 1
        flow["bytes"][direction] += len(frame)
        flow["flags"][direction] |= flags
        if up:
            self.up.append([fnv(ip), len(ip), direction])


def crafted(device, expected, tap=""):
    c = Crafted()
    back = {"source": TARGET, "target": SOURCE}, (TARGET, SOURCE)
    # Both directions, and what Ethernet pads.
    c.add(ipv4(UDP, udp(1001, 53, b"question")), UDP, (1001, 53), up=True)
    c.add(ipv4(UDP, udp(53, 1001, b"answer"), **back[0]), UDP, (53, 1001), up=True, ends=back[1])
    c.add(ipv4(UDP, udp(1002, 2, b"x")), UDP, (1002, 2), up=True, pad=60)
    # A connection; SYN and payload go up.
    c.add(ipv4(TCP, tcp(1003, 80, 0x02)), TCP, (1003, 80), 0x02, up=True)
    c.add(ipv4(TCP, tcp(80, 1003, 0x12), **back[0]), TCP, (80, 1003), 0x12, ends=back[1])
    c.add(ipv4(TCP, tcp(1003, 80, 0x10)), TCP, (1003, 80), 0x10)
    c.add(ipv4(TCP, tcp(1003, 80, 0x18, b"GET / HTTP/1.1\r\n\r\n")), TCP, (1003, 80), 0x18, up=True)
    c.add(ipv4(TCP, tcp(1003, 80, 0x11)), TCP, (1003, 80), 0x11)
    # VLAN, QinQ.
    c.add(ipv4(TCP, tcp(1004, 80, 0x18, b"tagged")), TCP, (1004, 80), 0x18, up=True, tags=[(0x8100, 5)])
    c.add(ipv6(UDP, udp(1005, 53, b"tagged twice")), UDP, (1005, 53), up=True, tags=[(0x88A8, 5), (0x8100, 6)])
    # IPv4 options; IPv6 extension headers: hop by hop, routing, destination, authentication.
    c.add(ipv4(TCP, tcp(1006, 80, 0x18, b"options"), options=b"\x01" * 40), TCP, (1006, 80), 0x18, up=True)
    hop, route = bytes([43, 0]) + b"\x01\x04\0\0\0\0", bytes([60, 0, 0, 0]) + bytes(4)
    options = bytes([UDP, 1]) + b"\x01\x0c" + bytes(12)
    c.add(ipv6(UDP, udp(1007, 7, b"behind three"), extensions=hop + route + options, first=0), UDP, (1007, 7), up=True)
    ah = bytes([TCP, 4, 0, 0]) + bytes(20)
    c.add(ipv6(TCP, tcp(1008, 8, 0x18, b"behind AH"), extensions=ah, first=51), TCP, (1008, 8), 0x18, up=True)
    # Fragments: the ports of the first are remembered; a later one whose first was not seen has none.
    datagram = udp(1009, 9, bytes(range(256)) * 8)
    for at in range(0, len(datagram), 1000):
        part, more = datagram[at:at + 1000], 0x2000 if at + 1000 < len(datagram) else 0
        c.add(ipv4(UDP, part, ident=77, fragment=at // 8 | more), UDP, (1009, 9), up=at == 0)
        c.add(ipv6(UDP, part, extensions=struct.pack("!BBHI", UDP, 0, at | (more != 0), 78), first=44), UDP, (1009, 9), up=at == 0)
    c.add(ipv4(UDP, bytes(64), ident=99, fragment=100), UDP)
    # Without ports; tunnels: the outer packet.
    c.add(ipv4(ICMP, b"\x08\0\0\0" + bytes(20)), ICMP)
    c.add(ipv6(ICMP6, b"\x80\0\0\0" + bytes(20)), ICMP6)
    inner = ipv4(UDP, udp(1, 2, b"inner"), "10.0.0.1", "10.0.0.2")[1]
    c.add(ipv4(47, b"\0\0\x08\0" + inner), 47)
    c.add(ipv4(4, inner), 4)
    c.add(ipv6(41, ipv6(UDP, udp(1, 2, b"inner"))[1]), 41)
    c.add(ipv4(UDP, udp(1010, 4789, b"\x08" + bytes(7) + bytes(14) + inner)), UDP, (1010, 4789), up=True)
    c.add(ipv4(132, struct.pack("!HHII", 1011, 11, 0, 0) + bytes(16)), 132, (1011, 11))
    # A jumbo frame comes in several records, put together again. (Nothing of it is linear, as a packet socket sends it.)
    if "plain" not in tap:
        c.add(ipv4(UDP, udp(1012, 12, bytes(i * 7 & 255 for i in range(6000)))), UDP, (1012, 12), up=True)
    # Not IP; no whole IP header.
    for ethertype in 0x0806, 0x88CC:
        c.add((ethertype, bytes(46)))
        c.not_ip += 1
    for bad in ipv4(UDP, b"")[1][:12], ipv4(UDP, udp(1, 2, b""), first=0x43)[1], ipv4(UDP, udp(1, 2, b""), first=0x65)[1], \
            ipv4(UDP, b"", total=10)[1]:
        c.add((0x0800, bad))
        c.malformed += 1
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    s.bind((device, 0))
    for frame in c.frames:
        s.send(frame)
    with open(expected, "w") as f:
        json.dump({"flows": c.flows, "up": c.up, "not_ip": c.not_ip, "malformed": c.malformed}, f)


def answers(path, kind):
    return [o for o in map(json.loads, open(path)) if kind in o]


def check(expected, flows, packets, totals):
    want = json.load(open(expected))
    seen = {}
    for f in answers(flows, "flow"):
        key = json.dumps([f["low"], f["high"], f["low_port"], f["high_port"], f["protocol"]])
        assert key not in seen, f"twice: {key}"
        seen[key] = {k: f[k] for k in ("packets", "bytes", "flags")}
    for key, flow in want["flows"].items():
        assert seen.get(key) == flow, f"{key}: {seen.get(key)} instead of {flow}"
    up = [[o["hash"], o["size"], o["direction"]] for o in answers(packets, "packet") if o["protocol"] in (TCP, UDP)]
    ours = [u for u in up if u in want["up"]]
    assert ours == want["up"], f"handed up: {up} instead of {want['up']}"
    t = answers(totals, "totals")[0]
    assert t["malformed_packets"] == want["malformed"], t
    assert t["not_ip_packets"] >= want["not_ip"], t


def balance(totals, flows, packets, octets):
    t = answers(totals, "totals")[0]
    got = sum(sum(f["packets"]) for f in answers(flows, "flow")), sum(sum(f["bytes"]) for f in answers(flows, "flow"))
    assert got[0] + t["not_ip_packets"] + t["malformed_packets"] == t["packets"] == int(packets), (got, t, packets)
    assert t["bytes"] == int(octets), (t, octets)


def family(name):
    return socket.AF_INET6 if name == "6" else socket.AF_INET


def receive(s, n):
    data = b""
    while len(data) < n:
        part = s.recv(n - len(data))
        assert part, "closed early"
        data += part
    return data


def talk(version, server, port, n):
    port, n = int(port), int(n)
    u = socket.socket(family(version), socket.SOCK_DGRAM)
    u.connect((server, port))
    u.settimeout(5)
    for i in range(n):
        u.send(b"%d" % i)
        u.recv(100)
    t = socket.create_connection((server, port), timeout=10)
    t.sendall(b"%08d" % (n * 1000))
    t.sendall(bytes(n * 1000))
    receive(t, n * 1000)
    t.close()


def serve(version, address, port):
    u = socket.socket(family(version), socket.SOCK_DGRAM)
    u.bind((address, int(port)))
    l = socket.socket(family(version), socket.SOCK_STREAM)
    l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    l.bind((address, int(port)))
    l.listen()

    def echo():
        while True:
            data, peer = u.recvfrom(100)
            u.sendto(data, peer)

    threading.Thread(target=echo, daemon=True).start()
    while True:
        t, _ = l.accept()
        try:
            n = int(receive(t, 8))
            receive(t, n)
            t.sendall(bytes(n))
        except (AssertionError, ConnectionError):
            pass  # a client that breaks off
        t.close()


def tun(name):
    import fcntl
    fd = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(fd, 0x400454CA, struct.pack("16sH14x", name.encode(), 0x0001 | 0x1000))  # TUNSETIFF, IFF_TUN | IFF_NO_PI
    print("ready", flush=True)
    import select
    while True:
        ready, _, _ = select.select([fd, 0], [], [])
        if 0 in ready:
            return
        p = bytearray(os.read(fd, 65536))
        at = (p[0] & 15) * 4 if p[0] >> 4 == 4 else 40
        if (p[9] if p[0] >> 4 == 4 else p[6]) != UDP:
            continue
        a, b = (slice(12, 16), slice(16, 20)) if p[0] >> 4 == 4 else (slice(8, 24), slice(24, 40))
        p[a], p[b] = p[b], p[a]  # checksums do not change
        p[at:at + 2], p[at + 2:at + 4] = p[at + 2:at + 4], p[at:at + 2]
        os.write(fd, p)


def ask(version, server, port, n):
    u = socket.socket(family(version), socket.SOCK_DGRAM)
    u.connect((server, int(port)))
    u.settimeout(5)
    for i in range(int(n)):
        u.send(b"%d" % i)
        u.recv(100)


def flood(address, seconds):
    """Each pair of datagrams is a flow of its own: what comes once only, LRU keeps apart by itself."""
    end = time.monotonic() + float(seconds)
    sockets = []
    for _ in range(512):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind(("", 0))
        sockets.append(s)
    n = 0
    while time.monotonic() < end:
        for s in sockets:
            for _ in range(2):
                s.sendto(b"flood", (address, 20000 + n % 40000))
            n += 1
    print(2 * n)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
