#!/usr/bin/env python3
"""People over real sockets: logging in and out, cookies and their proof, sessions that end under a stream, links, tickets.

    people_test.py STET [FUNCTION...]
"""
import http.client
import json
import os
import random
import re
import socket
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from harness import SLOW, WAIT_S, Server, check, main, must, test, wait_for  # noqa: E402
from people_site import PASSWORD, Answer, Session, Site  # noqa: E402


class Stream:
    """An event stream, read in a thread; .events holds (name, data) as they come."""

    def __init__(self, site, path, **headers):
        self.events, self.over = [], threading.Event()
        self.socket = socket.create_connection(("127.0.0.1", site.port), timeout=WAIT_S)
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        self.socket.sendall(f"GET {site.base}{path} HTTP/1.1\r\nHost: localhost:{site.port}\r\n"
                            f"Accept: text/event-stream\r\n{lines}\r\n".encode())
        self.got = http.client.HTTPResponse(self.socket)
        self.got.begin()
        self.status = self.got.status
        if self.status == 200:
            self.thread = threading.Thread(target=self.read, daemon=True)
            self.thread.start()
            wait_for(lambda: self.has("ready"), "the stream to be ready")

    def read(self):
        name = ""
        try:
            for line in self.got:
                line = line.decode().rstrip("\n")
                if line.startswith("event: "):
                    name = line[7:]
                elif line.startswith("data: "):
                    self.events.append((name, json.loads(line[6:])))
        except OSError:
            pass
        self.ended_at = time.monotonic()
        self.over.set()

    def has(self, name):
        return any(event[0] == name for event in self.events)

    def must_end_with(self, **data):
        check(self.over.wait(WAIT_S), f"the stream goes on: {self.events}")
        name, last = self.events[-1]
        check(name == "auth", f"{self.events}")
        for key, value in data.items():
            check(last.get(key) == value, f"{last}")
        check(last["detail"], f"{last}")
        self.close()

    def close(self):
        self.socket.close()


# ---- Cookies ---------------------------------------------------------------------------------

def attributes(answer):
    first, *rest = answer.headers["set-cookie"].split("; ")
    return first.partition("=")[0], {part.partition("=")[0]: part.partition("=")[2] for part in rest}


@test
def a_login_sets_a_cookie_for_its_space_alone(folder):
    with Site(folder) as site:
        site.add("ann", "sales")
        answer = site.ask("POST", "/v1/main/session", {"user": "Ann", "password": PASSWORD, "name": "laptop"}, want=201)
        name, flags = attributes(answer)
        check(name == "stet_session" and flags["Path"] == "/v1/main" and "HttpOnly" in flags and flags["SameSite"] == "Lax", flags)
        check("Secure" not in flags and 29 * 86400 < int(flags["Max-Age"]) <= 30 * 86400, flags)
        check(answer.headers["cache-control"] == "no-store" and "token" not in answer.json, answer)
        me = Session(site, answer).ask("GET", "/v1/main/session", want=200)
        check(me.headers["cache-control"] == "no-store", me)
        me = me.json
        check((me["actor"], me["kind"], me["space"], me["admin"], me["server_admin"]) == ("ann", "session", "main", False, False), me)
        check(me["roles"] == ["sales"] and me["scopes"] == ["read", "write", "work"], me)
        check(me["csrf"] == answer.json["csrf"] and me["session"] == answer.json["session"], me)

        site.add("root", "admin", space="stet")
        name, flags = attributes(site.ask("POST", "/v1/stet/session", {"user": "root", "password": PASSWORD}, want=201))
        check(name == "stet_admin" and flags["Path"] == "/v1", flags)


@test
def the_cookie_is_secure_when_the_browser_speaks_tls(folder):
    login = {"user": "ann", "password": PASSWORD}
    with Site(folder, "--public-url", "https://stet.example.org/base", "--base-path", "/base") as site:
        site.add("ann")
        _, flags = attributes(site.ask("POST", "/v1/main/session", login, want=201))
        check("Secure" in flags and flags["Path"] == "/base/v1/main", flags)
    with Site(folder, "--trusted-proxy", "127.0.0.1", data="other") as site:
        site.add("ann")
        _, flags = attributes(site.ask("POST", "/v1/main/session", login, X_Forwarded_Proto="https", want=201))
        check("Secure" in flags, flags)
        _, flags = attributes(site.ask("POST", "/v1/main/session", login, X_Forwarded_Proto="http", want=201))
        check("Secure" not in flags, flags)


