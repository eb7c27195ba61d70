#!/usr/bin/env python3
"""Every route, asked by everybody: who gets what, and that nobody is told what is not theirs.

    access_test.py STET ROUTE_LIST [FUNCTION...]      ROUTE_LIST: prints the program's routes (route_list.c)

The table below has a row for each operation of the program, or several: what is asked, made anew for each role, and the status
that each role is to get. A route without a row fails. Marks stand in hidden fields, in records that not everybody may read, and
in secrets; no answer may hold a mark that its reader is not to see.
"""
import http.client
import itertools
import json
import os
import subprocess
import sys
import urllib.parse

ROUTE_LIST = os.path.abspath(sys.argv.pop(2))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))

from harness import WAIT_S, Server, check, main, must, test  # noqa: E402
from live_client import Live  # noqa: E402

# Nobody: without a token. Guest: a role that no rule names. Member: a token without roles. Clerk: sees and changes all deals, but not
# their margin. Owner: sees and changes what is theirs. Admin: a token for everything.
ROLES = ("nobody", "guest", "member", "clerk", "owner", "admin")

DEALS = {
    "allow_overrides": ["ask", "merge", "last_writer_wins"],
    "access": {
        "read": "owner = actor.id || actor.roles contains 'clerk'",
        "create": "owner = actor.id",
        "update": "owner = actor.id || actor.roles contains 'clerk'",
        "delete": "owner = actor.id",
        "fields": {"/margin": {"hidden": "owner != actor.id"}},
    },
}

# Who may be told a mark. What is in a request may be in its answer.
MARKS = {
    "MARK-OWNERS-TITLE": {"clerk", "owner", "admin"},
    "MARK-OWNERS-MARGIN": {"owner", "admin"},
    "MARK-OTHERS-TITLE": {"clerk", "admin"},
    "MARK-OTHERS-MARGIN": {"admin"},
    "mark-others-id": {"clerk", "admin"},
    "MARK-SECRET": set(),
    "MARK-OPERATION": {"member", "admin"},
    "$argon2": set(),
}

S = "/v1/main"
R = S + "/records"
JSON, MERGE, LINES = "application/json", "application/merge-patch+json", "application/x-ndjson"


class Answer:
    def __init__(self, status, body):
        self.status, self.body = status, body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.body[:1000]!r}"


