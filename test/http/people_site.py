"""A server with people, as the tests of people and of live connections use it."""
import http.client
import json
import os
import sys
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from harness import WAIT_S, Server, check, must  # noqa: E402

PASSWORD = "correct horse battery"


class Answer:
    def __init__(self, got):
        self.status, self.body = got.status, got.read()
        self.headers = {name.lower(): value for name, value in got.getheaders()}

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        return self.json.get("code")

    @property
    def cookie(self):
        """name=value of the cookie that was set."""
        return self.headers["set-cookie"].partition(";")[0]

    def __repr__(self):
        return f"{self.status} {self.headers} {self.body[:600]!r}"


class Site:
    """A server with an administrator's token, and helpers that make people."""

    def __init__(self, folder, *options, data="data"):
        self.folder = folder
        path = os.path.join(folder, data)
        self.token = must("init", "--data", path, "--json").json["token"]
        self.server = Server(folder, *options, data=data)
        self.base = urllib.parse.urlsplit(self.server.url).path
        self.port = urllib.parse.urlsplit(self.server.url).port

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.server.__exit__(kind, value, trace)

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)

    def ask(self, method, path, body=None, want=None, code=None, connection=None, **headers):
        """One request as nobody in particular. headers: with _ for -."""
        own = connection or self.connect()
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
            body = body if isinstance(body, (bytes, str)) else json.dumps(body)
        own.request(method, self.base + path, body, sent)
        answer = Answer(own.getresponse())
        if connection is None:
            own.close()
        check(want is None or answer.status == want, f"{method} {path}: not {want} but {answer!r}")
        check(code is None or answer.code == code, f"{method} {path}: not {code} but {answer!r}")
        return answer

    def admin(self, method, path, body=None, want=None, **headers):
        return self.ask(method, path, body, want, Authorization=f"Bearer {self.token}", **headers)

    def add(self, user, *roles, space="main", **members):
        body = {"id": user, "password": PASSWORD, "roles": list(roles), **members}
        return self.admin("POST", f"/v1/{space}/users", body, want=201).json

    def log_in(self, user, space="main", password=PASSWORD, **more):
        return Session(self, self.ask("POST", f"/v1/{space}/session", {"user": user, "password": password, **more}, want=201))


class Session:
    """What a login answered: asks with the cookie, or with the token when there is one."""

    def __init__(self, site, answer):
        self.site, self.answer, self.json = site, answer, answer.json
        if "token" in self.json:
            self.headers = {"Authorization": f"Bearer {self.json['token']}"}
        else:
            self.headers = {"Cookie": answer.cookie, "Stet_CSRF": self.json["csrf"]}

    def ask(self, method, path, body=None, want=None, code=None, **headers):
        return self.site.ask(method, path, body, want, code, **{**self.headers, **headers})

    def lives(self):
        return self.ask("GET", "/v1/main/session").status == 200