@test
def a_cookie_alone_changes_nothing(folder):
    with Site(folder) as site:
        site.add("ann")
        ann = site.log_in("ann")
        path = "/v1/main/records/t/1"
        bare = {"Cookie": ann.headers["Cookie"]}
        refused = site.ask("PUT", path, {"n": 1}, 403, "CSRF_REQUIRED", **bare)
        check(refused.json["field"] == "Stet-CSRF", refused)
        site.ask("PUT", path, {"n": 1}, 403, "CSRF_REQUIRED", Stet_CSRF="", **bare)
        site.ask("PUT", path, {"n": 1}, 403, "CSRF_REQUIRED", Stet_CSRF=ann.json["csrf"][:-1] + "?", **bare)
        site.ask("PUT", path, {"n": 1}, 403, "CSRF_REQUIRED", Stet_CSRF=site.log_in("ann").json["csrf"], **bare)
        site.ask("POST", "/v1/main/changes/ticket", None, 403, "CSRF_REQUIRED", **bare)
        site.ask("DELETE", "/v1/main/session", None, 403, "CSRF_REQUIRED", **bare)
        site.ask("GET", path, None, 404, "NOT_FOUND", **bare)
        ann.ask("PUT", path, {"n": 1}, want=201)
        # The proof does not make up for a page of another site.
        ann.ask("PUT", path + "?base_version=1", {"n": 2}, 403, "FORBIDDEN", Origin="https://evil.example")
        # What cannot be sent without being asked for needs none.
        token = site.log_in("ann", token=True)
        check("set-cookie" not in token.answer.headers, token.answer)
        token.ask("PUT", path + "?base_version=1", {"n": 2}, want=200)


@test
def a_login_is_no_form_of_another_site(folder):
    with Site(folder) as site:
        site.add("ann")
        login = {"user": "ann", "password": PASSWORD}
        site.ask("POST", "/v1/main/session", login, 403, "FORBIDDEN", Origin="https://evil.example")
        site.ask("POST", "/v1/main/session", login, 403, "FORBIDDEN", Sec_Fetch_Site="cross-site")
        site.ask("POST", "/v1/main/session", "user=ann&password=x", 415, Content_Type="application/x-www-form-urlencoded")
        site.ask("POST", "/v1/main/session", "{\"user\":\"ann\",\"password\":\"x\"}", 415, Content_Type="text/plain")


@test
def a_page_asks_who_it_is_and_nobody_is_no_error(folder):
    with Site(folder) as site:
        site.add("ann")
        path = "/v1/main/session"
        check(site.ask("GET", f"{path}?optional=1", want=200).json == {"actor": None}, "nobody")
        # Not even whether there is such a space.
        check(site.ask("GET", "/v1/nowhere/session?optional=1", want=200).json == {"actor": None}, "nobody")
        site.ask("GET", path, want=401, code="UNAUTHENTICATED")
        site.ask("GET", f"{path}?optional=0", want=401, code="UNAUTHENTICATED")
        site.ask("GET", f"{path}?optional=1", want=401, code="UNAUTHENTICATED", Authorization="Bearer nonsense")
        ann = site.log_in("ann")
        check(ann.ask("GET", f"{path}?optional=1", want=200).json["actor"] == "ann", "ann")
        ann.ask("DELETE", path, want=200)
        site.ask("GET", f"{path}?optional=1", want=401, code="SESSION_ENDED", Cookie=ann.headers["Cookie"])


@test
def sessions_of_one_space_are_nothing_in_another(folder):
    with Site(folder) as site:
        site.admin("PUT", "/v1/team", want=201)
        site.add("ann")
        site.add("boss", "admin")
        site.add("root", "admin", space="stet")
        site.add("clerk", space="stet")
        ann, boss, root, clerk = (site.log_in(*who) for who in (("ann",), ("boss",), ("root", "stet"), ("clerk", "stet")))
        for session in (ann, boss, site.log_in("ann", token=True)):
            for path in ("/v1/team/records/t", "/v1/team/session", "/v1/stet/session", "/v1/stet/users", "/v1"):
                session.ask("GET", path, want=401, code="UNAUTHENTICATED")
        value = ann.headers["Cookie"].partition("=")[2]
        of_root = root.headers["Cookie"].partition("=")[2]
        # By hand, under another name, or an API token in a cookie's place.
        site.ask("GET", "/v1/main/session", want=401, Cookie=f"stet_admin={value}")
        site.ask("GET", "/v1/main/session", want=401, Cookie=f"stet_session={of_root}")
        site.ask("GET", "/v1/main/session", want=401, Cookie=f"stet_session={site.token}")
        site.ask("GET", "/v1/main/session", want=401, Cookie=f"stet_admin={site.token}")
        # An administrator of a space is one there alone.
        boss.ask("PUT", "/v1/main/types/deals", {"index": ["/n"]}, want=201)
        ann.ask("PUT", "/v1/main/types/deals", {}, want=403, code="FORBIDDEN")
        for method, path, body in (("PUT", "/v1/other", None), ("DELETE", "/v1/main", None), ("GET", "/v1/stet/tokens", None),
                                   ("POST", "/v1/stet/tokens", {"actor": "x"})):
            answer = boss.ask(method, path, body)
            check(answer.status in (401, 403), f"{method} {path}: {answer!r}")
        # The server's own are everywhere, when they are administrators.
        root.ask("PUT", "/v1/other", None, want=201)
        root.ask("PUT", "/v1/team/records/t/1", {"n": 1}, want=201)
        root.ask("GET", "/v1/stet/tokens", want=200)
        check(root.ask("GET", "/v1/main/session", want=200).json["server_admin"], "root is one everywhere")
        # The others have their own place.
        clerk.ask("GET", "/v1/stet/session", want=200)
        clerk.ask("GET", "/v1/stet/users/clerk", want=200)
        clerk.ask("GET", "/v1/stet/users", want=403)
        clerk.ask("GET", "/v1/stet/records/t", want=403)
        clerk.ask("GET", "/v1/main/records/t", want=401)


