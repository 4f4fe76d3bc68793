# SPDX-License-Identifier: Apache-2.0
"""sockets.py SCENARIO: uses sockets in one certain way and prints who should own what, as a JSON object.

Every scenario runs in a network namespace with a loopback interface, and takes the ports that it needs."""
import ctypes
import errno
import json
import os
import resource
import signal
import socket
import sys
import threading
import time

AF4, AF6, DGRAM = socket.AF_INET, socket.AF_INET6, socket.SOCK_DGRAM


def udp(family=AF4, protocol=0, bind=None, connect=None):
    s = socket.socket(family, DGRAM, protocol)
    s.settimeout(10)
    if bind:
        s.bind(bind)
    if connect:
        s.connect(connect)
    return s


def datagrams():
    """Both ends here: unconnected, connected, IPv6, IPv4-mapped, UDP-Lite; three datagrams of each, one event."""
    ports = {}
    server = udp(bind=("127.0.0.1", 5301))
    server6 = udp(AF6, bind=("::1", 5302))
    pairs = [("unconnected", udp(), ("127.0.0.1", 5301), server), ("connected", udp(connect=("127.0.0.1", 5301)), None, server),
             ("v6", udp(AF6), ("::1", 5302), server6), ("mapped", udp(AF6), ("::ffff:127.0.0.1", 5301), server)]
    try:
        lite = udp(protocol=136, bind=("127.0.0.1", 5303))
        pairs.append(("lite", udp(protocol=136), ("127.0.0.1", 5303), lite))
    except OSError as e:  # newer kernels have no UDP-Lite any more
        if e.errno != errno.EPROTONOSUPPORT:
            raise
    for name, s, to, end in pairs:
        for _ in range(3):
            s.sendto(b"ask", to) if to else s.send(b"ask")
            data, peer = end.recvfrom(100)
            end.sendto(b"answer", peer)
            s.recv(100)
        ports[name] = s.getsockname()[1]
    return {"pid": os.getpid(), "ports": ports}


def many_peers():
    """One socket is asked by 500 others."""
    server, ports = udp(bind=("127.0.0.1", 5304)), set()
    for _ in range(500):
        s = udp()
        s.sendto(b"x", ("127.0.0.1", 5304))
        server.recv(10)
        ports.add(s.getsockname()[1])
        s.close()
    return {"pid": os.getpid(), "ports": len(ports)}


def listener(port, address="127.0.0.1"):
    s = socket.create_server((address, port))
    s.settimeout(10)
    return s


def workers():
    """The parent listens, three workers accept; each connection is answered by whoever took it, which tells its pid."""
    parent, pids, served = listener(5401), [], {}
    for _ in range(3):
        pid = os.fork()
        if pid == 0:
            parent.settimeout(None)
            signal.alarm(20)
            while True:
                c, _ = parent.accept()
                c.sendall(b"%d" % os.getpid())
                c.close()
                time.sleep(0.01)  # lets another one have the next
        pids.append(pid)
    for _ in range(60):
        c = socket.create_connection(("127.0.0.1", 5401))
        port = c.getsockname()[1]
        served[port] = int(c.recv(20))
        c.close()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return {"parent": os.getpid(), "served": served}


def silent_worker():
    """A worker takes a connection and closes it without a word."""
    parent = listener(5402)
    pid = os.fork()
    if pid == 0:
        c, _ = parent.accept()
        time.sleep(0.2)
        c.close()
        os._exit(0)
    c = socket.create_connection(("127.0.0.1", 5402))
    c.recv(1)
    os.waitpid(pid, 0)
    return {"worker": pid, "port": c.getsockname()[1]}


def idle_worker():
    """A worker takes two connections, and uses only the first: the second one stays as it is until the worker is gone."""
    parent = listener(5407)
    pid = os.fork()
    if pid == 0:
        kept = [parent.accept()[0], parent.accept()[0]]
        kept[0].sendall(b"x")
        signal.pause()
    used = socket.create_connection(("127.0.0.1", 5407))
    idle = socket.create_connection(("127.0.0.1", 5407))
    used.recv(1)
    time.sleep(0.5)
    late = socket.create_connection(("127.0.0.1", 5407))
    time.sleep(0.5)  # longer than an accept waits for its correction
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    orphan = socket.create_connection(("127.0.0.1", 5407))
    time.sleep(0.5)
    return {"parent": os.getpid(), "worker": pid,
            "ports": {name: c.getsockname()[1] for name, c in (("used", used), ("idle", idle), ("late", late), ("orphan", orphan))}}


def neighbours():
    """Two processes listen at one port, each at an address of its own, and take nothing. The first one ends, another one comes."""
    def listen_at(address):
        ready, tell = os.pipe()
        pid = os.fork()
        if pid == 0:
            signal.alarm(60)
            s = listener(5418, address)
            os.write(tell, b"x")
            signal.pause()
            s.close()
        os.read(ready, 1)
        return pid

    def connect(address):
        c = socket.create_connection((address, 5418))
        time.sleep(0.5)  # longer than an accept waits for its correction
        port = c.getsockname()[1]
        c.close()
        return port

    pids = {"first": listen_at("127.0.0.1"), "second": listen_at("127.0.0.2")}
    ports = {"first": connect("127.0.0.1"), "second": connect("127.0.0.2")}
    os.kill(pids["first"], signal.SIGKILL)
    os.waitpid(pids["first"], 0)
    pids["third"] = listen_at("127.0.0.1")
    ports |= {"third": connect("127.0.0.1"), "still": connect("127.0.0.2")}
    pids["still"] = pids["second"]
    for pid in (pids["second"], pids["third"]):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return {"pids": pids, "ports": ports}


