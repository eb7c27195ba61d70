"""A proxy before a server that does not tell the truth, for the proof that the audit of `stet simulate` can fail."""
import contextlib
import http.client
import http.server
import re
import threading
import urllib.parse

from harness import WAIT_S, Server, check, check_has, must, stet

HOP = {"connection", "content-length", "transfer-encoding", "host", "expect"}


class Lies:
    """What a proxy does to what passes; each runs once at least, and notes in .victim which record it was about."""
    victim = None

    def __init__(self):
        self.lock = threading.Lock()

    def request(self, call, forward):
        """Answers the call: (status, headers, body). None: hangs up without an answer."""
        return forward(call)

    def once(self, address):
        with self.lock:
            if self.victim is not None:
                return False
            self.victim = address
            return True

    def again(self):
        """The server did not take the lie: another one is to be told."""
        with self.lock:
            self.victim = None


class Call:
    def __init__(self, method, path, headers, body):
        self.method, self.path, self.headers, self.body = method, path, headers, body
        parts = urllib.parse.urlsplit(path).path.split("/")
        self.type = parts[4] if len(parts) > 5 and parts[3] == "records" else None
        self.address = "/".join(parts[4:6]) if self.type else None
        self.is_history = parts[-1] == "history"

    def header(self, name):
        return next((value for key, value in self.headers.items() if key.lower() == name.lower()), None)

    def base(self):
        tag = self.header("If-Match")
        return int(tag.strip('"')) if tag else None


@contextlib.contextmanager
def proxy(server, lies):
    at = urllib.parse.urlsplit(server.url).netloc

    def forward(call):
        connection = http.client.HTTPConnection(at, timeout=WAIT_S)
        try:
            connection.request(call.method, call.path, body=call.body,
                               headers={key: value for key, value in call.headers.items() if key.lower() not in HOP})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 64 * 1024  # Head and body in one packet: else each waits for the other's acknowledgement.

        def any(self):
            size = int(self.headers.get("Content-Length") or 0)
            call = Call(self.command, self.path, dict(self.headers), self.rfile.read(size) if size else None)
            answer = lies.request(call, forward)
            if answer is None:
                self.close_connection = True
                return
            status, headers, body = answer
            self.send_response(status)
            for key, value in headers.items():
                if key.lower() not in HOP:
                    self.send_header(key, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = any

        def log_message(self, *_):
            pass

    class Proxy(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_):
            pass

    listening = Proxy(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listening.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.server_address[1]}"
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()


def simulate(enough, *options, **place):
    """Runs longer and longer until what came of it is enough to be judged: a slow machine does little in one second."""
    think = () if "--think-ms" in options else ("--think-ms", "2")
    for seconds in ("1", "8", "30"):
        ran = stet("simulate", "--seconds", seconds, *think, *options, **place)
        if enough(ran):
            return ran
        check(ran.code == 0, ran)
    raise AssertionError(f"too little was done in {seconds} s: {ran!r}")


def simulate_lied_to(lies, url, *options):
    """Until the proxy has had its chance to lie."""
    ran = simulate(lambda _: lies.victim is not None, "--records", "3", "--url", url, *options)
    check(ran.code == 1, ran)
    return ran


def caught(folder, lies, pattern, *options):
    """The simulation must end with 1 and say of the victim what matches the pattern."""
    with Server(folder, "--no-auth") as server, proxy(server, lies) as url:
        ran = simulate_lied_to(lies, url, *options)
        check_has(ran.out, "the audit FAILED")
        said = [line for line in ran.out.splitlines() if line.startswith(f"  {lies.victim}: ")]
        check(any(re.search(pattern, line) for line in said), f"{lies.victim}, {pattern!r}: {ran!r}")
        spaces = must("space", "list", "--url", server.url).out
        check("simulate" not in spaces, spaces)
