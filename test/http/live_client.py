"""A WebSocket for the tests, by hand: what is sent can be as wrong as a test wants it."""
import base64
import hashlib
import json
import os
import socket
import ssl
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from harness import WAIT_S, check  # noqa: E402

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Refused(Exception):
    """The handshake was answered with something else than 101."""

    def __init__(self, status, headers, body):
        super().__init__(f"{status} {headers} {body!r}")
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)


class Live:
    """One connection. .events: what came without an id, in order, and was not taken yet; .taken: what was; .close: the code it ended with."""

    def __init__(self, port, path="/v1/main/live", token=None, tls=False, receive_bytes=None, **headers):
        self.events, self.answers, self.pings, self.close, self.over = [], {}, 0, None, False
        self.next_id, self.buffer = 0, b""
        self.taken = []
        raw = socket.socket()
        if receive_bytes:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        raw.settimeout(WAIT_S)
        raw.connect(("127.0.0.1", port))
        if tls:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            raw = context.wrap_socket(raw)
        self.socket = raw
        key = base64.b64encode(os.urandom(16)).decode()
        sent = {"Host": f"localhost:{port}", "Upgrade": "websocket", "Connection": "keep-alive, Upgrade", "Sec-WebSocket-Key": key,
                "Sec-WebSocket-Version": "13", "Sec-WebSocket-Protocol": "other, stet.v1"}
        if token:
            sent["Authorization"] = f"Bearer {token}"
        sent.update({name.replace("_", "-"): value for name, value in headers.items()})
        lines = "".join(f"{name}: {value}\r\n" for name, value in sent.items() if value is not None)
        self.socket.sendall(f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode())
        head = self._read_head()
        status = int(head[0].split()[1])
        self.headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in head[1:])}
        if status != 101:
            size = int(self.headers.get("content-length", 0))
            raise Refused(status, self.headers, self._take(size))
        accept = base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()
        check(self.headers["sec-websocket-accept"] == accept, f"a wrong Sec-WebSocket-Accept: {self.headers}")
        check(self.headers["sec-websocket-protocol"] == "stet.v1", f"another subprotocol: {self.headers}")

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.socket.close()

    # ---- Bytes ----

    def _more(self):
        got = self.socket.recv(65536)
        if not got:
            raise EOFError
        self.buffer += got

    def _take(self, size):
        while len(self.buffer) < size:
            self._more()
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        return taken

    def _read_head(self):
        while b"\r\n\r\n" not in self.buffer:
            self._more()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        return head.decode().split("\r\n")

    def frame(self, kind, payload=b"", fin=True, masked=True, rsv=0):
        head = bytes([(0x80 if fin else 0) | rsv << 4 | kind])
        bit = 0x80 if masked else 0
        if len(payload) < 126:
            head += bytes([bit | len(payload)])
        elif len(payload) < 65536:
            head += bytes([bit | 126]) + struct.pack("!H", len(payload))
        else:
            head += bytes([bit | 127]) + struct.pack("!Q", len(payload))
        if masked:
            mask = os.urandom(4)
            whole = (mask * (len(payload) // 4 + 1))[:len(payload)]
            payload = (int.from_bytes(payload, "big") ^ int.from_bytes(whole, "big")).to_bytes(len(payload), "big")
            head += mask
        self.socket.sendall(head + payload)

    # ---- Messages ----

    def send(self, op, **members):
        """Sends a message and returns its id."""
        self.next_id += 1
        self.frame(TEXT, json.dumps({"id": self.next_id, "op": op, **members}).encode())
        return self.next_id

    def _need(self, size):
        """Nothing is taken, so that a time-out loses nothing."""
        while len(self.buffer) < size:
            self._more()

    def _read_frame(self):
        self._need(2)
        first, second = self.buffer[:2]
        check(second & 0x80 == 0, "the server masked a frame")
        size, at = second & 0x7F, 2
        if size >= 126:
            at = 4 if size == 126 else 10
            self._need(at)
            size = struct.unpack("!H" if at == 4 else "!Q", self.buffer[2:at])[0]
        self._need(at + size)
        payload, self.buffer = self.buffer[at:at + size], self.buffer[at + size:]
        return first & 0x0F, payload

    def step(self):
        """Reads one frame. False: the connection is over."""
        try:
            kind, payload = self._read_frame()
        except (EOFError, ConnectionResetError):
            self.over = True
            return False
        if kind == PING:
            self.pings += 1
            self.frame(PONG, payload)
        elif kind == CLOSE:
            self.close = struct.unpack("!H", payload[:2])[0] if payload else 1005
            self.over = True
            try:
                self.frame(CLOSE, payload[:2])
            except OSError:
                pass
            return False
        elif kind == TEXT:
            message = json.loads(payload)
            if "status" in message:
                self.answers[message["id"]] = message
            else:
                self.events.append(message)
        else:
            check(kind == PONG, f"a frame of kind {kind}")
            self.events.append({"event": "pong", "data": payload.decode()})
        return True

    def answer(self, number, want=None):
        while number not in self.answers:
            check(self.step(), f"the connection ended ({self.close}) before the answer to {number}: {self.events}")
        got = self.answers.pop(number)
        check(want is None or got["status"] == want, f"not {want} but {got}")
        return got

    def ask(self, op, want=200, **members):
        return self.answer(self.send(op, **members), want)

    def mutate(self, *mutations, want=None, **members):
        return self.ask("mutate", want, mutations=list(mutations), **members)

    def until(self, condition, words):
        """Reads until an event fulfils the condition; takes the events up to it, and returns it."""
        at = 0
        end = time.monotonic() + WAIT_S
        while True:
            while at < len(self.events):
                event = self.events[at]
                at += 1
                if condition(event):
                    self.taken, self.events = self.taken + self.events[:at], self.events[at:]
                    return event
            check(time.monotonic() < end and self.step(), f"the connection ended ({self.close}) without {words}: {self.events}")

    def event(self, name, sub=None):
        return self.until(lambda event: event["event"] == name and (sub is None or event.get("sub") == sub), f"the event {name}")

    def end(self, code):
        while self.step():
            pass
        check(self.close == code, f"closed with {self.close}, not {code}")

    def quiet(self, seconds, name):
        """Reads for a while; no event of this name comes."""
        self.socket.settimeout(seconds)
        try:
            while self.step():
                check(all(event["event"] != name for event in self.events), f"a {name} came: {self.events}")
        except TimeoutError:
            pass
        finally:
            self.socket.settimeout(WAIT_S)
        check(not self.over, f"the connection ended ({self.close})")
