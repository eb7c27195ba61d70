"""What must hold behind any proxy, with its configuration as it stands in ops/. Each test file brings the way to start one."""
import contextlib
import http.client
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "http"))
from harness import TOP, WAIT_S, Server, check, check_has, environment, main, must, test, wait_for  # noqa: E402
from live_client import CLOSE, PING, Live, Refused  # noqa: E402

start_proxy = None  # (folder, port, upstream, base): a process that will listen on https://localhost:port


def read_ops(name):
    with open(os.path.join(TOP, "ops", name), encoding="utf-8") as file:
        return file.read()


def replaced(text, *pairs):
    """Replaces what is there, and fails when it is not: the test must not go by a file that has changed below it."""
    for old, new in pairs:
        check(old in text, f"{old!r} is not in the file any more")
        text = text.replace(old, new)
    return text


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def make_certificate(folder):
    key, cert = os.path.join(folder, "key.pem"), os.path.join(folder, "cert.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
                    "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key,
                    "-out", cert], check=True, capture_output=True, timeout=WAIT_S)
    return cert, key


class Behind:
    """A server behind the proxy. .url is the public one."""

    def __init__(self, folder, base=""):
        self.folder = folder
        self.port = free_port()
        self.url = f"https://localhost:{self.port}{base}"
        self.base = base
        self.cert, self.key = make_certificate(folder)
        self.token = Server(folder).read_token()
        arguments = ["--public-url", self.url, "--trusted-proxy", "127.0.0.1", "--access-log"]
        if base:
            arguments += ["--base-path", base]
        self.server = Server(folder, *arguments)
        try:
            upstream = urllib.parse.urlsplit(self.server.url).netloc
            self.proxy = start_proxy(self, upstream, base)
        except BaseException:
            self.server.stop()
            raise

    def __enter__(self):
        def listens():
            check(self.proxy.poll() is None, f"the proxy ended: {self.proxy_log()}")
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
            return False

        try:
            wait_for(listens, "the proxy to listen")
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def proxy_log(self):
        with open(os.path.join(self.folder, "proxy.log"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def __exit__(self, kind, value, trace):
        self.proxy.terminate()
        try:
            self.proxy.wait(timeout=WAIT_S)
        except subprocess.TimeoutExpired:
            self.proxy.kill()
            self.proxy.wait()
        self.server.__exit__(kind, value, trace)

    def connect(self, source=None):
        context = ssl.create_default_context(cafile=self.cert)
        return http.client.HTTPSConnection("localhost", self.port, timeout=WAIT_S, context=context,
                                           source_address=(source, 0) if source else None)

    def call(self, method, path, body=None, headers=None, source=None):
        connection = self.connect(source)
        try:
            connection.request(method, self.base + path, body=body, headers={
                "Authorization": f"Bearer {self.token}", "Content-Type": "application/json", **(headers or {})})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()


@test
def writes_and_reads_come_through_unchanged(folder):
    with Behind(folder) as behind:
        data = b'{"n": 1.10,  "words": "\xc3\xa4"}'
        path = "/v1/main/records/a%20b/c%2Fd"
        status, headers, body = behind.call("PUT", path, data)
        check(status == 201 and headers["ETag"] == '"1"' and headers["Location"] == path, (status, headers, body))
        check(data in body, body)
        status, headers, body = behind.call("GET", path, headers={"If-None-Match": '"1"'})
        check(status == 304, (status, body))
        status, _, body = behind.call("PUT", path, b"{}", {"If-Match": '"7"'})
        check(status == 412 and json.loads(body)["current_version"] == 1, body)
        ran = must("get", "a%20b/c%2Fd", "--raw", "--url", behind.url, "--token", behind.token, "--ca-file", behind.cert)
        check(ran.out.encode() == data + b"\n", ran)


@test
def it_works_below_a_path(folder):
    with Behind(folder, "/stet") as behind:
        check(behind.call("PUT", "/v1/main/records/a/1", b"{}")[0] == 201)
        with live(behind) as connection:
            connection.ask("hello")
        status, headers, _ = behind.call("POST", "/v1/main/records/a?id=2", b"{}")
        check(status == 201 and headers["Location"] == "/stet/v1/main/records/a/2", (status, headers))
        must("put", "a/3", "{}", "--url", behind.url, "--token", behind.token, "--ca-file", behind.cert)
        events(behind)


@contextlib.contextmanager
def stream(behind, *options):
    """The lines of an event stream as curl gets them, with the time of each."""
    process = subprocess.Popen(
        ["curl", "-sN", "--cacert", behind.cert, *options, "-H", "Accept: text/event-stream", "-H",
         f"Authorization: Bearer {behind.token}", f"{behind.url}/v1/main/changes"], stdout=subprocess.PIPE,
        env=environment({"NO_PROXY": "*"}))
    try:
        yield process.stdout
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def next_event(lines, name):
    for line in lines:
        if line == f"event: {name}\n".encode():
            return json.loads(next(lines).removeprefix(b"data: "))
    raise AssertionError(f"the stream ended without {name}")


def events(behind, *options):
    with stream(behind, *options) as lines:
        next_event(lines, "ready")
        for number in range(3):
            began = time.monotonic()
            must("put", f"live/{number}{len(options)}", "{}", "--data", behind.server.data)
            change = next_event(lines, "change")
            check(change["record"]["address"] == f"live/{number}{len(options)}", change)
            check(time.monotonic() - began < 10, "the event was held back")


def gauge(behind, name):
    _, _, body = behind.call("GET", "/metrics")
    return int(float(re.search(rf"^{name}(?:\{{.*\}})? (\S+)$", body.decode(), re.M).group(1)))


def streams_open(behind):
    return gauge(behind, "stet_http_streams")


def live(behind, origin=None):
    return Live(behind.port, f"{behind.base}/v1/main/live", token=behind.token, tls=True, Origin=origin)


@test
def events_arrive_as_they_happen(folder):
    with Behind(folder) as behind:
        events(behind, "--http1.1")
        events(behind, "--http2", "--compressed")


@test
def a_reader_that_leaves_is_noticed_by_the_server(folder):
    with Behind(folder) as behind:
        with stream(behind) as lines:
            next_event(lines, "ready")
            check(streams_open(behind) == 1)
        wait_for(lambda: streams_open(behind) == 0, "the server to notice that the reader left")


@test
def a_live_connection_goes_both_ways(folder):
    with Behind(folder) as behind:
        with live(behind, origin=f"https://localhost:{behind.port}") as first, live(behind) as second:
            first.ask("subscribe", sub="a")
            second.mutate({"op": "create", "type": "live", "id": "1", "data": {"text": "x" * 500_000}}, want=201)
            check(len(first.event("change", "a")["data"]["record"]["data"]["text"]) == 500_000, "it comes whole")
            first.frame(PING, b"still there")
            check(first.event("pong")["data"] == "still there", "the server's own answer")
            second.frame(CLOSE, b"\x03\xe8")
            second.end(1000)
            wait_for(lambda: gauge(behind, "stet_http_live_connections") == 1, "the server to notice the close")
        wait_for(lambda: gauge(behind, "stet_http_live_connections") == 0, "the server to notice that the client left")
        try:
            live(behind, origin="https://evil.example")
        except Refused as no:
            check(no.status == 403, f"{no}")
        else:
            raise AssertionError("a page of another site was let in")


@test
def other_names_and_origins_are_refused(folder):
    with Behind(folder) as behind:
        status, _, body = behind.call("GET", "/v1", headers={"Host": "evil.example"})
        check(status == 421 or body == b"", f"another name is served: {status} {body}")
        check(behind.call("PUT", "/v1/main/records/a/1", b"{}", {"Origin": "https://evil.example"})[0] == 403)
        check(behind.call("PUT", "/v1/main/records/a/1", b"{}", {"Origin": f"https://localhost:{behind.port}"})[0] == 201)
        status = behind.call("GET", "/v1", headers={"Authorization": "Bearer wrong"})[0]
        check(status == 401, status)
        status = behind.call("GET", "/metrics", headers={"Authorization": "Bearer wrong"})[0]
        check(status == 401, f"{status}: the server's own figures are for everybody who reaches the proxy")


@test
def the_log_names_the_client_and_not_what_it_claims(folder):
    with Behind(folder) as behind:
        check(behind.call("PUT", "/v1/main/records/a/1", b"{}", source="127.0.0.2")[0] == 201)
        check(behind.call("PUT", "/v1/main/records/a/2", b"{}", {"X-Forwarded-For": "203.0.113.9"}, "127.0.0.3")[0] == 201)

        def line(path):
            return re.search(rf"^.*method=PUT.*{re.escape(path)}.*$", behind.server.log(), re.M)

        first = wait_for(lambda: line("/v1/main/records/a/1"), "the first line").group(0)
        check("127.0.0.2" in first, first)
        second = wait_for(lambda: line("/v1/main/records/a/2"), "the second line").group(0)
        check("127.0.0.3" in second and "203.0.113.9" not in behind.server.log(), second)


@test
def what_is_too_large_is_refused_by_the_server_with_words(folder):
    with Behind(folder) as behind:
        large = json.dumps({"text": "x" * 1_100_000}).encode()
        status, _, body = behind.call("PUT", "/v1/main/records/a/1", large)
        check(status == 413 and json.loads(body)["code"] == "TOO_LARGE", (status, body[:200]))
        lines = b"".join(json.dumps({"type": "b", "id": str(number), "data": {"text": "x" * 1000}}).encode() + b"\n"
                         for number in range(5000))
        status, _, body = behind.call("POST", "/v1/main/import", lines, {"Content-Type": "application/x-ndjson"})
        check(status == 200 and json.loads(body)["imported"] == 5000, (status, body[:200]))


def run(start):
    global start_proxy
    start_proxy = start
    main()
