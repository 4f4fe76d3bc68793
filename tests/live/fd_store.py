#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Starts a program again and again as systemd does with a descriptor store (sd_notify(3), sd_listen_fds(3)).

fd_store.py STORE COMMAND...: runs COMMAND; when it ends runs it once more, with what is in the store, after the file STORE.go appeared.
Writes the names in the store to the file STORE, one a line, whenever they change. Ends with a command that ends while STORE.end is there.
"""
import array, fcntl, os, socket, sys, threading, time

store = []  # (name, fd)


def write():
    with open(sys.argv[1] + ".tmp", "w") as f:
        f.write("".join(name + "\n" for name, _ in store))
    os.rename(sys.argv[1] + ".tmp", sys.argv[1])


def same(a, b):
    return os.fstat(a).st_ino == os.fstat(b).st_ino


def listen(s):
    while True:
        data, ancillary, _, _ = s.recvmsg(65536, 4096)
        fds = [fd for level, kind, d in ancillary if kind == socket.SCM_RIGHTS for fd in array.array("i", d)]
        said = dict(line.split("=", 1) for line in data.decode().splitlines() if "=" in line)
        if said.get("FDSTORE") == "1":
            for fd in fds:
                if any(same(fd, other) for _, other in store):
                    os.close(fd)
                else:
                    store.append((said["FDNAME"], fd))
        elif said.get("FDSTOREREMOVE") == "1":
            for entry in [e for e in store if e[0] == said["FDNAME"]]:
                os.close(entry[1])
                store.remove(entry)
        write()


def run():
    passed = list(store)

    pid = os.fork()
    if pid == 0:
        os.environ["NOTIFY_SOCKET"] = path
        if passed:
            os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(passed)), LISTEN_FDNAMES=":".join(n for n, _ in passed))
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 100) for _, fd in passed]
        for i, fd in enumerate(high):
            os.dup2(fd, 3 + i, inheritable=True)
        os.execvp(sys.argv[2], sys.argv[2:])
    os.waitpid(pid, 0)


path = sys.argv[1] + ".notify"
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.bind(path)
os.chmod(path, 0o666)
threading.Thread(target=listen, args=[notify], daemon=True).start()
write()
while not os.path.exists(sys.argv[1] + ".end"):
    run()
    while not os.path.exists(sys.argv[1] + ".go") and not os.path.exists(sys.argv[1] + ".end"):
        time.sleep(0.01)
    if os.path.exists(sys.argv[1] + ".go"):
        os.unlink(sys.argv[1] + ".go")