class World:
    """A server with records, people and secrets."""

    def __init__(self, folder):
        data = os.path.join(folder, "data")
        self.tokens = {"admin": must("init", "--data", data, "--json").json["token"], "nobody": None}
        self.marks = dict(MARKS)
        self.server = Server(folder)
        self.numbers = itertools.count(1)
        port = urllib.parse.urlsplit(self.server.url).port
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)
        for role, roles in (("guest", ["guest"]), ("member", None), ("clerk", ["clerk"]), ("owner", ["sales"])):
            made = {"actor": role, "name": "MARK-OPERATION" if role == "admin" else "t"}
            if roles:
                made["roles"] = roles
            self.tokens[role] = self.must("POST", "/v1/stet/tokens", made)["token"]
        self.must("POST", f"{S}/users", {"id": "ann", "name": "Ann", "password": "correct horse battery"})
        session = self.must("POST", f"{S}/session", {"user": "ann", "password": "correct horse battery", "token": True}, "nobody")
        link = self.must("POST", f"{S}/links", {"kind": "reset", "user": "ann"})
        self.marks.update({secret: set() for secret in (*self.tokens.values(), session["token"], link["token"]) if secret})
        self.must("PUT", f"{S}/types/deals", DEALS)
        self.must("PUT", f"{S}/types/coded", {**DEALS, "unique": ["/code"]})
        self.must("PUT", f"{S}/types/meetings", {**DEALS, "exclusive": {"start": "/start", "end": "/end"}})
        self.must("PUT", f"{R}/meetings/mark-others-id-m", {"owner": "nora", "title": "MARK-OTHERS-TITLE", "margin": "MARK-OTHERS-MARGIN",
                                                          "start": "2026-01-05T10:00:00Z", "end": "2026-01-05T11:00:00Z"})
        self.must("PUT", f"{R}/coded/mark-others-id-code", {"owner": "nora", "code": "taken", "title": "MARK-OTHERS-TITLE"})
        self.must("PUT", f"{S}/handlers/hook", {"on": ["create"], "type": "nothing", "webhook": {
            "url": "http://127.0.0.1:1/", "secret": "MARK-SECRET-1"}})
        self.must("PUT", f"{S}/settings", {"alerts": {"a": {"measure": "queue_depth", "above": 1e9, "webhook": {
            "url": "http://127.0.0.1:1/", "secret": "MARK-SECRET-2"}}}})
        self.must("PUT", f"{S}/functions/all", {"source": "return {list('deals'), get('deals', input)}"})
        self.must("PUT", f"{S}/functions/own", {"source": "return 1", "roles": ["sales"]})
        self.deal("owner", "owners-0")
        self.deal("nora", "mark-others-id-0")

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.connection.close()
        self.server.__exit__(kind, value, trace)

    def ask(self, role, method, target, body=None, media=None):
        token = self.tokens[role]
        sent = {} if token is None else {"Authorization": f"Bearer {token}"}
        raw = None
        if body is not None:
            raw = body if isinstance(body, str) else json.dumps(body)
            sent["Content-Type"] = media or JSON
        self.connection.request(method, target, raw, sent)
        got = self.connection.getresponse()
        text = got.read().decode(errors="replace")
        asked = target + (raw or "")
        whole = role == "admin" and target == f"{S}/backup"
        for mark, seen_by in [] if whole else self.marks.items():
            check(role in seen_by or mark not in text or mark in asked,
                  f"{role} is told {mark} by {method} {target}: {text[:3000]}")
        return Answer(got.status, text)

    def must(self, method, target, body=None, role="admin", media=None):
        answer = self.ask(role, method, target, body, media)
        check(answer.status < 300, f"{role}: {method} {target}: {answer!r}")
        return answer.json if answer.body.startswith("{") else {}

    # ---- What there is to be asked about, made anew each time ----

    def number(self):
        return next(self.numbers)

    def deal(self, owner, name=None):
        """A deal of the owner's, or of nora's, whom nobody plays. Its id."""
        mine = owner == "owner"
        name = name or (f"owners-{self.number()}" if mine else f"mark-others-id-{self.number()}")
        word = "OWNERS" if mine else "OTHERS"
        self.must("PUT", f"{R}/deals/{name}", {"owner": owner, "title": f"MARK-{word}-TITLE", "margin": f"MARK-{word}-MARGIN"})
        return name

    def changed_deal(self, owner, name=None):
        name = self.deal(owner, name)
        word = "OWNERS" if owner == "owner" else "OTHERS"
        self.must("PUT", f"{R}/deals/{name}?base_version=1",
                  {"owner": owner, "title": f"MARK-{word}-TITLE 2", "margin": f"MARK-{word}-MARGIN 2", "n": 2})
        return name

    def parked(self, owner):
        """A conflict about a deal that waits for the administrator who wrote it."""
        name = self.changed_deal(owner)
        word = "OWNERS" if owner == "owner" else "OTHERS"
        made = self.must("PUT", f"{R}/deals/{name}?base_version=1&on_conflict=ask",
                         {"owner": owner, "title": f"MARK-{word}-TITLE 3", "margin": f"MARK-{word}-MARGIN 3", "n": 3})
        return made["conflict_id"]

    def fork(self, owner):
        name = self.deal(owner)
        fork = f"{name}-fork"
        self.must("POST", f"{R}/deals/{name}/fork?id={fork}")
        self.must("PATCH", f"{R}/deals/{fork}?base_version=1", {"n": 2}, media=MERGE)
        return fork

    def operation(self, by="admin", shared=False):
        """One of the administrator's, or of somebody else's, that waits in a lane of its own. shared: it is to be done by the role."""
        by = "admin" if by == "nobody" else by
        lane = f"lane-{self.number()}"
        body = {"lane": lane, "agent": "robot", "input": "x" if shared or by != "admin" else "MARK-OPERATION"}
        return self.must("POST", f"{S}/operations", body, by)["id"], lane

    def leased(self, role):
        """One that the role has in hand; nobody and those who may not work do not."""
        name, lane = self.operation(shared=True)
        by = "admin" if role == "nobody" else role
        got = self.must("POST", f"{S}/lanes/{lane}/claim", {"agent": "robot"}, by)["operations"][0]
        return name, got["lease"]["token"]

    def told(self, leased, verb, body):
        name, token = leased
        return "POST", f"{S}/operations/{name}/{verb}", {"lease": token, **body}

    def cancelled(self):
        name = self.operation()[0]
        self.must("POST", f"{S}/operations/{name}/cancel", {})
        return name

    def tree(self, owner):
        """A deal with parts: one of nora's, and below the owner's one of the owner's."""
        top = self.deal(owner)
        for part in {owner, "nora"}:
            self.must("POST", f"{R}/deals/{self.deal(part)}/move", {"parent": f"deals/{top}", "base_version": 1})
        return top

    def tree_put(self, owner):
        top = self.deal(owner)
        version = self.must("GET", f"{R}/deals/{top}/tree")["tree_version"]
        return f"{R}/deals/{top}/tree", {"tree_version": version, "tree": {"data": {"owner": owner, "title": "new"}}}

    def tree_delete(self, owner):
        top = self.deal(owner)
        version = self.must("GET", f"{R}/deals/{top}/tree")["tree_version"]
        return f"{R}/deals/{top}/tree?tree_version={version}"

    def space(self):
        name = f"gone{self.number()}"
        self.must("PUT", f"/v1/{name}")
        return name

    def type(self):
        name = f"gone{self.number()}"
        self.must("PUT", f"{S}/types/{name}", {})
        return name

    def function(self):
        name = f"gone{self.number()}"
        self.must("PUT", f"{S}/functions/{name}", {"source": "return 1"})
        return name

    def handler(self):
        name = f"gone{self.number()}"
        self.must("PUT", f"{S}/handlers/{name}", {"on": ["create"], "type": "nothing", "agent": "a"})
        return name

    def lock(self, by="admin"):
        name = f"lock-{self.number()}"
        return name, self.must("POST", f"{S}/locks/{name}", {}, by)["token"]


# ---- The table --------------------------------------------------------------------------------

ROWS = {}


def row(operation, name, statuses):
    """statuses: of ROLES, in their order."""
    def keep(make):
        ROWS.setdefault(operation, []).append((name, [int(status) for status in statuses.split()], make))
        return make
    return keep


