#!/usr/bin/env python3
"""Writing under access rules over real sockets: whoever tries what, by whatever route, no answer tells what is not theirs to know.

    access_write_test.py STET [TEST]
"""
import http.client
import json
import os
import sys
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from contract import Contract  # noqa: E402
from harness import Server, check, main, must, test  # noqa: E402

R = "/v1/main/records"
MARK = "s3cr3t"
ZOE = "actor.id = 'zoe'"
DEALS = {
    "on_conflict": "ask", "allow_overrides": ["merge", "reject", "last_writer_wins", "server_wins"],
    "unique": ["/code"],
    "access": {"read": f"public || owner = actor.id || {ZOE}", "create": f"owner = actor.id || {ZOE}",
               "update": f"owner = actor.id || {ZOE}", "delete": ZOE,
               "fields": {"/secret": {"hidden": f"!({ZOE})"}, "/price": {"readonly": f"!({ZOE})"}}},
}
HERS = {"owner": "ann", "public": True, "n": 1, "price": 5, "secret": MARK}
OTHERS = {"owner": "zoe", "n": 1, "code": "X1", "note": MARK, "secret": MARK}
SEEN = {"owner": "ann", "public": True, "n": 2, "price": 5}


class Site:
    """A server with people who hold tokens. What ann, bob and eve are answered is kept, and may not hold the mark."""

    def __init__(self, folder):
        data = os.path.join(folder, "data")
        self.tokens = {"admin": must("init", "--data", data, "--json").json["token"]}
        self.contract = Contract()
        self.server = Server(folder)
        self.connection = http.client.HTTPConnection("127.0.0.1", urllib.parse.urlsplit(self.server.url).port, timeout=60)
        for actor in ("ann", "bob", "zoe"):
            self.tokens[actor] = self.ask("admin", "POST", "/v1/stet/tokens", {"actor": actor, "name": "t"}, want=201)["token"]
        self.ask("admin", "PUT", "/v1/main/types/deals", DEALS, want=201)
        self.ask("zoe", "PUT", f"{R}/deals/a", HERS, want=201)
        self.ask("zoe", "PUT", f"{R}/deals/b", OTHERS, want=201)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.connection.close()
        self.server.__exit__(kind, value, trace)

    def ask(self, actor, method, target, body=None, want=None, media="application/json"):
        headers = {"authorization": f"Bearer {self.tokens[actor]}"}
        raw = b"" if body is None else body.encode() if isinstance(body, str) else json.dumps(body).encode()
        if body is not None:
            headers["content-type"] = media
        self.connection.request(method, target, raw if body is not None else None, headers)
        got = self.connection.getresponse()
        text = got.read()
        answered = {name.lower(): value for name, value in got.getheaders()}
        self.contract.check(method, target, (headers, raw), got.status, answered, text)
        check(want is None or got.status == want, f"{actor} {method} {target}: {got.status} {text[:600]!r}")
        if actor in ("ann", "bob"):
            check(MARK.encode() not in text and MARK not in str(answered), f"{actor} {method} {target}: {text[:2000]!r}")
        return json.loads(text) if "json" in answered.get("content-type", "") and "ndjson" not in answered["content-type"] else text.decode()


@test
def no_answer_to_any_write_tells_what_is_hidden(folder):
    with Site(folder) as site:
        ask = site.ask
        a, b = f"{R}/deals/a", f"{R}/deals/b"
        ask("ann", "PUT", f"{a}?base_version=1&dry_run=1", SEEN, want=200)
        ask("ann", "POST", f"{a}/merge-preview", {"base_version": 1, "data": SEEN}, want=200)
        ask("ann", "PUT", f"{a}?base_version=1", SEEN, want=200)
        check(ask("zoe", "GET", a)["data"]["secret"] == MARK, "what she does not see stays")
        ask("ann", "PUT", f"{a}?base_version=2", {**SEEN, "secret": "x"}, want=403)
        ask("ann", "PUT", f"{a}?base_version=2", {**SEEN, "price": 6}, want=403)
        for patch in ({"secret": "x"}, {"secret": None}, {"price": 1}):
            ask("ann", "PATCH", f"{a}?base_version=2", patch, want=403, media="application/merge-patch+json")
        for operation in ({"op": "test", "path": "/secret", "value": MARK}, {"op": "copy", "from": "/secret", "path": "/n"},
                          {"op": "move", "from": "/secret", "path": "/n"}, {"op": "remove", "path": "/secret"}):
            ask("ann", "PATCH", f"{a}?base_version=2", [operation], want=403, media="application/json-patch+json")
        ask("ann", "PATCH", f"{a}?base_version=2", [{"op": "copy", "from": "", "path": "/all"}], want=200,
            media="application/json-patch+json")
        ask("ann", "POST", f"{a}/revert?base_version=3", {"to": 1}, want=200)
        ask("ann", "DELETE", f"{a}?base_version=4", want=403)
        ask("bob", "PUT", f"{a}?base_version=1", SEEN, want=403)
        for method, query, body in (("PUT", "?base_version=1", SEEN), ("PATCH", "?base_version=1", {"n": 2})):
            media = "application/json" if method == "PUT" else "application/merge-patch+json"
            there, gone = (ask("ann", method, f"{R}/deals/{name}{query}", body, want=404, media=media) for name in "bx")
            check({**there, "request_id": 0} == {**gone, "request_id": 0}, f"{there} is not {gone}")
        ask("ann", "PUT", b, {"owner": "ann"}, want=403)
        ask("ann", "POST", f"{R}/deals?id=b", {"owner": "ann"}, want=403)
        refused = ask("ann", "POST", f"{R}/deals?id=c", {"owner": "ann", "code": "X1"}, want=409)
        check(refused["code"] == "UNIQUE_VIOLATION" and "deals/b" not in str(refused), refused)
        check("deals/b" in str(ask("zoe", "POST", f"{R}/deals?id=c", {"owner": "ann", "code": "X1"}, want=409)), "zoe may know")
        ask("ann", "POST", "/v1/main/transactions", {"mutations": [
            {"op": "put", "type": "deals", "id": "a", "base_version": 1, "data": SEEN, "on_conflict": "reject"},
            {"op": "check", "type": "deals", "id": "b", "base_version": 1},
            {"op": "create", "type": "deals", "id": "b", "data": {"owner": "ann"}}]}, want=409)
        ask("ann", "POST", f"{a}/fork", {"id": "copy"}, want=403)
        ask("ann", "POST", f"{b}/fork", {"id": "copy"}, want=404)
        ask("ann", "GET", f"{b}/concurrency", want=404)