@test
def hostile_cookies_do_no_harm(folder):
    with Site(folder) as site:
        site.add("ann")
        mine = site.log_in("ann").headers["Cookie"]
        for cookie in ("", ";", "=;=", "stet_session", "stet_session=", "stet_session=" + "A" * 43, "\xff\xfe=\xff",
                       "stet_session=%00", mine + "x", "STET_SESSION=" + mine.partition("=")[2], "a;" * 80, "a=b; " * 80):
            answer = site.ask("GET", "/v1/main/session", Cookie=cookie)
            check(answer.status == 401, f"{cookie[:60]!r}: {answer!r}")
        for cookie in ("; ".join(f"c{n}={n}" for n in range(60)) + "; " + mine, mine + "; " + mine, "a=b;" + mine + ";c=d"):
            site.ask("GET", "/v1/main/session", want=200, Cookie=cookie)
        for cookie in (f"{mine}; stet_session=other", f"stet_session=other; {mine}", f"stet_session=; {mine}"):
            answer = site.ask("GET", "/v1/main/session", want=401, Cookie=cookie)
            check(answer.json["field"] == "Cookie", answer)
        # The library takes cookies apart, too, and refuses by itself what is not well formed.
        for cookie in ("stet_session=\"", "a=\"b; " + mine, "a;" * 1500, "a=b; " * 600):
            try:
                check(site.ask("GET", "/v1/main/session", Cookie=cookie).status in (200, 400, 401, 431), cookie)
            except http.client.RemoteDisconnected:
                pass
        with socket.create_connection(("127.0.0.1", site.port), timeout=WAIT_S) as peer:
            try:
                peer.sendall(f"GET /v1/main/session HTTP/1.1\r\nHost: localhost:{site.port}\r\nCookie: ".encode() + b"a=b; " * 200000)
                peer.sendall(b"\r\n\r\n")
                first = peer.recv(64)
            except OSError:
                first = b""
            check(first == b"" or b" 431 " in first or b" 413 " in first, first)
        with socket.create_connection(("127.0.0.1", site.port), timeout=WAIT_S) as peer:
            peer.sendall(f"GET /v1/main/session HTTP/1.1\r\nHost: localhost:{site.port}\r\nCookie: {mine}\r\nCookie: {mine}\r\n\r\n".encode())
            check(b" 400 " in peer.recv(64), "two headers")
        site.ask("GET", "/v1/main/session", want=200, Cookie=mine)


@test
def without_authentication_cookies_mean_nothing(folder):
    with Server(folder, "--no-auth") as server:
        port = urllib.parse.urlsplit(server.url).port
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)
        connection.request("PUT", "/v1/main/records/t/1", "{}", {"Content-Type": "application/json", "Cookie": "stet_session=old"})
        check(Answer(connection.getresponse()).status == 201, "as before")
        connection.request("GET", "/v1/main/session", None, {"Stet-Actor": "zoe"})
        me = Answer(connection.getresponse()).json
        check((me["actor"], me["kind"], me["admin"]) == ("zoe", "anybody", True) and "csrf" not in me, me)
        connection.close()


# ---- In and out ------------------------------------------------------------------------------