def both(operation, mine, others, make):
    """The same about a deal of the owner's and about one of somebody else's. make(world, role, owner)"""
    row(operation, "owner's", mine)(lambda world, role: make(world, role, "owner"))
    row(operation, "other's", others)(lambda world, role: make(world, role, "nora"))


def plain(operation, statuses, method, target, body=None, media=None):
    row(operation, "", statuses)(lambda world, role: (method, target, body, media))


ALL = "401 200 200 200 200 200"
#      nobody guest member clerk owner admin

# Records

both("getRecord", "401 404 404 200 200 200", "401 404 404 200 404 200", lambda w, role, owner: ("GET", f"{R}/deals/{w.deal(owner)}"))
row("getRecord", "an old version", "401 404 404 200 404 200")(lambda w, role: ("GET", f"{R}/deals/{w.changed_deal('nora')}?version=1"))
row("getRecord", "a user", "401 403 403 403 403 403")(lambda w, role: ("GET", f"{R}/stet.user/ann"))
row("getRecord", "no user", "401 403 403 403 403 403")(lambda w, role: ("GET", f"{R}/stet.user/x"))
row("getRecord", "a token", "401 403 403 403 403 403")(lambda w, role: ("GET", f"/v1/stet/records/stet.token/x"))
row("getRecord", "a payload", "401 404 404 404 404 404")(lambda w, role: ("GET", f"{R}/stet.payload/{w.operation()[0]}.input"))
row("getRecord", "an operation", "401 403 200 403 403 200")(lambda w, role: ("GET", f"{R}/stet.operation/{w.operation()[0]}"))
row("getRecord", "a handler", "401 403 403 403 403 200")(lambda w, role: ("GET", f"{R}/stet.handler/hook"))
row("getRecord", "settings", "401 403 403 403 403 200")(lambda w, role: ("GET", f"{R}/stet.settings/space"))
row("getRecord", "a conflict", "401 403 403 200 200 200")(lambda w, role: ("GET", f"{R}/stet.conflict/{w.parked('owner')}"))
row("getRecord", "another's conflict", "401 403 403 200 403 200")(lambda w, role: ("GET", f"{R}/stet.conflict/{w.parked('nora')}"))
both("putRecord", "401 404 404 200 200 200", "401 404 404 200 404 200",
     lambda w, role, owner: ("PUT", f"{R}/deals/{w.deal(owner)}?base_version=1", {"owner": owner, "title": "new"}))
both("putRecord", "401 404 404 409 409 409", "401 404 404 409 404 409",
     lambda w, role, owner: ("PUT", f"{R}/deals/{w.changed_deal(owner)}?base_version=1", {"owner": owner, "n": 9}))
both("putRecord", "401 404 404 200 200 200", "401 404 404 200 404 200",
     lambda w, role, owner: ("PUT", f"{R}/deals/{w.deal(owner)}?base_version=1&dry_run=1", {"owner": owner, "n": 9}))
both("putRecord", "401 404 404 403 200 200", "401 404 404 403 404 200",
     lambda w, role, owner: ("PUT", f"{R}/deals/{w.deal(owner)}?base_version=1", {"owner": owner, "margin": 1}))
both("putRecord", "401 403 403 428 428 428", "401 403 403 428 403 428",
     lambda w, role, owner: ("PUT", f"{R}/deals/{w.deal(owner)}", {"owner": owner}))
both("putRecord", "401 404 404 202 202 202", "401 404 404 202 404 202",
     lambda w, role, owner: ("PUT", f"{R}/deals/{w.changed_deal(owner)}?base_version=1&on_conflict=ask", {"owner": owner, "n": 9}))
row("putRecord", "a system type", "401 403 403 403 403 403")(lambda w, role: ("PUT", f"{R}/stet.user/x", {}))
row("putRecord", "a type without rules", "401 403 201 403 403 201")(lambda w, role: ("PUT", f"{R}/notes/{w.number()}", {}))
both("patchRecord", "401 404 404 200 200 200", "401 404 404 200 404 200",
     lambda w, role, owner: ("PATCH", f"{R}/deals/{w.deal(owner)}?base_version=1", {"title": "new"}, MERGE))
both("patchRecord", "401 404 404 403 409 409", "401 404 404 403 404 409", lambda w, role, owner: (
    "PATCH", f"{R}/deals/{w.deal(owner)}?base_version=1", [{"op": "test", "path": "/margin", "value": "x"}], "application/json-patch+json"))
both("deleteRecord", "401 404 404 403 200 200", "401 404 404 403 404 200",
     lambda w, role, owner: ("DELETE", f"{R}/deals/{w.deal(owner)}?base_version=1"))
both("deleteRecord", "401 404 404 403 409 409", "401 404 404 403 404 409",
     lambda w, role, owner: ("DELETE", f"{R}/deals/{w.changed_deal(owner)}?base_version=1"))
row("createRecord", "their own", "401 201 201 201 201 201")(lambda w, role: ("POST", f"{R}/deals", {"owner": role, "title": "x"}))
row("createRecord", "another's", "401 403 403 403 403 201")(lambda w, role: ("POST", f"{R}/deals", {"owner": "nora"}))
both("createRecord", "401 403 403 409 409 409", "401 403 403 409 403 409",
     lambda w, role, owner: ("POST", f"{R}/deals?id={w.deal(owner)}", {"owner": role}))