@test
def no_conflict_tells_what_is_hidden(folder):
    with Site(folder) as site:
        ask = site.ask
        a = f"{R}/deals/a"
        ask("zoe", "PATCH", f"{a}?base_version=1", {"n": 7, "secret": MARK + "2"}, media="application/merge-patch+json", want=200)
        lost = ask("ann", "PUT", f"{a}?base_version=1&on_conflict=reject", SEEN, want=409)
        check(lost["current"] == {"owner": "ann", "public": True, "n": 7, "price": 5}, lost)
        parked = ask("ann", "PUT", f"{a}?base_version=1", SEEN, want=202)
        conflict = f"/v1/main/conflicts/{parked['conflict_id']}"
        for actor in ("ann", "bob"):
            shown = ask(actor, "GET", conflict, want=200)
            check(shown["yours"] == SEEN and shown["current"]["n"] == 7, shown)
            ask(actor, "GET", "/v1/main/conflicts", want=200)
            ask(actor, "GET", "/v1/main/conflicts?state=any", want=200)
            ask(actor, "GET", f"{R}/stet.conflict/{parked['conflict_id']}", want=200)
            ask(actor, "GET", f"{R}/stet.conflict/{parked['conflict_id']}/history?data=1", want=200)
            ask(actor, "GET", "/v1/main/inbox", want=200)
        ask("bob", "POST", f"{conflict}/resolve", {"choice": "current"}, want=403)
        token = ask("ann", "GET", conflict)["resolution_token"]
        ask("ann", "POST", f"{conflict}/resolve", {"choice": "yours", "resolution_token": token}, want=200)
        check(ask("zoe", "GET", a)["data"] == {**SEEN, "secret": MARK + "2"}, "what is hidden stands as it stood")
        ask("ann", "GET", conflict, want=200)
        ask("ann", "GET", f"{a}/history?data=1", want=200)


@test
def who_lost_sight_of_a_record_is_told_no_more_of_it(folder):
    with Site(folder) as site:
        ask = site.ask
        a = f"{R}/deals/a"
        ask("zoe", "PATCH", f"{a}?base_version=1", {"n": 7}, media="application/merge-patch+json", want=200)
        conflict = "/v1/main/conflicts/" + ask("ann", "PUT", f"{a}?base_version=1", SEEN, want=202)["conflict_id"]
        ask("zoe", "PUT", f"{a}?base_version=2", {"owner": "cat", "public": False, "n": "later", "secret": MARK}, want=200)
        shown = ask("ann", "GET", conflict, want=200)
        check(shown["current"] is None and "later" not in json.dumps(shown) and "last_modified_by" not in shown, shown)
        ask("bob", "GET", conflict, want=404)
        check(ask("bob", "GET", "/v1/main/conflicts")["conflicts"] == [], "bob meets it nowhere")
        ask("ann", "PUT", f"{a}?base_version=3", SEEN, want=404)


@test
def what_only_an_administrator_could_do_is_noted(folder):
    with Site(folder) as site:
        site.ask("admin", "PATCH", f"{R}/deals/b?base_version=1", {"n": 2}, media="application/merge-patch+json", want=200)
        changes = site.ask("admin", "GET", f"{R}/deals/b/history")["changes"]
        check(changes[0].get("bypass") is True and "bypass" not in changes[1], changes)
        lines = site.ask("admin", "GET", "/v1/main/export?history=1").splitlines()
        check(sum('"bypass":true' in line for line in lines) == 1, lines)
        site.ask("admin", "PUT", "/v1/copy", want=201)
        kept = "\n".join(line for line in lines if '"type":"deals"' in line)
        site.ask("admin", "POST", "/v1/copy/import", kept, want=200, media="application/x-ndjson")
        again = site.ask("admin", "GET", "/v1/copy/export?history=1").splitlines()
        check(sum('"bypass":true' in line for line in again) == 1, again)


if __name__ == "__main__":
    main()