@test
def logging_out_is_out(folder):
    with Site(folder) as site:
        site.add("ann")
        ann, other, token = site.log_in("ann"), site.log_in("ann", name="phone"), site.log_in("ann", token=True)
        mine = ann.ask("GET", "/v1/main/sessions", want=200).json["sessions"]
        check(len(mine) == 3 and sum(1 for one in mine if one.get("current")) == 1, mine)
        check({one.get("name") for one in mine} == {None, "phone"} or "phone" in {one.get("name") for one in mine}, mine)
        out = ann.ask("DELETE", "/v1/main/session", want=200)
        name, flags = attributes(out)
        check(out.json["ended"] == 1 and name == "stet_session" and flags["Max-Age"] == "0" and out.cookie == "stet_session=", out)
        ann.ask("GET", "/v1/main/session", want=401, code="SESSION_ENDED")
        ann.ask("PUT", "/v1/main/records/t/1", {}, want=401, code="SESSION_ENDED")
        # Once more: it is out, and the cookie is taken back all the same.
        check(ann.ask("DELETE", "/v1/main/session", want=200).json["ended"] == 0, "it was over")
        check(site.ask("DELETE", "/v1/main/session", want=200, Cookie="stet_session=nonsense").json["ended"] == 0, "nothing to end")
        site.ask("DELETE", "/v1/main/session", want=401)
        out = token.ask("DELETE", "/v1/main/session", want=200)
        check("set-cookie" not in out.headers, out)
        token.ask("DELETE", "/v1/main/session", want=401, code="SESSION_ENDED")
        other.ask("GET", "/v1/main/session", want=200)


@test
def sessions_are_named_and_ended_from_elsewhere(folder):
    with Site(folder) as site:
        site.add("ann")
        site.add("ben")
        one, two, three = (site.log_in("ann") for _ in range(3))
        ben = site.log_in("ben")
        path = f"/v1/main/sessions/{two.json['session']}"
        check(one.ask("PATCH", path, {"name": "the old laptop"}, want=200).json["name"] == "the old laptop", "named")
        ben.ask("PATCH", path, {"name": "mine now"}, want=404)
        ben.ask("DELETE", path, want=404)
        ben.ask("GET", "/v1/main/sessions?user=ann", want=403)
        one.ask("DELETE", path, want=200)
        check(not two.lives() and one.lives() and three.lives(), "one of three")
        check(one.ask("DELETE", "/v1/main/sessions", want=200).json["ended"] == 1, "all but this")
        check(one.lives() and not three.lives() and ben.lives(), "all but this")
        check(len(site.admin("GET", "/v1/main/sessions?user=ann", want=200).json["sessions"]) == 1, "one is left")
        one.ask("DELETE", "/v1/main/sessions?all=1", want=200)
        check(not one.lives(), "all")
        site.admin("DELETE", "/v1/main/sessions?user=ben&all=1", want=200)
        check(not ben.lives(), "by an administrator")


@test
def a_new_password_ends_the_other_sessions(folder):
    with Site(folder) as site:
        site.add("ann")
        one, two = site.log_in("ann"), site.log_in("ann")
        path = "/v1/main/session/password"
        one.ask("POST", path, {"old": "not this one", "new": "staple correct"}, want=401, code="LOGIN_FAILED")
        one.ask("POST", path, {"old": PASSWORD, "new": "short"}, want=422, code="INVALID_DATA")
        check(one.lives() and two.lives(), "nothing happened")
        one.ask("POST", path, {"old": PASSWORD, "new": "staple correct"}, want=200)
        check(one.lives() and not two.lives(), "the others end")
        site.ask("POST", "/v1/main/session", {"user": "ann", "password": PASSWORD}, 401, "LOGIN_FAILED")
        again = site.log_in("ann", password="staple correct")
        site.admin("POST", "/v1/main/users/ann/password", {"new": PASSWORD}, want=200)
        check(not one.lives() and not again.lives(), "all end when somebody else sets it")
        one.ask("POST", "/v1/main/users/ann/password", {"new": PASSWORD}, want=401)
        site.log_in("ann").ask("POST", "/v1/main/users/ann/password", {"new": PASSWORD}, want=403)


@test
def fifty_tabs_at_once_stay_logged_in(folder):
    with Site(folder) as site:
        site.add("ann")
        ann, failures = site.log_in("ann"), []

        def tab(number):
            connection = site.connect()
            for step in range(6):
                method, path, body = (("GET", "/v1/main/session", None), ("PUT", f"/v1/main/records/t/{number}-{step}", {"n": step}),
                                      ("GET", "/v1/main/changes?since=0", None))[step % 3]
                answer = site.ask(method, path, body, connection=connection, **ann.headers)
                if answer.status not in (200, 201):
                    failures.append(repr(answer))
            connection.close()

        tabs = [threading.Thread(target=tab, args=(number,)) for number in range(50)]
        for one in tabs:
            one.start()
        for one in tabs:
            one.join()
        check(not failures, failures[:3])
        check(len(ann.ask("GET", "/v1/main/sessions", want=200).json["sessions"]) == 1, "it is one session")