row("createRecord", "a taken value", "401 409 409 409 409 409")(lambda w, role: ("POST", f"{R}/coded", {"owner": role, "code": "taken"}))
plain("listRecords", "401 200 200 200 200 200", "GET", f"{R}/deals?limit=1000&total=1&explain=1")
plain("listRecords", "401 200 200 200 200 200", "GET", f"{R}/deals?where=margin+contains+'MARK'&limit=1000&total=1")
plain("listRecords", "401 403 403 403 403 200", "GET", f"{R}/deals?sort=margin")
plain("listRecords", "401 200 200 200 200 200", "GET", f"{R}/deals?fields=margin&limit=1000")
plain("listRecords", "401 200 200 200 200 200", "GET", f"{R}/stet.handler?limit=1000")
plain("listRecords", "401 200 200 200 200 200", "GET", f"{R}/stet.operation?limit=1000")
plain("listRecords", "401 200 200 200 200 200", "GET", f"{R}/stet.payload?limit=1000")
plain("listRecords", "401 200 200 200 200 200", "GET", f"{R}/stet.conflict?limit=1000")
plain("listRecords", "401 200 200 200 200 200", "GET", f"{R}/notes")
both("getHistory", "401 404 404 200 200 200", "401 404 404 200 404 200",
     lambda w, role, owner: ("GET", f"{R}/deals/{w.changed_deal(owner)}/history?data=1"))
both("getDiff", "401 404 404 200 200 200", "401 404 404 200 404 200",
     lambda w, role, owner: ("GET", f"{R}/deals/{w.changed_deal(owner)}/diff?from=1"))
both("getConcurrency", "401 404 404 200 200 200", "401 404 404 200 404 200",
     lambda w, role, owner: ("GET", f"{R}/deals/{w.changed_deal(owner)}/concurrency"))
both("resolveRecord", "401 400 400 400 400 400", "401 400 400 400 400 400", lambda w, role, owner: (
    "POST", f"{R}/deals/{w.changed_deal(owner)}/resolve", {"resolution_token": "AQ", "choice": "current", "yours": {}}))
both("previewMerge", "401 404 404 200 200 200", "401 404 404 200 404 200", lambda w, role, owner: (
    "POST", f"{R}/deals/{w.changed_deal(owner)}/merge-preview", {"base_version": 1, "data": {"owner": owner, "n": 7}, "on_conflict": "merge"}))
both("revertRecord", "401 404 404 403 200 200", "401 404 404 403 404 200",
     lambda w, role, owner: ("POST", f"{R}/deals/{w.changed_deal(owner)}/revert?to=1&base_version=2"))
both("purgeRecord", "401 403 403 403 403 200", "401 403 403 403 403 200",
     lambda w, role, owner: ("POST", f"{R}/deals/{w.changed_deal(owner, f'erased-{w.number()}')}/purge", {"reason": "r"}))
both("getTree", "401 404 404 200 200 200", "401 404 404 200 404 200", lambda w, role, owner: ("GET", f"{R}/deals/{w.tree(owner)}/tree"))
both("putTree", "401 404 404 200 200 200", "401 404 404 200 404 200", lambda w, role, owner: ("PUT", *w.tree_put(owner)))
both("deleteTree", "401 404 404 403 200 200", "401 404 404 403 404 200", lambda w, role, owner: ("DELETE", w.tree_delete(owner)))
both("moveRecord", "401 404 404 200 404 200", "401 404 404 200 404 200",
     lambda w, role, owner: ("POST", f"{R}/deals/{w.deal(owner)}/move", {"parent": f"deals/{w.deal('nora', f'hers-{w.number()}')}", "base_version": 1}))
both("moveRecord", "401 404 404 200 200 200", "401 404 404 200 404 200",
     lambda w, role, owner: ("POST", f"{R}/deals/{w.deal(owner)}/move", {"parent": f"deals/{w.deal('owner')}", "base_version": 1}))
both("forkRecord", "401 404 404 403 201 201", "401 404 404 403 404 201", lambda w, role, owner: ("POST", f"{R}/deals/{w.deal(owner)}/fork"))
both("mergeFork", "401 404 404 403 409 409", "401 404 404 403 404 409",
     lambda w, role, owner: ("POST", f"{R}/deals/{w.fork(owner)}/merge", {"base_version": 1}))
both("commitTransaction", "401 404 404 200 200 200", "401 404 404 200 404 200",
     lambda w, role, owner: ("POST", f"{S}/transactions", {"mutations": [
    {"op": "patch", "type": "deals", "id": w.deal(owner), "base_version": 1, "patch": {"n": 1}}]}))
both("commitTransaction", "401 404 404 409 409 409", "401 404 404 409 404 409",
     lambda w, role, owner: ("POST", f"{S}/transactions", {"mutations": [
    {"op": "check", "type": "deals", "id": w.changed_deal(owner), "base_version": 1}]}))
plain("getReceipt", "401 200 200 200 200 200", "GET", f"{S}/mutations/x")

# Conflicts
plain("listConflicts", "401 200 200 200 200 200", "GET", f"{S}/conflicts?state=any")
both("getConflict", "401 404 404 200 200 200", "401 404 404 200 404 200",
     lambda w, role, owner: ("GET", f"{S}/conflicts/{w.parked(owner)}"))