def crowd():
    """3,000 connections between two processes are open at once; then each end closes its own."""
    n = 3000
    resource.setrlimit(resource.RLIMIT_NOFILE, (n + 100, n + 100))
    server = listener(5419)
    server.listen(n)
    pid = os.fork()
    if pid == 0:
        clients = [socket.create_connection(("127.0.0.1", 5419)) for _ in range(n)]
        for c in clients:
            c.sendall(b"x")
        for c in clients:
            c.close()
        os._exit(0)
    taken = [server.accept() for _ in range(n)]
    for c, _ in taken:
        c.recv(1)
    for c, _ in taken:
        c.recv(1)  # the other end is closed
        c.close()
    os.waitpid(pid, 0)
    return {"client": pid, "server": os.getpid(), "ports": [peer[1] for _, peer in taken]}


def drops_privileges():
    """Listens as root, drops to 12345, then serves two connections."""
    server = listener(5408)
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)
        for _ in range(2):
            c = socket.create_connection(("127.0.0.1", 5408))
            c.recv(1)
            c.close()
        os._exit(0)
    os.setgroups([])
    os.setresgid(12345, 12345, 12345)
    os.setresuid(12345, 12345, 12345)
    for _ in range(2):
        s, _ = server.accept()
        s.sendall(b"x")
        s.close()
    os.waitpid(pid, 0)
    return {"pid": os.getpid()}


def brief():
    """2,000 processes, each of which connects, sends a byte and ends; every fourth one sends a datagram, too."""
    server, sink = listener(5409), udp(bind=("127.0.0.1", 5409))
    for i in range(2000):
        pid = os.fork()
        if pid == 0:
            c = socket.create_connection(("127.0.0.1", 5409))
            c.send(b"x")
            if i % 4 == 0:
                udp().sendto(b"x", ("127.0.0.1", 5409))
            os._exit(0)
        s, _ = server.accept()
        s.recv(1)
        s.close()
        os.waitpid(pid, 0)
    sink.close()
    return {"pid": os.getpid()}


def handed_over():
    """SCM_RIGHTS: one process accepts and reads, another one gets the socket and goes on with it."""
    left, right = socket.socketpair(socket.AF_UNIX)
    pid = os.fork()
    if pid == 0:
        left.close()
        _, fds, _, _ = socket.recv_fds(right, 1, 1)
        s = socket.socket(fileno=fds[0])
        right.recv(1)  # the one before has let go
        s.sendall(b"from the other one")
        s.close()
        os._exit(0)
    right.close()
    server = listener(5403)
    client = socket.create_connection(("127.0.0.1", 5403))
    client.sendall(b"x")
    s, _ = server.accept()
    s.recv(1)
    time.sleep(0.2)  # longer than an accept waits for its correction
    socket.send_fds(left, [b"x"], [s.fileno()])
    s.close()
    left.sendall(b"x")
    while client.recv(100):
        pass
    os.waitpid(pid, 0)
    return {"accepted": os.getpid(), "got": pid, "port": client.getsockname()[1]}


def setuid():
    """Connects as root, then drops to 12345, then closes."""
    server = listener(5404)
    pid = os.fork()
    if pid == 0:
        c = socket.create_connection(("127.0.0.1", 5404))
        os.setgroups([])
        os.setresgid(12345, 12345, 12345)
        os.setresuid(12345, 12345, 12345)
        c.sendall(b"x")
        c.close()
        os._exit(0)
    s, _ = server.accept()
    s.recv(1)
    os.waitpid(pid, 0)
    return {"pid": pid}


def thread():
    """A thread with a name of its own connects."""
    server = listener(5405)

    def work():
        ctypes.CDLL(None).prctl(15, b"a-thread", 0, 0, 0)  # PR_SET_NAME
        socket.create_connection(("127.0.0.1", 5405)).close()

    t = threading.Thread(target=work)
    t.start()
    t.join()
    return {"pid": os.getpid(), "comm": open("/proc/self/comm").read().strip()}


def fork():
    """A child that never calls exec connects."""
    server = listener(5406)
    pid = os.fork()
    if pid == 0:
        socket.create_connection(("127.0.0.1", 5406)).close()
        os._exit(0)
    os.waitpid(pid, 0)
    return {"pid": pid}


def older():
    """Listeners, bound sockets and connections that are there before the daemon; goes on when told by a line on stdin."""
    server, datagram = listener(5501), udp(bind=("127.0.0.1", 5502))
    client = socket.create_connection(("127.0.0.1", 5501))
    accepted, _ = server.accept()
    pid = os.fork()  # shares all of them
    if pid == 0:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG: it does not outlive a test that fails
        signal.pause()
    print(json.dumps({"pid": os.getpid(), "child": pid, "port": client.getsockname()[1]}), flush=True)
    sys.stdin.readline()
    late = socket.create_connection(("127.0.0.1", 5501))
    s, _ = server.accept()
    late.sendall(b"x")
    s.recv(1)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    for c in (late, s, client, accepted):
        c.close()
    return {"late": late.getsockname()[1] if late.fileno() >= 0 else 0}


def once(name, port):
    """Takes a name, connects."""
    ctypes.CDLL(None).prctl(15, name.encode(), 0, 0, 0)
    try:
        socket.create_connection(("127.0.0.1", int(port)))
    except OSError:
        pass
    return {"pid": os.getpid()}


print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])), flush=True)