@test
def a_walk_of_logins_and_ends_follows_the_table(folder):
    """Steps in any order against a model: which of the sessions live."""
    seed = int(os.environ.get("STET_SEED", random.randrange(1 << 30)))
    print(f"# STET_SEED={seed}")
    chance = random.Random(seed)
    with Site(folder) as site:
        site.add("ann")
        sessions, password, disabled = [], PASSWORD, False

        def alive():
            return [session for session, lives in sessions if lives]

        def end(condition):
            sessions[:] = [(session, lives and not condition(session)) for session, lives in sessions]

        for step in range(45):
            kind = chance.choice(("login", "login", "use", "use", "logout", "end", "others", "password", "reset", "disable"))
            actor = chance.choice(alive()) if alive() else None
            if kind == "login":
                answer = site.ask("POST", "/v1/main/session", {"user": "ann", "password": password})
                check(answer.status == (401 if disabled else 201), f"{step}: {answer!r}")
                if answer.status == 201:
                    sessions.append((Session(site, answer), True))
            elif kind == "use" and sessions:
                session, lives = chance.choice(sessions)
                check(session.lives() == lives, f"{step}: {lives}")
            elif kind == "logout" and sessions:
                session, _ = chance.choice(sessions)
                session.ask("DELETE", "/v1/main/session", want=200)
                end(lambda one, gone=session: one is gone)
            elif kind == "end" and actor:
                gone = chance.choice(alive())
                actor.ask("DELETE", f"/v1/main/sessions/{gone.json['session']}", want=200)
                end(lambda one, gone=gone: one is gone)
            elif kind == "others" and actor:
                actor.ask("DELETE", "/v1/main/sessions", want=200)
                end(lambda one, own=actor: one is not own)
            elif kind == "password" and actor:
                new = f"correct horse {step}"
                actor.ask("POST", "/v1/main/session/password", {"old": password, "new": new}, want=200)
                password = new
                end(lambda one, own=actor: one is not own)
            elif kind == "reset":
                password = f"staple horse {step}"
                site.admin("POST", "/v1/main/users/ann/password", {"new": password}, want=200)
                end(lambda one: True)
            elif kind == "disable":
                disabled = not disabled
                site.admin("PATCH", "/v1/main/users/ann", {"disabled": disabled}, want=200)
                if disabled:
                    end(lambda one: True)
        for session, lives in sessions:
            check(session.lives() == lives, f"at the end: {lives}")
        print(f"# {len(sessions)} sessions, {len(alive())} alive")


# ---- Failing to log in -----------------------------------------------------------------------

@test
def a_failed_login_does_not_say_why(folder):
    with Site(folder) as site:
        site.add("ann")
        site.add("gone", disabled=True)
        site.admin("POST", "/v1/main/users", {"id": "new"}, want=201)
        answers, times = {}, {"ann": [], "nobody": []}
        for user in ("ann", "nobody", "gone", "new", "ann", "nobody", "ann", "nobody"):
            begun = time.monotonic()
            answer = site.ask("POST", "/v1/main/session", {"user": user, "password": "not this one"}, 401, "LOGIN_FAILED")
            if user in times:
                times[user].append(time.monotonic() - begun)
            answers[user] = {key: value for key, value in answer.json.items() if key != "request_id"}
        check(len({json.dumps(one) for one in answers.values()}) == 1, answers)
        known, unknown = min(times["ann"]), min(times["nobody"])
        check(unknown > known / 3, f"unknown users are told apart by time: {times}")


@test
def attempts_are_limited(folder):
    with Site(folder) as site:
        site.add("ann")
        site.add("ben")
        answer = None
        for _ in range(30):
            answer = site.ask("POST", "/v1/main/session", {"user": "ann", "password": "not this one"})
            if answer.status != 401:
                break
        check(answer.status == 429 and answer.code == "TOO_MANY_REQUESTS" and int(answer.headers["retry-after"]) > 0, answer)
        # Not even with the right one, until then; others are not hindered.
        site.ask("POST", "/v1/main/session", {"user": "ann", "password": PASSWORD}, 429)
        site.log_in("ben")


@test
def endless_passwords_are_not_judged(folder):
    with Site(folder) as site:
        site.add("ann")
        begun = time.monotonic()
        site.ask("POST", "/v1/main/session", {"user": "ann", "password": "x" * 1000000}, 413, "TOO_LARGE")
        answer = site.ask("POST", "/v1/main/session", {"user": "ann", "password": "x" * 2000}, 413, "TOO_LARGE")
        check(answer.json["field"] == "/password" and answer.json["limit"] == 1024, answer)
        site.ask("POST", "/v1/main/users", {"id": "x", "password": "x" * 2000}, 413, Authorization=f"Bearer {site.token}")
        check(time.monotonic() - begun < WAIT_S, "it took long")
        for body in ("{}", "[]", "{\"user\":\"ann\"}", "{\"user\":1,\"password\":2}", "{\"user\":\"ann\",\"password\":\"x\",\"more\":1}",
                     "{\"user\":\"\",\"password\":\"x\"}", "{", ""):
            answer = site.ask("POST", "/v1/main/session", body)
            check(answer.status == 400, f"{body}: {answer!r}")