both("resolveConflict", "401 404 404 200 200 200", "401 404 404 200 404 200",
     lambda w, role, owner: ("POST", f"{S}/conflicts/{w.parked(owner)}/resolve", {"choice": "current"}))
both("resolveConflicts", "401 200 200 200 200 200", "401 200 200 200 200 200", lambda w, role, owner: (
    "POST", f"{S}/conflicts/resolve", {"conflicts": [{"id": w.parked(owner), "choice": "current"}]}))
both("reopenConflict", "401 404 404 409 409 409", "401 404 404 409 404 409",
     lambda w, role, owner: ("POST", f"{S}/conflicts/{w.parked(owner)}/reopen", {"base_version": 2}))
plain("listInbox", "401 200 200 200 200 200", "GET", f"{S}/inbox")
plain("markInboxRead", "401 200 200 200 200 200", "POST", f"{S}/inbox/read", {"all": True})
both("dismissNotice", "401 404 404 404 404 403", "401 404 404 404 404 403",
     lambda w, role, owner: ("DELETE", f"{S}/inbox/{w.parked(owner)}"))

# Calendars
AT = f"{S}/calendar/meetings"
DAY = "from=2026-01-05T00:00:00Z&to=2026-01-06T00:00:00Z"
plain("getCalendar", "401 200 200 200 200 200", "GET", f"{AT}?{DAY}")
plain("getCalendarFree", "401 200 200 200 200 200", "GET", f"{AT}/free?duration=3600&from=2026-01-05T00:00:00Z")
plain("getFree", "401 200 200 200 200 200", "GET", f"{S}/free/meetings?duration=3600&from=2026-01-05T00:00:00Z")
plain("importCalendar", "401 200 200 200 200 200", "POST", AT, "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nEND:VCALENDAR\r\n", "text/calendar")
plain("changeSeries", "401 404 404 400 404 400", "POST", f"{AT}/mark-others-id-m/series", {"scope": "all", "base_version": 1, "patch": {"title": "x"}})

# The feed, and all of it
plain("getChanges", "401 200 200 200 200 200", "GET", f"{S}/changes?since=0&limit=1000")
plain("getChanges", "401 200 200 200 200 200", "GET", f"{S}/changes?since=0&limit=1000&type=deals&where=margin+contains+'MARK'")
plain("getChanges", "401 200 200 200 200 200", "GET", f"{S}/changes?since=0&limit=1000&events=conflict&events=operation")
plain("getChanges", "401 200 200 200 200 200", "GET", f"{S}/changes?since=0&type=stet.payload&type=stet.handler&type=stet.settings&limit=1000")
plain("getChanges", "401 403 403 403 403 403", "GET", f"{S}/changes?since=0&type=stet.user&limit=1000")
plain("getChanges", "401 403 403 403 403 403", "GET", "/v1/stet/changes?since=0&type=stet.token&limit=1000")
plain("connectLive", "401 426 426 426 426 426", "GET", f"{S}/live")
plain("connectLive", "401 403 403 403 403 426", "GET", "/v1/stet/live")
plain("exportRecords", "401 403 403 403 403 200", "GET", f"{S}/export?history=1")
plain("backUpSpace", "401 403 403 403 403 200", "GET", f"{S}/backup")
plain("importRecords", "401 200 200 200 200 200", "POST", f"{S}/import", json.dumps({"type": "deals", "data": {"owner": "nora"}}), LINES)
plain("getStats", "401 200 200 200 200 200", "GET", f"{S}/stats")
plain("checkSpace", "401 403 403 403 403 200", "GET", f"{S}/check")

# The server
plain("getHealth", "200 200 200 200 200 200", "GET", "/healthz")
plain("getWelcome", "200 200 200 200 200 200", "GET", "/")
plain("getAsset", "404 404 404 404 404 404", "GET", "/assets/nothing.js")
plain("listPackages", "200 200 200 200 200 200", "GET", "/sdk/")
plain("getPackage", "404 404 404 404 404 404", "GET", "/sdk/nothing.tgz")
plain("getContract", "200 200 200 200 200 200", "GET", "/openapi.yaml")
plain("getMetrics", "200 200 200 200 200 200", "GET", "/metrics")
plain("reportTelemetry", "401 204 204 204 204 204", "POST", f"{S}/telemetry", {"writes": 1})
plain("getServer", "401 200 200 200 200 200", "GET", "/v1")
plain("listTokens", "401 403 403 403 403 200", "GET", "/v1/stet/tokens")
row("createToken", "", "401 403 403 403 403 201")(lambda w, role: ("POST", "/v1/stet/tokens", {"actor": f"a{w.number()}"}))
row("revokeToken", "", "401 403 403 403 403 200")(
    lambda w, role: ("DELETE", f"/v1/stet/tokens/{w.must('POST', '/v1/stet/tokens', {'actor': 'gone'})['id']}"))
plain("getSpace", "401 200 200 200 200 200", "GET", S)
row("createSpace", "", "401 403 403 403 403 201")(lambda w, role: ("PUT", f"/v1/space{w.number()}"))
row("deleteSpace", "", "401 403 403 403 403 200")(lambda w, role: ("DELETE", f"/v1/{w.space()}"))

