#!/usr/bin/env python3
"""Started the way systemd starts a server: with sockets that listen already, and with somebody who wants to know how it goes."""
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request

from harness import PROGRAM, SLOW, WAIT_S, check, check_has, environment, main, must, test, wait_for

# What systemd does between fork and exec: the sockets become descriptors 3, 4, …, and the process learns that they are its own.
LAUNCHER = """
import os, sys
own, fds, rest = sys.argv[1], [int(fd) for fd in sys.argv[2].split(",") if fd], sys.argv[3:]
high = [os.dup(fd) for fd in fds]
for number, fd in enumerate(high):
    os.dup2(fd, 100 + number)
for number in range(len(fds)):
    os.dup2(100 + number, 3 + number, inheritable=True)
os.closerange(3 + len(fds), 200)
os.environ["LISTEN_FDS"] = str(len(fds))
os.environ["LISTEN_PID"] = str(os.getpid() if own == "own" else os.getppid())
os.execv(rest[0], rest)
"""


class Started:
    """A server under a launcher; .notices are the messages it sent."""

    def __init__(self, folder, sockets, *arguments, own="own", env=None):
        self.folder = folder
        self.notices = []
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = os.path.join(folder, "notify")
        with contextlib.suppress(FileNotFoundError):
            os.remove(path)
        self.notify.bind(path)
        self.notify.setblocking(False)
        fds = [sock.fileno() for sock in sockets]
        self.log_path = os.path.join(folder, "log")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", LAUNCHER, own, ",".join(map(str, fds)), PROGRAM, "serve", "--data",
                 os.path.join(folder, "data"), *arguments],
                stdout=log, stderr=log, pass_fds=fds, env=environment({"NOTIFY_SOCKET": path, **(env or {})}))

    def log(self):
        with open(self.log_path, encoding="utf-8") as file:
            return file.read()

    def hears(self, pattern):
        def heard():
            with contextlib.suppress(BlockingIOError):
                while True:
                    self.notices.append(self.notify.recv(4096).decode())
            return next((text for text in self.notices if re.search(pattern, text)), None)
        return wait_for(heard, f"{pattern!r}: {self.notices} {self.log()}")

    def ended(self):
        return self.process.wait(timeout=WAIT_S)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=WAIT_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.notify.close()


def listening(address="127.0.0.1", family=socket.AF_INET):
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.bind((address, 0))
    sock.listen(16)
    return sock


def url_of(sock):
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def healthy(sock):
    with urllib.request.urlopen(url_of(sock) + "/healthz", timeout=WAIT_S) as answer:
        return json.loads(answer.read())["status"]


@test
def a_connection_from_before_the_start_is_served(folder):
    with listening() as sock:
        early = socket.create_connection(sock.getsockname(), timeout=WAIT_S)
        host, port = sock.getsockname()
        early.sendall(f"GET /healthz HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
        with Started(folder, [sock], "--no-auth") as server:
            answer = b""
            while chunk := early.recv(4096):
                answer += chunk
            check(answer.startswith(b"HTTP/1.1 200"), answer)
            early.close()
            check(server.hears("^READY=1$|^READY=1\n").endswith(f"at {url_of(sock)}"), server.notices)
            must("put", "a/1", "{}", "--url", url_of(sock))
            server.process.send_signal(signal.SIGTERM)
            check(server.ended() == 0, server.log())
            server.hears("^STOPPING=1")
            order = [text.split("=")[0] for text in server.notices]
            check(order == ["STATUS", "READY", "STOPPING"], server.notices)


@test
def connections_wait_while_it_is_started_anew(folder):
    with listening() as sock:
        with Started(folder, [sock], "--no-auth") as server:
            server.hears("READY=1")
            must("put", "a/1", "{}", "--url", url_of(sock))
        between = socket.create_connection(sock.getsockname(), timeout=WAIT_S)
        host, port = sock.getsockname()
        between.sendall(f"GET /v1/main/records/a/1 HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
        with Started(folder, [sock], "--no-auth") as server:
            check(between.recv(4096).startswith(b"HTTP/1.1 200"), server.log())
        between.close()


@test
def several_sockets_are_served(folder):
    socks = [listening(), listening(), listening("::1", socket.AF_INET6)]
    try:
        with Started(folder, socks, "--no-auth") as server:
            server.hears("READY=1")
            for sock in socks:
                check(healthy(sock) == "ok", url_of(sock))
                must("put", f"a/{sock.getsockname()[1]}", "{}", "--url", url_of(sock))
            check(len(must("list", "a", "--json", "--url", url_of(socks[0])).json["records"]) == 3)
    finally:
        for sock in socks:
            sock.close()


@test
def what_is_no_listening_stream_socket_is_refused(folder):
    quiet = socket.socket()
    quiet.bind(("127.0.0.1", 0))
    packets = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    local = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    local.bind(os.path.join(folder, "local"))
    local.listen()
    with quiet, packets, local:
        for sock, words in ((quiet, "not a listening stream socket"), (packets, "not a listening stream socket"),
                            (local, "not for IPv4 or IPv6")):
            with Started(folder, [sock]) as server:
                check(server.ended() == 2, server.log())
                check_has(server.log(), f"descriptor 3.*{words}|socket 3.*{words}")


@test
def sockets_for_another_process_are_left_alone(folder):
    with listening() as sock, Started(folder, [sock], "--no-auth", "--listen", "127.0.0.1:0", own="other") as server:
        heard = server.hears("READY=1")
        check(url_of(sock) not in heard, heard)
        check_has(heard, r"at http://127\.0\.0\.1:\d+$")


@test
def the_sockets_win_over_a_listen_address(folder):
    with listening() as sock, Started(folder, [sock], "--no-auth", "--listen", "192.0.2.1:1") as server:
        check(server.hears("READY=1").endswith(f"at {url_of(sock)}"), server.notices)
        check_has(server.log(), "not the listen address")


@test
def without_authentication_no_other_network_is_served(folder):
    with listening() as near, listening("0.0.0.0") as far, Started(folder, [near, far], "--no-auth") as server:
        check(server.ended() == 2, server.log())
        check_has(server.log(), "loopback")


@test
def signs_of_life_come_as_long_as_it_serves(folder):
    period_s = 2 * SLOW
    with listening() as sock, Started(folder, [sock], "--no-auth",
                                      env={"WATCHDOG_USEC": str(period_s * 1000000)}) as server:
        server.hears("READY=1")
        heard = []
        begin = time.monotonic()
        while len(heard) < 3:
            server.notices.clear()
            server.hears("^WATCHDOG=1$")
            heard.append(time.monotonic() - begin)
        gaps = [later - earlier for earlier, later in zip([0, *heard], heard)]
        check(all(gap < period_s for gap in gaps), gaps)


main()