@test
def secrets_are_not_logged(folder):
    with Site(folder, "--access-log", "--log-level", "debug") as site:
        site.add("ann")
        ann, token = site.log_in("ann"), site.log_in("ann", token=True)
        link = site.admin("POST", "/v1/main/links", {"kind": "reset", "user": "ann"}, want=201).json["token"]
        ticket = token.ask("POST", "/v1/main/changes/ticket", want=201).json["ticket"]
        site.ask("GET", f"/v1/main/changes?ticket={ticket}", want=200)
        site.ask("GET", f"/v1/main/changes?ticket={ticket}", want=401)
        site.ask("POST", "/v1/main/session", {"user": "ann", "password": "wrong " + PASSWORD}, 401)
        site.ask("POST", "/v1/main/session/link", {"link": link, "password": PASSWORD + "!"}, 201)
        site.server.stop()
        log = site.server.log()
        check("/v1/main/session" in log and "logIn" in log, "the access log is there")
        for secret in (PASSWORD, ann.headers["Cookie"].partition("=")[2], token.json["token"], link, ticket, ann.json["csrf"]):
            check(secret not in log, f"{secret} is in the log")


# ---- Streams ---------------------------------------------------------------------------------

def must_end_within_a_second(site, log_in, end, **expected):
    """Again and again, for the machine may be busy: once it must be that fast, and it must end each time."""
    took = []
    for _ in range(5):
        session = log_in()
        stream = Stream(site, "/v1/main/changes", **session.headers)
        begun = time.monotonic()
        end(session)
        stream.must_end_with(**expected)
        took.append(stream.ended_at - begun)
        if took[-1] < 1:
            break
    print(f"# {min(took) * 1000:.0f} ms")
    check(min(took) < 1, f"{took}")


@test
def logging_out_ends_streams_within_a_second(folder):
    with Site(folder, "--io-threads", "2") as site:
        site.add("ann")

        def log_out(session):
            session.ask("DELETE", "/v1/main/session", want=200)

        must_end_within_a_second(site, lambda: site.log_in("ann"), log_out, code="SESSION_ENDED")
        must_end_within_a_second(site, lambda: site.log_in("ann", token=True), log_out, code="SESSION_ENDED")


@test
def whatever_waits_in_a_session_ends_with_it(folder):
    with Site(folder) as site:
        site.add("ann")
        ann = site.log_in("ann", token=True)
        other = site.log_in("ann", token=True)
        site.admin("POST", "/v1/main/locks/held", {"ttl_s": 600}, want=201)
        ticket = ann.ask("POST", "/v1/main/changes/ticket", want=201).json["ticket"]
        operation = ann.ask("POST", "/v1/main/operations", {"lane": "slow", "agent": "robot"}, want=202).json["id"]
        streams = [Stream(site, "/v1/main/changes", **ann.headers), Stream(site, f"/v1/main/changes?ticket={ticket}"),
                   Stream(site, f"/v1/main/changes?id=stet.operation/{operation}", **ann.headers)]
        bystanders = [Stream(site, "/v1/main/changes", **other.headers),
                      Stream(site, "/v1/main/changes", Authorization=f"Bearer {site.token}")]
        answers = {}

        def wait(method, path, body=None):
            answers[path] = ann.ask(method, path, body)

        waits = [("GET", "/v1/main/changes?wait_s=60"), ("POST", "/v1/main/lanes/none/claim", {"agent": "robot", "wait_s": 60}),
                 ("POST", "/v1/main/locks/held", {"wait_s": 60})]
        threads = [threading.Thread(target=wait, args=one) for one in waits]
        for thread in threads:
            thread.start()
        metrics = lambda: site.ask("GET", "/metrics").body.decode()  # noqa: E731
        wait_for(lambda: "stet_http_long_polls 1\n" in metrics(), "the poll to wait")
        ann.ask("DELETE", "/v1/main/session", want=200)
        for stream in streams:
            stream.must_end_with(code="SESSION_ENDED")
        for thread in threads:
            thread.join(WAIT_S)
            check(not thread.is_alive(), f"something still waits: {answers}")
        for _, path, *_ in waits:
            check(answers[path].status == 401 and answers[path].code == "SESSION_ENDED", f"{path}: {answers[path]!r}")
        site.admin("PUT", "/v1/main/records/t/1", {"n": 1}, want=201)
        for stream in bystanders:
            wait_for(lambda stream=stream: stream.has("change"), "the others to hear of it")
            stream.close()