# People. A token is nobody's session.
plain("createTicket", "401 201 201 201 201 201", "POST", f"{S}/changes/ticket")
plain("logIn", "401 401 401 401 401 401", "POST", f"{S}/session", {"user": "ann", "password": "not this one, surely"})
plain("getSession", "401 200 200 200 200 200", "GET", f"{S}/session")
plain("logOut", "401 403 403 403 403 403", "DELETE", f"{S}/session")
plain("redeemLink", "410 410 410 410 410 410", "POST", f"{S}/session/link",
      {"link": "x", "user": "eve", "password": "correct horse battery"})
plain("changePassword", "401 404 404 404 404 404", "POST", f"{S}/session/password",
      {"old": "correct horse battery", "new": "correct horse staple"})
plain("listSessions", "401 200 200 200 200 200", "GET", f"{S}/sessions")
plain("listSessions", "401 403 403 403 403 200", "GET", f"{S}/sessions?user=ann")
plain("endSessions", "401 403 403 403 403 200", "DELETE", f"{S}/sessions?user=nobody-there")
plain("renameSession", "401 404 404 404 404 404", "PATCH", f"{S}/sessions/{'0' * 32}", {"name": "x"})
plain("endSession", "401 404 404 404 404 404", "DELETE", f"{S}/sessions/{'0' * 32}")
plain("listUsers", "401 403 403 403 403 200", "GET", f"{S}/users")
row("createUser", "", "401 403 403 403 403 201")(lambda w, role: ("POST", f"{S}/users", {"id": f"user{w.number()}"}))
plain("getUser", "401 403 403 403 403 200", "GET", f"{S}/users/ann")
plain("patchUser", "401 403 403 403 403 200", "PATCH", f"{S}/users/ann", {"name": "Ann"}, MERGE)
plain("patchUser", "401 403 403 403 403 200", "PATCH", f"{S}/users/ann", {"roles": ["admin"]}, MERGE)
plain("setPassword", "401 403 403 403 403 200", "POST", f"{S}/users/ann/password", {"new": "correct horse battery"})
plain("listLinks", "401 403 403 403 403 200", "GET", f"{S}/links")
row("createLink", "", "401 403 403 403 403 201")(lambda w, role: ("POST", f"{S}/links", {"kind": "invite"}))
row("revokeLink", "", "401 403 403 403 403 200")(
    lambda w, role: ("DELETE", f"{S}/links/{w.must('POST', f'{S}/links', {'kind': 'invite'})['id']}"))

# Types, functions, handlers, settings, alerts
plain("listTypes", "401 200 200 200 200 200", "GET", f"{S}/types")
plain("getType", "401 200 200 200 200 200", "GET", f"{S}/types/deals")
row("putType", "", "401 403 403 403 403 201")(lambda w, role: ("PUT", f"{S}/types/t{w.number()}", {}))
row("applyTypes", "", "401 403 403 403 403 200")(lambda w, role: ("PUT", f"{S}/types", {"types": {f"t{w.number()}": {}}}))
row("deleteType", "", "401 403 403 403 403 200")(lambda w, role: ("DELETE", f"{S}/types/{w.type()}?base_version=1"))
plain("listFunctions", "401 200 200 200 200 200", "GET", f"{S}/functions")
plain("getFunction", "401 403 200 403 403 200", "GET", f"{S}/functions/all")
plain("callFunction", "401 200 200 200 200 200", "POST", f"{S}/functions/all", '"mark-others-id-0"')
plain("callFunction", "401 403 403 403 200 200", "POST", f"{S}/functions/own", {})
row("putFunction", "", "401 403 403 403 403 201")(lambda w, role: ("PUT", f"{S}/functions/f{w.number()}", {"source": "return 1"}))
row("applyFunctions", "", "401 403 403 403 403 200")(
    lambda w, role: ("PUT", f"{S}/functions", {"functions": {f"f{w.number()}": {"source": "return 1"}}}))
row("deleteFunction", "", "401 403 403 403 403 200")(lambda w, role: ("DELETE", f"{S}/functions/{w.function()}?base_version=1"))
plain("listHandlers", "401 200 200 200 200 200", "GET", f"{S}/handlers")
plain("getHandler", "401 404 200 404 404 200", "GET", f"{S}/handlers/hook")
row("putHandler", "", "401 403 403 403 403 201")(
    lambda w, role: ("PUT", f"{S}/handlers/h{w.number()}", {"on": ["create"], "type": "nothing", "agent": "a"}))
row("deleteHandler", "", "401 403 403 403 403 200")(lambda w, role: ("DELETE", f"{S}/handlers/{w.handler()}?base_version=1"))
plain("getSettings", "401 200 200 200 200 200", "GET", f"{S}/settings")
plain("putSettings", "401 403 403 403 403 409", "PUT", f"{S}/settings?base_version=99", {"alerts": {}})
plain("listAlerts", "401 200 200 200 200 200", "GET", f"{S}/alerts?state=any")

# Operations, lanes, locks
row("submitOperation", "", "401 202 202 202 202 202")(lambda w, role: ("POST", f"{S}/operations", {"lane": f"mine-{w.number()}"}))
row("submitOperation", "urgent", "401 403 403 403 403 202")(
    lambda w, role: ("POST", f"{S}/operations", {"lane": f"mine-{w.number()}", "class": "urgent"}))
row("submitOperation", "a part of another's", "401 404 202 404 404 202")(
    lambda w, role: ("POST", f"{S}/operations", {"lane": "parts", "parent": w.operation()[0]}))
row("submitOperation", "a function for some", "401 403 403 403 202 202")(
    lambda w, role: ("POST", f"{S}/operations", {"lane": "own", "function": "own"}))
plain("listOperations", "401 200 200 200 200 200", "GET", f"{S}/operations?limit=1000")
plain("listOperations", "401 200 200 200 200 200", "GET", f"{S}/operations?limit=1000&status=open")
row("getOperation", "another's", "401 404 200 404 404 200")(lambda w, role: ("GET", f"{S}/operations/{w.operation()[0]}"))
row("cancelOperation", "another's", "401 404 200 404 404 200")(lambda w, role: ("POST", f"{S}/operations/{w.operation()[0]}/cancel", {}))
row("cancelOperation", "their own", "401 200 200 200 200 200")(
    lambda w, role: ("POST", f"{S}/operations/{w.operation(role)[0]}/cancel", {}))
row("retryOperation", "another's", "401 404 200 404 404 200")(lambda w, role: ("POST", f"{S}/operations/{w.cancelled()}/retry", {}))
row("claimOperations", "", "401 200 200 200 200 200")(lambda w, role: ("POST", f"{S}/lanes/{w.number()}/claim", {"agent": "a"}))
for one, body in (("reportProgress", {"percent": 5}), ("completeOperation", {}), ("failOperation", {"error": "x"}), ("releaseOperation", {})):
    verb = {"reportProgress": "progress", "completeOperation": "complete", "failOperation": "fail", "releaseOperation": "release"}[one]
    row(one, "in their hands", "401 200 200 200 200 200")(lambda w, role, verb=verb, body=body: w.told(w.leased(role), verb, body))
    row(one, "in another's", "401 403 403 403 403 200")(lambda w, role, verb=verb, body=body: w.told(w.leased("admin"), verb, body))
both("completeOperation", "401 404 404 200 200 200", "401 404 404 200 404 200",
     lambda w, role, owner: w.told(w.leased(role), "complete", {"mutations": [
    {"op": "patch", "type": "deals", "id": w.deal(owner), "base_version": 1, "patch": {"n": 1}}]}))
plain("listLanes", "401 200 200 200 200 200", "GET", f"{S}/lanes")
row("getLane", "", "401 200 200 200 200 200")(lambda w, role: ("GET", f"{S}/lanes/{w.operation()[1]}"))
row("putLane", "", "401 403 403 403 403 200")(lambda w, role: ("PUT", f"{S}/lanes/put-{w.number()}", {"width": 2}))
row("pauseLane", "", "401 403 403 403 403 200")(lambda w, role: ("POST", f"{S}/lanes/{w.operation()[1]}/pause"))
row("resumeLane", "", "401 403 403 403 403 200")(lambda w, role: ("POST", f"{S}/lanes/{w.operation()[1]}/resume"))
row("drainLane", "", "401 403 403 403 403 200")(lambda w, role: ("POST", f"{S}/lanes/{w.operation()[1]}/drain"))
plain("listLocks", "401 200 200 200 200 200", "GET", f"{S}/locks")
row("getLock", "", "401 200 200 200 200 200")(lambda w, role: ("GET", f"{S}/locks/{w.lock()[0]}"))
row("acquireLock", "", "401 201 201 201 201 201")(lambda w, role: ("POST", f"{S}/locks/{w.number()}", {}))
row("renewLock", "another's", "401 403 403 403 403 200")(lambda w, role: ("PUT", f"{S}/locks/{(lock := w.lock())[0]}", {"token": lock[1]}))
row("releaseLock", "another's", "401 403 403 403 403 200")(lambda w, role: ("DELETE", f"{S}/locks/{(lock := w.lock())[0]}?token={lock[1]}"))


def asked(world, name, make, role):
    method, target, body, media = (*make(world, role), None, None)[:4]
    return method, target, world.ask(role, method, target, body, media)


@test
def every_route_has_a_row(folder):
    del folder
    routes = json.loads(subprocess.run([ROUTE_LIST], check=True, capture_output=True).stdout)
    operations = {route["operation"] for route in routes}
    check(operations == set(ROWS), f"no row: {sorted(operations - set(ROWS))}; no route: {sorted(set(ROWS) - operations)}")


@test
def everybody_gets_what_the_table_says(folder):
    wrong = []
    with World(folder) as world:
        for operation, rows in ROWS.items():
            for name, statuses, make in rows:
                got = []
                for role in ROLES:
                    method, target, answer = asked(world, name, make, role)
                    got.append(answer.status)
                    check(answer.status < 500, f"{role}: {method} {target}: {answer!r}")
                if got != statuses:
                    wrong.append(f"{operation} {name}: {' '.join(map(str, got))}, not {' '.join(map(str, statuses))}")
    check(not wrong, "\n" + "\n".join(wrong))