@test
def nothing_is_sent_after_the_end(folder):
    with Site(folder) as site:
        site.add("ann")
        for number in range(5):
            ann = site.log_in("ann", token=True)
            stream = Stream(site, "/v1/main/changes?type=t", **ann.headers)
            ann.ask("DELETE", "/v1/main/session", want=200)
            site.admin("PUT", f"/v1/main/records/t/{number}", {"n": number}, want=201)
            stream.must_end_with(code="SESSION_ENDED")
            check(not stream.has("change"), f"{stream.events}")


@test
def other_rights_begin_the_stream_anew(folder):
    with Site(folder) as site:
        site.add("ann", "sales")
        ann = site.log_in("ann")
        stream = Stream(site, "/v1/main/changes", **ann.headers)
        site.admin("PATCH", "/v1/main/users/ann", {"name": "Ann"}, want=200)
        again = Stream(site, "/v1/main/changes", **ann.headers)
        check(not stream.over.is_set(), "a name is no right")
        site.admin("PATCH", "/v1/main/users/ann", {"roles": ["sales", "support"]}, want=200)
        stream.must_end_with(changed=True)
        again.must_end_with(changed=True)
        check(ann.ask("GET", "/v1/main/session", want=200).json["roles"] == ["sales", "support"], "at once")
        stream = Stream(site, "/v1/main/changes", **ann.headers)
        site.admin("PATCH", "/v1/main/users/ann", {"disabled": True}, want=200)
        stream.must_end_with(code="SESSION_ENDED")
        ann.ask("GET", "/v1/main/session", want=401)


@test
def a_ticket_opens_one_stream(folder):
    with Site(folder) as site:
        site.admin("PUT", "/v1/team", want=201)
        site.add("ann")
        ann = site.log_in("ann")
        ticket = ann.ask("POST", "/v1/main/changes/ticket", want=201)
        check(ticket.headers["cache-control"] == "no-store", ticket)
        ticket = ticket.json["ticket"]
        stream = Stream(site, f"/v1/main/changes?ticket={ticket}")
        check(Stream(site, f"/v1/main/changes?ticket={ticket}").status == 401, "only one")
        ann.ask("PUT", "/v1/main/records/t/1", {"n": 1}, want=201)
        wait_for(lambda: stream.has("change"), "the change")
        stream.close()
        other = ann.ask("POST", "/v1/main/changes/ticket", want=201).json["ticket"]
        check(Stream(site, f"/v1/team/changes?ticket={other}").status == 401, "of its space alone")
        site.ask("GET", f"/v1/main/records/t/1?ticket={other}", want=401)
        check(Stream(site, "/v1/main/changes?ticket=").status == 400, "empty")
        check(Stream(site, "/v1/main/changes?ticket=" + "x" * 900).status == 401, "long")
        # A token has no use for it, but may have it; and so has a token's own ticket an end.
        made = site.admin("POST", "/v1/stet/tokens", {"actor": "bot"}, want=201).json
        bearer = {"Authorization": f"Bearer {made['token']}"}
        ticket = site.ask("POST", "/v1/main/changes/ticket", want=201, **bearer).json["ticket"]
        stream = Stream(site, f"/v1/main/changes?ticket={ticket}")
        site.admin("DELETE", f"/v1/stet/tokens/{made['id']}", want=200)
        stream.must_end_with(code="UNAUTHENTICATED")


# ---- Users and links -------------------------------------------------------------------------