def live_messages(world, owner):
    """Of a live connection: each with the statuses it gets, as of the table above for the same over HTTP."""
    deal, changed = world.deal(owner), world.changed_deal(owner)
    mine = owner == "owner"

    def write(statuses, **mutation):
        return statuses, "mutate", {"mutations": [{"type": "deals", "base_version": 1, **mutation}]}

    yield write("404 404 200 200 200" if mine else "404 404 200 404 200", op="put", id=deal, data={"owner": owner, "title": "new"})
    yield write("404 404 409 409 409" if mine else "404 404 409 404 409", op="put", id=changed, data={"owner": owner, "n": 9})
    yield write("404 404 403 200 200" if mine else "404 404 403 404 200", op="put", id=world.deal(owner), data={"owner": owner, "margin": 1})
    yield "404 404 200 200 200" if mine else "404 404 200 404 200", "present", {"address": f"deals/{world.deal(owner)}"}
    yield "403 403 403 403 403", "mutate", {"mutations": [{"op": "put", "type": "stet.user", "id": "x", "data": {}}]}
    yield "403 403 403 403 403", "present", {"address": "stet.user/ann"}
    yield "403 403 403 403 403", "subscribe", {"sub": "users", "type": ["stet.user"], "since": 0}


@test
def a_live_connection_tells_and_takes_what_requests_do(folder):
    with World(folder) as world:
        port = urllib.parse.urlsplit(world.server.url).port
        for at, role in enumerate(ROLES[1:]):
            with Live(port, f"{S}/live", token=world.tokens[role]) as live:
                live.ask("subscribe", sub="all", type=["deals", "coded", "meetings"], since=0)
                live.ask("subscribe", sub="more", since=0, events=["conflict", "operation"])
                live.ask("subscribe", sub="where", type=["deals"], where="margin contains 'MARK'", since=0)
                live.ask("subscribe", sub="named", ids=["deals/mark-others-id-0", "deals/owners-0"], since=0)
                for owner in ("owner", "nora"):
                    for statuses, op, members in live_messages(world, owner):
                        got = live.ask(op, None, **members)
                        want = int(statuses.split()[at])
                        check(got["status"] == want, f"{role}: {owner}: {op} {members}: not {want} but {got}")
                        said(world, role, got, members)
                seen = set()
                while len(seen) < 4:
                    event = live.event("ready")
                    seen.add(event["sub"])
                live.quiet(0.3, "auth")
                for event in live.taken + live.events:
                    said(world, role, event, {})


def said(world, role, message, asked):
    text = json.dumps(message)
    for mark, seen_by in world.marks.items():
        check(role in seen_by or mark not in text or mark in json.dumps(asked), f"{role} is told {mark}: {text[:3000]}")


@test
def nobody_asks_by_what_is_never_shown(folder):
    with World(folder) as world:
        parked = world.parked("owner")
        for role, target in (("admin", f"{R}/stet.handler?where=_secret+contains+'MARK'"),
                             ("admin", f"{R}/stet.settings?where=_secrets.a+contains+'MARK'"),
                             ("clerk", f"{R}/stet.conflict?where=affected_data+contains+'/margin'"),
                             ("clerk", f"{R}/deals?where=margin+contains+'MARK'"),
                             ("clerk", f"{S}/changes?since=0&type=stet.conflict&where=affected_data+contains+'/margin'")):
            answer = world.ask(role, "GET", target).json
            check(not answer.get("records", answer.get("changes")), f"{role}: {target}: {answer}")
        answer = world.ask("admin", "GET", f"{R}/stet.conflict?where=affected_data+contains+'/margin'").json
        check([record["id"] for record in answer["records"]] == [parked], answer)
        for target in (f"{R}/deals?sort=margin", f"{R}/stet.conflict?sort=deadline"):
            check(world.ask("clerk", "GET", target).status == 403, target)


@test
def an_export_is_for_whoever_has_its_scope_and_holds_what_they_may_read(folder):
    with World(folder) as world:
        for role, roles, mine, titles in (("clerk", ["clerk"], None, ["MARK-OTHERS-TITLE", "MARK-OWNERS-TITLE"]),
                                          ("owner", ["sales"], "MARK-OWNERS-MARGIN", ["MARK-OWNERS-TITLE"])):
            made = {"actor": role, "roles": roles, "scopes": ["read", "export"]}
            world.tokens[role] = world.must("POST", "/v1/stet/tokens", made)["token"]
            answer = world.ask(role, "GET", f"{S}/export?type=deals&history=1")
            check(answer.status == 200, answer)
            lines = [json.loads(line) for line in answer.body.splitlines()][1:-1]
            check(sorted(line["data"]["title"] for line in lines) == titles, lines)
            check({line["data"].get("margin") for line in lines} == {mine}, lines)


@test
def whoever_may_have_a_copy_hears_that_it_was_erased(folder):
    with World(folder) as world:
        name = world.deal("owner", "erased")
        gone = world.must("POST", f"{R}/deals/{name}/purge", {"reason": "r"})["seq"]
        for role, told in (("admin", "purge"), ("clerk", "purge"), ("owner", "revoked")):
            for where in ("", "&where=title+contains+'MARK'"):
                # A clerk's roles say that they could read it; what the owner's rule would ask is gone.
                changes = world.ask(role, "GET", f"{S}/changes?since={gone - 1}&type=deals{where}").json["changes"]
                check([(change["op"], change["seq"]) for change in changes] == [(told, gone)], f"{role}: {changes}")
                check("MARK" not in json.dumps(changes), changes)


if __name__ == "__main__":
    main()