@test
def a_link_lets_one_person_in(folder):
    with Site(folder) as site:
        link = site.admin("POST", "/v1/main/links", {"kind": "invite", "roles": ["sales"]}, want=201)
        check(link.headers["cache-control"] == "no-store", link)
        link = link.json
        check(link["url"] == f"{site.server.url}/#/link/main/{link['token']}", link)
        listed = site.admin("GET", "/v1/main/links", want=200)
        check(len(listed.json["links"]) == 1 and link["token"].encode() not in listed.body, listed)
        answers = []

        def redeem(number):
            answers.append(site.ask("POST", "/v1/main/session/link", {"link": link["token"], "user": f"ann{number}", "password": PASSWORD}))

        threads = [threading.Thread(target=redeem, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        check(sorted(one.status for one in answers) == [201, 410, 410, 410], answers)
        won = next(one for one in answers if one.status == 201)
        check(Session(site, won).ask("GET", "/v1/main/session", want=200).json["roles"] == ["sales"], won)
        check(len(site.admin("GET", "/v1/main/users", want=200).json["users"]) == 1, "one of them")
        # Another space knows nothing of it.
        site.admin("PUT", "/v1/team", want=201)
        link = site.admin("POST", "/v1/main/links", {"kind": "reset", "user": won.json["user"]}, want=201).json
        site.ask("POST", "/v1/team/session/link", {"link": link["token"], "password": PASSWORD}, 410, "LINK_INVALID")
        site.ask("POST", "/v1/main/session/link", {"link": link["token"], "password": "staple correct"}, 201)
        check(not Session(site, won).lives(), "a reset ends the sessions")
        gone = site.admin("POST", "/v1/main/links", {"kind": "invite"}, want=201).json
        site.admin("DELETE", f"/v1/main/links/{gone['id']}", want=200)
        site.ask("POST", "/v1/main/session/link", {"link": gone["token"], "user": "x", "password": PASSWORD}, 410, "LINK_INVALID")


@test
def the_first_start_offers_an_administrator(folder):
    with Server(folder) as server:
        first, _, _ = re.search(r"^  (\S+)$.*^  (\S+)/#/link/stet/(\S+)$", server.stop(), re.M | re.S).groups()
    with Server(folder) as server:
        out = server.stop()
        check("/#/link/" not in out, f"there is one who has a token: {out}")
    check(first.startswith("stet_"), first)


@test
def the_first_link_makes_the_administrator(folder):
    with Site(folder) as site:
        made = site.admin("POST", "/v1/stet/links", {"kind": "invite", "roles": ["admin"]}, want=201).json
        root = Session(site, site.ask("POST", "/v1/stet/session/link", {"link": made["token"], "user": "root", "password": PASSWORD}, 201))
        check(root.answer.headers["set-cookie"].startswith("stet_admin="), root.answer)
        check(root.ask("GET", "/v1/main/session", want=200).json["server_admin"], "of all the server")
        out = root.ask("DELETE", "/v1/main/session", want=200)
        check(attributes(out)[0] == "stet_admin" and out.json["ended"] == 1, out)
        root.ask("GET", "/v1/stet/session", want=401, code="SESSION_ENDED")


@test
def sessions_outlive_the_server(folder):
    with Site(folder) as site:
        site.add("ann")
        ann, ben = site.log_in("ann"), site.log_in("ann")
        ben.ask("DELETE", "/v1/main/session", want=200)
        site.server.stop()
        site.server = Server(folder)
        site.port = urllib.parse.urlsplit(site.server.url).port
        me = ann.ask("GET", "/v1/main/session", want=200).json
        check(me["csrf"] == ann.json["csrf"], me)
        ann.ask("PUT", "/v1/main/records/t/1", {}, want=201)
        ben.ask("GET", "/v1/main/session", want=401, code="SESSION_ENDED")


@test
def a_request_meant_for_other_data_is_refused(folder):
    """A server that was made anew at the same address must not take what was written for the one before."""
    seen = []
    for data in ("before", "after"):
        with Site(folder, data=data) as site:
            site.add("ana")
            ana = site.log_in("ana")
            data_id = ana.ask("GET", "/v1/main/session", want=200).json["space_id"]
            check(re.fullmatch("[0-9a-f]{32}", data_id), data_id)
            for other in seen:
                got = ana.ask("PUT", "/v1/main/records/notes/1", {}, want=404, code="NOT_FOUND", Stet_Space_Id=other)
                check(got.json["field"] == "Stet-Space-Id", got)
                ana.ask("GET", "/v1/main/records/notes/1", want=404)
            ana.ask("PUT", "/v1/main/records/notes/1", {}, want=201, Stet_Space_Id=data_id)
            seen.append(data_id)
    check(seen[0] != seen[1], seen)


@test
def users_see_themselves_and_administrators_everybody(folder):
    with Site(folder) as site:
        site.add("ann", "sales", email="ann@example.org")
        site.add("ben")
        ann = site.log_in("ann")
        me = ann.ask("GET", "/v1/main/users/ann", want=200).json
        check(me["email"] == "ann@example.org" and me["roles"] == ["sales"] and not any(key.startswith("_") for key in me), me)
        ann.ask("GET", "/v1/main/users/ben", want=403)
        ann.ask("PATCH", "/v1/main/users/ann", {"name": "Ann"}, want=200)
        ann.ask("PATCH", "/v1/main/users/ann", {"roles": ["admin"]}, want=403)
        ann.ask("PATCH", "/v1/main/users/ann", {"scopes": ["export"]}, want=403)
        ann.ask("PATCH", "/v1/main/users/ben", {"name": "x"}, want=403)
        ann.ask("POST", "/v1/main/users", {"id": "x", "password": PASSWORD}, want=403)
        for path in ("/v1/main/records/stet.user/ann", "/v1/main/records/stet.user", "/v1/main/records/stet.session",
                     "/v1/main/records/stet.user/ann/history", "/v1/main/changes?since=0&type=stet.user"):
            answer = site.admin("GET", path)
            check(b"argon2" not in answer.body and b"_hash" not in answer.body and b"password" not in answer.body, f"{path}: {answer!r}")
        site.admin("POST", "/v1/main/users", {"id": "ANN", "password": PASSWORD}, want=409)
        site.admin("PATCH", "/v1/main/users/ann", {"name": "x"}, want=409, If_Match='"1"')


check(SLOW > 0)
main()
