#!/usr/bin/env python3
"""A server gives every answer that docs/openapi.yaml documents, and no other.

    walk_test.py STET FULL_DISK [FUNCTION...]      FULL_DISK: full_disk.c as a module to preload

Every function makes a server answer; each answer is held against the contract as it comes, and the last function demands
that each documented (operation, status) was among them.
"""
import base64
import contextlib
import fcntl
import glob
import gzip
import hashlib
import http.client
import io
import json
import os
import re
import signal
import socket
import sys
import tarfile
import urllib.parse

FULL_DISK = os.path.abspath(sys.argv.pop(2))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))

from contract import TOP, Contract  # noqa: E402
from harness import SLOW, WAIT_S, Server, check, main, must, test, wait_for  # noqa: E402

JSON, STET, NDJSON = "application/json", "application/stet+json", "application/x-ndjson"
MERGE_PATCH, JSON_PATCH = "application/merge-patch+json", "application/json-patch+json"
R = "/v1/main/records"

contract = Contract()
operations = {operation.id: operation for operation in contract.operations}
given = set()  # (operation id, response key) of all answers.
failures = set()  # Statuses that came as `default`.


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def etag(self):
        return self.headers["etag"]

    def __repr__(self):
        return f"{self.status} {self.headers} {self.body[:2000]!r}"


def note(method, target, sent, answer):
    found = contract.check(method, target, sent, answer.status, answer.headers, answer.body)
    if found is not None:
        given.add(found)
        if found[1] == "default":
            failures.add(answer.status)
    return answer


class Site:
    """A server with an administrator, and ann and bob, who are none."""

    def __init__(self, folder, *options, env=None):
        self.folder = folder
        self.data = os.path.join(folder, "data")
        self.tokens = {"admin": must("init", "--data", self.data, "--json").json["token"]}
        self.options, self.env = options, env
        self.server = self.connection = None
        self.start()
        for actor in ("ann", "bob"):
            made = self.ask("POST", "/v1/stet/tokens", {"actor": actor, "name": "walk"}, want=201)
            self.tokens[actor] = made.json["token"]

    def start(self):
        self.server = Server(self.folder, *self.options, env=self.env)
        self.port = urllib.parse.urlsplit(self.server.url).port
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)

    def stop(self):
        self.connection.close()
        self.server.stop()
        check(self.server.code == 0, self.server.log())

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.connection.close()
        self.server.__exit__(kind, value, trace)

    def ask(self, method, target, body=None, actor="admin", media=None, want=None, **headers):
        """One request. body: text as it is, anything else as JSON. headers: with _ for -."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if actor is not None:
            sent["Authorization"] = f"Bearer {self.tokens.get(actor, actor)}"
        raw = b""
        if body is not None:
            raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            sent["Content-Type"] = media or JSON
        self.connection.request(method, target, raw if body is not None else None, sent)
        got = self.connection.getresponse()
        pairs = {name.lower(): value for name, value in got.getheaders()}
        answer = Answer(got.status, pairs, got.read())
        note(method, target, ({name.lower(): value for name, value in sent.items()}, raw), answer)
        check(want is None or answer.status == want, f"{method} {target}: not {want} but {answer!r}")
        return answer

    def put(self, address, data, base=None, actor="ann", want=None, **query):
        query = {**query, **({"base_version": base} if base else {})}
        return self.ask("PUT", f"{R}/{address}?{urllib.parse.urlencode(query)}", data, actor, want=want)

    def declare(self, name, definition, want=201):
        return self.ask("PUT", f"/v1/main/types/{name}", definition, want=want)

    def raw(self, method, target, lines, body=b""):
        """A request byte for byte; the answer up to the end of the connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_S) as peer:
            peer.sendall(f"{method} {target} HTTP/1.1\r\n".encode() + lines.encode() + b"\r\n" + body)
            got = http.client.HTTPResponse(peer, method=method)
            got.begin()
            answer = Answer(got.status, {name.lower(): value for name, value in got.getheaders()}, got.read())
        return note(method, target, ({}, b""), answer)

    def pipeline(self, method, targets):
        """Many requests without a body, sent before their answers are read: for tens of thousands of them. Only the first
        of the answers is held against the contract; the caller says what the others must be."""
        head = f"HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nAuthorization: Bearer {self.tokens['admin']}\r\n"
        head += "Content-Length: 0\r\n\r\n"
        portion = 50  # As many as both ends' buffers take while nobody reads.
        with socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_S) as peer, peer.makefile("rb") as stream:
            for at in range(0, len(targets), portion):
                part = targets[at:at + portion]
                peer.sendall("".join(f"{method} {target} {head}" for target in part).encode())
                for target in part:
                    status = int(stream.readline().split(b" ", 2)[1])
                    headers = {}
                    while line := stream.readline().strip():
                        name, _, value = line.decode().partition(":")
                        headers[name.lower()] = value.strip()
                    answer = Answer(status, headers, stream.read(int(headers["content-length"])))
                    if target is targets[0]:
                        note(method, target, ({}, b""), answer)
                    yield target, answer


# ---- What every operation answers ------------------------------------------------------------

# A body that each operation would take, and a parameter that it needs.
BODIES = {
    "createToken": {"actor": "ann"}, "createSpace": {}, "createRecord": {}, "putRecord": {},
    "patchRecord": {"patch": {}}, "resolveRecord": {"resolution_token": "x", "choice": "current"},
    "previewMerge": {"data": {}}, "revertRecord": {"to": 1}, "putTree": {"tree": {}}, "moveRecord": {"parent": None},
    "mergeFork": {"base_version": 1}, "commitTransaction": {"mutations": [{"op": "create", "type": "t", "id": "1", "data": {}}]},
    "applyTypes": {"types": {}}, "putType": {}, "resolveConflicts": {"conflicts": [{"id": "1", "choice": "current"}]},
    "resolveConflict": {"choice": "current"}, "reopenConflict": {"base_version": 1}, "markInboxRead": {"all": True}, "reportTelemetry": {},
    "deleteRecord": {}, "deleteTree": {}, "forkRecord": {}, "deleteType": {}, "acquireLock": {}, "renewLock": {"token": 1},
    "importRecords": "", "submitOperation": {}, "reportProgress": {"lease": 1}, "completeOperation": {"lease": 1},
    "failOperation": {"lease": 1}, "releaseOperation": {"lease": 1}, "cancelOperation": {}, "purgeRecord": {"reason": "r"}, "retryOperation": {}, "putLane": {},
    "claimOperations": {"agent": "a"}, "pauseLane": {}, "resumeLane": {}, "drainLane": {},
    "applyFunctions": {"functions": {"f": {"source": "return 1"}}}, "putFunction": {"source": "return 1"}, "callFunction": {},
    "logIn": {"user": "ann", "password": "correct horse"}, "redeemLink": {"link": "x", "password": "correct horse"},
    "changePassword": {"old": "correct horse", "new": "staple horse"}, "renameSession": {"name": "x"},
    "createUser": {"id": "new"}, "patchUser": {"name": "x"}, "setPassword": {"new": "correct horse"}, "createLink": {"kind": "invite"},
    "deleteFunction": {}, "putHandler": {"on": ["create"], "agent": "a"}, "deleteHandler": {}, "putSettings": {},
    "importCalendar": "", "changeSeries": {"scope": "all", "base_version": 1, "delete": True},
}
NEEDED = {"getDiff": "from=1", "releaseLock": "token=1", "putTree": "tree_version=1-1-0000000000000000",
          "deleteTree": "tree_version=1-1-0000000000000000", "getFree": "duration=60", "getCalendarFree": "duration=60"}


def target_of(operation, space="main"):
    path = operation.path.replace("{space}", space)
    return re.sub(r"\{\w+\}", "1", path)


def ask_plainly(site, operation, space="main", query="", **options):
    query = "&".join(filter(None, (NEEDED.get(operation.id), query)))
    body = BODIES.get(operation.id)
    media = {"importRecords": NDJSON, "importCalendar": "text/calendar"}.get(operation.id)
    return site.ask(operation.method, target_of(operation, space) + "?" + query, body, media=media, **options)


@test
def every_operation_refuses_what_it_must(folder):
    with Site(folder) as site:
        for operation in contract.operations:
            answer = site.ask(operation.method, target_of(operation) + "?surely_not=1", want=400)
            check(answer.json["field"] == "surely_not", answer)
            if operation.security != [{}]:
                check(ask_plainly(site, operation, actor="nobody-has-this").status == 401, operation.id)
                ask_plainly(site, operation, Host="evil.example", want=421)
            else:
                site.ask(operation.method, operation.path, Padding="x" * 7200, want=431)
            if {"bearer": []} in operation.security and "{space}" not in operation.path:
                ask_plainly(site, operation, actor="ann")
            if operation.body is not None:
                length = f"Host: localhost:{site.port}\r\nAuthorization: Bearer {site.tokens['admin']}\r\nContent-Length: 99999999\r\n"
                check(site.raw(operation.method, target_of(operation), length).status == 413, operation.id)
                if "415" in operation.responses:
                    site.ask(operation.method, target_of(operation) + "?" + NEEDED.get(operation.id, ""), "nonsense", media="text/plain",
                             want=415)
            if "{space}" in operation.path:
                if operation.security != [{}]:
                    ask_plainly(site, operation, space="stet", actor="ann", want=403)
                if operation.id != "createSpace":
                    ask_plainly(site, operation, space="nowhere", want=404)


@test
def the_server_answers_its_contract(folder):
    with Site(folder) as site:
        site.ask("GET", "/healthz", actor=None, want=200)
        site.ask("GET", "/metrics", actor=None, want=200)
        site.ask("GET", "/v1", actor="ann", want=200)
        answer = site.ask("GET", "/openapi.yaml", actor=None, want=200)
        check(answer.body.decode() == contract.text, "not docs/openapi.yaml")
        site.ask("GET", "/openapi.yaml", actor=None, If_None_Match=f'"x", W/{answer.etag}', want=304)
        site.ask("GET", "/openapi.yaml", actor=None, If_None_Match='"x"', want=200)
        site.ask("HEAD", "/openapi.yaml", actor=None, want=200)
        page = site.ask("GET", "/", actor=None, want=200)
        check("unsafe" not in page.headers["content-security-policy"], page.headers)
        site.ask("GET", "/", actor=None, If_None_Match=page.etag, want=304)
        site.ask("GET", "/?color=red", actor=None, want=400)


@test
def what_clients_report_is_added_up(folder):
    with Site(folder) as site:
        at, counts = "/v1/main/telemetry", [0] * 14
        counts[2] = 2
        for actor in ("ann", "bob"):
            site.ask("POST", at, {"writes": 3, "conflicts": 1, "confirm_ms": {"sum": 80.5, "counts": counts}}, actor, want=204)
        site.ask("POST", at, {}, "ann", want=204)
        lines = site.ask("GET", "/metrics", actor=None, want=200).body.decode().splitlines()
        for line in ("stet_client_writes_total 6", "stet_client_conflicts_total 2", "stet_client_merged_total 0",
                     'stet_client_confirm_seconds_bucket{le="0.025"} 0', 'stet_client_confirm_seconds_bucket{le="0.05"} 4',
                     "stet_client_confirm_seconds_sum 0.161", "stet_client_confirm_seconds_count 4"):
            check(line in lines, line)
        bad = site.ask("POST", at, {"confirm_ms": {"counts": [1]}}, "ann", want=400)
        check(bad.json["field"] == "/confirm_ms/counts", bad)
        much = site.ask("POST", at, {"writes": 1000001}, "ann", want=413)
        check(much.json["limit"] == 1000000, much)


def has_console(site):
    return "without the web console" not in site.ask("GET", "/sdk/", actor=None, want=200).body.decode()


@test
def the_base_path_without_its_slash_leads_to_the_page(folder):
    with Server(folder, "--base-path", "/records") as server:
        port = urllib.parse.urlsplit(server.url).port
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)
        connection.request("GET", "/records")
        got = connection.getresponse()
        answer = Answer(got.status, {name.lower(): value for name, value in got.getheaders()}, got.read())
        connection.close()
    check(answer.status == 308 and answer.headers["location"].endswith("/records/"), answer)
    # To the contract, which knows no base paths, it is the page.
    note("GET", "/", ({}, b""), answer)


@test
def the_console_and_the_packages_are_served(folder):
    with Site(folder) as site:
        site.ask("GET", "/assets/nothing.js", actor=None, want=404)
        site.ask("GET", "/sdk/nothing.tgz", actor=None, want=404)
        site.ask("GET", "/assets/" + "n" * 129, actor=None, want=400)
        site.ask("GET", "/sdk/" + "n" * 129, actor=None, want=400)
        if not has_console(site):
            # Nothing to be had: what is documented of it is taken as given.
            given.update({("getAsset", "200"), ("getAsset", "304"), ("getPackage", "200"), ("getPackage", "304")})
            return
        page = site.ask("GET", "/", actor=None, want=200)
        policy = page.headers["content-security-policy"]
        check("default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy, policy)
        check(page.headers["x-content-type-options"] == "nosniff" and page.headers["cache-control"] == "public, no-cache", page.headers)
        names = re.findall(r'(?:href|src)="(assets/[^"]+)"', page.body.decode())
        check(any(name.endswith(".js") for name in names), page.body)
        check(not re.search(r'(?:href|src)="/|<style|<script(?! type="module" src=)| style=', page.body.decode()), page.body)
        for name in names:
            plain = site.ask("GET", f"/{name}", actor=None, want=200)
            check("immutable" in plain.headers["cache-control"] and "content-encoding" not in plain.headers, plain.headers)
            check(plain.headers["vary"] == "Accept-Encoding", plain.headers)
            zipped = site.ask("GET", f"/{name}", actor=None, want=200, Accept_Encoding="gzip")
            if "content-encoding" in zipped.headers:
                check(gzip.decompress(zipped.body) == plain.body and zipped.etag != plain.etag, f"{name}: other bytes")
                brotli = site.ask("HEAD", f"/{name}", actor=None, want=200, Accept_Encoding="gzip;q=0.5, br")
                check(brotli.headers["content-encoding"] == "br" and brotli.body == b"", brotli)
                check(0 < int(brotli.headers["content-length"]) < len(plain.body), brotli)
                site.ask("GET", f"/{name}", actor=None, Accept_Encoding="gzip", If_None_Match=plain.etag, want=200)
            site.ask("GET", f"/{name}", actor=None, Accept_Encoding="gzip", If_None_Match=zipped.etag, want=304)
        worker = site.ask("GET", "/assets/console-worker.js", actor=None, want=200)
        check(worker.headers["service-worker-allowed"] == "../" and worker.headers["cache-control"] == "public, no-cache", worker.headers)
        check(all(f'"{name}"' in worker.body.decode() for name in names), f"the worker keeps all of {names}")
        listed = re.findall(r'<a href="([^"]+)">', site.ask("GET", "/sdk/", actor=None, want=200).body.decode())
        check(len(listed) == 4, listed)
        for name in listed:
            packed = site.ask("GET", f"/sdk/{name}", actor=None, want=200)
            with tarfile.open(fileobj=io.BytesIO(packed.body)) as tar:
                package = json.load(tar.extractfile("package/package.json"))
                check(f'stet-{package["name"].partition("/")[2]}' in name, f"{name} holds {package['name']}")
                check(package["version"] == site.ask("GET", "/healthz", actor=None, want=200).json["version"], package)
                check({"package/LICENSE", "package/dist/index.js", "package/dist/index.d.ts"} <= set(tar.getnames()), tar.getnames())
            site.ask("GET", f"/sdk/{name}", actor=None, If_None_Match=packed.etag, want=304)


# ---- Query parameters ------------------------------------------------------------------------

# Taken together or not at all.
TOGETHER = {"lock": "lock_token=1", "lock_token": "lock=a"}
# Taken only where the answer is of another kind.
ACCEPTED = {("getCalendar", name): "text/calendar" for name in ("summary", "description", "location", "status")}


def names_in_the_program():
    """Whatever the server might ask a query for: every plain word in quotes in its sources."""
    words = set()
    for path in glob.glob(os.path.join(TOP, "src/http/*.c")):
        if not path.endswith("_test.c"):
            with open(path, encoding="utf-8") as file:
                words.update(re.findall(r'"([A-Za-z][A-Za-z_]{1,30})"', file.read()))
    return words


def unknown(answer, name):
    return answer.status == 400 and answer.json.get("field") == name and "is not known here" in answer.json["detail"]


@test
def the_parameters_are_those_the_program_takes(folder):
    words = names_in_the_program()
    check(len(words) > 100, words)
    with Site(folder) as site:
        for operation in contract.operations:
            known = set(operation.query_names())
            check(known <= words, f"{operation.id}: {known - words}")
            # Nothing may happen: the space is not there.
            target = target_of(operation, "nowhere")
            strangers = [f"{target}?{name}=x&surely_not=1" for name in sorted(words - known)]
            for asked, answer in site.pipeline(operation.method, strangers):
                name = asked.partition("?")[2].partition("=")[0]
                check(unknown(answer, name), f"{operation.id} takes {name}, which is not documented: {answer!r}")
            for name in known:
                parameter = operation.parameters["query", name]
                example = parameter["example"]
                example = example[0] if isinstance(example, list) else example
                query = "&".join(filter(None, (f"{name}={urllib.parse.quote(str(example))}", TOGETHER.get(name), "surely_not=1")))
                accepted = ACCEPTED.get((operation.id, name))
                answer = site.ask(operation.method, f"{target}?{query}", **({"Accept": accepted} if accepted else {}))
                check(unknown(answer, "surely_not"), f"{operation.id} does not take {name}={example}: {answer!r}")
                check_bounds(site, operation, target, parameter)


def check_bounds(site, operation, target, parameter):
    """A documented maximum is the program's, and a documented choice has no other."""
    name, schema = parameter["name"], contract.resolve(parameter["schema"])
    if "maximum" in schema:
        at, past = (site.ask(operation.method, f"{target}?{name}={schema['maximum'] + more}&surely_not=1") for more in (0, 1))
        check(unknown(at, "surely_not"), f"{operation.id}: {name} may not be {schema['maximum']}: {at!r}")
        check(past.json["field"] == name and past.json["limit"] == schema["maximum"], f"{operation.id}: {name}: {past!r}")
    if "enum" in schema:
        answer = site.ask(operation.method, f"{target}?{name}=perhaps&surely_not=1")
        # Some are looked at by the engine, in a space.
        if unknown(answer, "surely_not"):
            answer = site.ask(operation.method, f"{target_of(operation)}?{name}=perhaps")
        check(answer.json["field"] == name, f"{operation.id}: {name} may be anything: {answer!r}")


# ---- Records ---------------------------------------------------------------------------------

DEALS = {"fields": {"/n": {"type": "integer", "maximum": 100}}, "unique": ["/number"],
         "allow_overrides": ["merge", "ask", "server_wins", "last_writer_wins"]}


@test
def records_are_written_and_read(folder):
    with Site(folder) as site:
        site.declare("deals", DEALS)
        site.put("deals/1", {"n": 1, "number": 1}, want=201)
        site.ask("POST", f"{R}/deals?id=2", {"number": 2}, "ann", want=201)
        site.ask("POST", f"{R}/deals", {"data": {"number": 3}, "id": "3"}, "ann", STET, Prefer="return=minimal", want=201)
        site.ask("POST", f"{R}/deals?dry_run=1", {}, "ann", want=201)
        site.put("deals/1", {"n": 2, "number": 1}, 1, want=200)
        site.put("deals/1", {"n": 3, "number": 1}, 1, "bob", want=409)
        site.ask("PUT", f"{R}/deals/1", {"n": 3, "number": 1}, "bob", If_Match='"1"', want=412)
        site.ask("PUT", f"{R}/deals/1", {"n": 3}, "bob", If_None_Match="*", want=412)
        site.put("deals/1", {}, want=428)
        site.put("deals/1", {"n": 9, "number": 1}, 1, "bob", on_conflict="server_wins", want=200)
        site.put("deals/1", {"n": 9, "number": 2}, 2, want=409)
        site.put("deals/1", {"n": 101}, 2, want=422)
        site.put("deals/1", {}, 2, on_conflict="newest", want=403)
        site.put("stet.type/x", {}, want=403)
        site.put("deals/1", {"n": 2, "number": 1}, 2, want=200)
        site.put("deals/9", {}, parent="deals/nobody", want=404)
        site.put("deals/1", {"n": 1, "number": 1}, 2, lock="gone", lock_token=1, want=409)
        site.ask("PUT", f"{R}/deals/1", {"n": 4, "number": 1}, "ann", If_Match='"2"', Prefer="return=minimal", want=204)
        site.ask("PUT", f"{R}/deals/1?dry_run=1", {"n": 5}, "ann", If_Match='"3"', Prefer="return=representation", want=200)
        for _ in range(2):
            site.ask("PATCH", f"{R}/deals/1", {"n": 5}, "ann", MERGE_PATCH, If_Match='"3"', Idempotency_Key="k", want=200)
        site.ask("PATCH", f"{R}/deals/1", {"n": 6}, "ann", MERGE_PATCH, If_Match='"3"', Idempotency_Key='"k"', want=422)
        site.ask("PATCH", f"{R}/deals/1", [{"op": "remove", "path": "/gone"}], "ann", JSON_PATCH, If_Match='"4"', want=422)
        site.ask("PATCH", f"{R}/deals/1", [{"op": "test", "path": "/n", "value": 0}], "ann", JSON_PATCH, If_Match='"4"', want=412)
        site.ask("PATCH", f"{R}/deals/1", {"base_version": 4, "patch": [{"op": "replace", "path": "/n", "value": 7}]}, "ann", want=200)
        site.ask("PATCH", f"{R}/deals/1", {"base_version": 4, "on_conflict": "merge", "patch": {"m": 1}}, "bob", STET, want=200)
        site.ask("PATCH", f"{R}/deals/1", {"m": 2}, "ann", MERGE_PATCH, want=428)
        site.ask("PATCH", f"{R}/deals/1?base_version=4", {"n": 8}, "ann", MERGE_PATCH, want=409)
        site.ask("PATCH", f"{R}/deals/1?base_version=6", {"n": 8}, "ann", MERGE_PATCH, Prefer="return=minimal", want=204)
        site.ask("PATCH", f"{R}/deals/77", {"n": 8}, "ann", MERGE_PATCH, want=404)
        site.ask("POST", f"{R}/deals?id=1", {}, "bob", want=409)
        site.ask("POST", f"{R}/deals?id=1", {}, "bob", If_None_Match="*", want=412)
        site.ask("POST", f"{R}/deals", {"n": 1000}, "bob", want=422)
        site.ask("POST", f"{R}/deals?parent=deals/nobody", {}, "bob", want=404)
        first = site.ask("GET", f"{R}/deals/1", want=200)
        site.ask("GET", f"{R}/deals/1", If_None_Match=first.etag, want=304)
        site.ask("HEAD", f"{R}/deals/1", want=200)
        for query in ("version=1", "at_seq=2", "at=2100-01-01T00:00:00Z", "min_seq=1"):
            site.ask("GET", f"{R}/deals/1?{query}", want=200)
        site.ask("GET", f"{R}/deals/1/history", want=200)
        page = site.ask("GET", f"{R}/deals/1/history?data=1&limit=2", want=200).json
        site.ask("GET", f"{R}/deals/1/history?before={page['next']}", want=200)
        site.ask("GET", f"{R}/deals/1/diff?from=1", want=200)
        site.ask("GET", f"{R}/deals/1/concurrency", want=200)
        site.ask("GET", "/v1/main/mutations/k", actor="ann", want=200)
        site.ask("GET", "/v1/main/mutations/other", actor="ann", want=200)
        check("activity" not in site.ask("GET", "/v1/main/stats", actor="ann", want=200).json)
        check(site.ask("GET", "/v1/main/stats", actor="admin", want=200).json["activity"]["commits"]["failures"] == 0)
        site.ask("GET", "/v1/main", want=200)
        site.ask("GET", "/v1/main/check", want=200)


@test
def records_are_deleted_and_brought_back(folder):
    with Site(folder) as site:
        site.declare("tight", {"fields": {"/n": {"maximum": 5}}}, want=201)
        for n in (1, 2, 3):
            site.put("t/1", {"n": n}, n - 1)
        site.put("tight/1", {"n": 1}, want=201)
        site.ask("POST", f"{R}/t/1/revert?to=1", None, "ann", want=428)
        site.ask("POST", f"{R}/t/1/revert?to=1&base_version=2", None, "ann", want=409)
        site.ask("POST", f"{R}/t/1/revert?to=1", None, "ann", If_Match='"2"', want=412)
        site.ask("POST", f"{R}/t/1/revert?to=1", None, "ann", If_Match='"3"', want=200)
        site.ask("POST", f"{R}/t/1/revert", {"to": 2, "base_version": 4}, "ann", Prefer="return=minimal", want=204)
        site.ask("POST", f"{R}/t/2/revert?to=1", None, "ann", want=404)
        site.ask("POST", f"{R}/t/1/revert?to=1&base_version=5", None, "ann", Idempotency_Key="r", want=200)
        site.ask("POST", f"{R}/t/1/revert?to=2&base_version=6", None, "ann", Idempotency_Key="r", want=422)
        site.ask("DELETE", f"{R}/t/1", None, "ann", want=428)
        site.ask("DELETE", f"{R}/t/1?base_version=2", None, "ann", want=409)
        site.ask("DELETE", f"{R}/t/1", None, "ann", If_Match='"2"', want=412)
        site.ask("DELETE", f"{R}/t/1?base_version=6", None, "ann", Idempotency_Key="r", want=422)
        site.ask("DELETE", f"{R}/t/1", {"base_version": 6}, "ann", Prefer="return=minimal", want=204)
        site.ask("DELETE", f"{R}/t/1", None, "ann", want=404)
        site.ask("GET", f"{R}/t/1", want=404)
        site.ask("GET", f"{R}/t/1/concurrency", want=200)
        gone = site.ask("GET", f"{R}/t?deleted=1&where=n%3D1", actor="ann", want=200).json["records"]
        check([(one["id"], one["version"], one["deleted"]) for one in gone] == [("1", 7, True)], gone)
        site.ask("GET", f"{R}/t?deleted=1&sort=n", actor="ann", want=400)
        site.ask("GET", f"{R}/t?deleted=1&total=1", actor="ann", want=400)
        back = site.ask("POST", f"{R}/t/1/revert?to=3&base_version=7", None, "ann", want=201)
        check(site.ask("GET", f"{R}/t?deleted=1", actor="ann", want=200).json["records"] == [], "brought back")
        check(back.headers["location"] == f"{R}/t/1", back)
        site.ask("DELETE", f"{R}/t/1", None, "ann", If_Match='"8"', want=200)
        back = site.ask("POST", f"{R}/t/1/revert?to=3&base_version=9", None, "ann", Prefer="return=minimal", want=201)
        check(back.headers["location"] == f"{R}/t/1", back)
        for actor in ("ann", "bob"):
            site.put("t/2", {"n": 1}, 1 if actor == "bob" else None, actor)
        site.put("t/2", {"n": 2}, 1, "bob", want=200)
        site.ask("DELETE", f"{R}/t/2?base_version=1&on_conflict=ask", None, "ann", want=202)
        site.ask("POST", f"{R}/t/2/revert?base_version=1&on_conflict=ask", {"to": 1}, "ann")


@test
def lists_have_pages_that_end(folder):
    with Site(folder) as site:
        site.declare("deals", {"index": ["/n"]})
        for n in range(6):
            site.put(f"deals/{n}", {"n": n, "title": "x"}, want=201)
        site.ask("GET", f"{R}/deals?limit=2&total=1&explain=1&fields=n", want=200)
        site.ask("GET", f"{R}/deals?where=n%3E2&sort=-n&explain=1&total=1", want=200)
        page = site.ask("GET", f"{R}/deals?sort=n&limit=2", want=200).json
        site.ask("GET", f"{R}/deals?sort=n&limit=2&after={page['next']}", want=200)
        site.ask("PUT", "/v1/main/types/deals", {"index": ["/title"]}, If_Match='"1"', want=200)
        site.ask("GET", f"{R}/deals?sort=n&limit=2&after={page['next']}", want=410)


@test
def a_list_that_needs_an_index_says_which(folder):
    with Site(folder) as site:
        rows = [f'{{"type":"many","id":"{n}","data":{{"n":{n}}}}}' for n in range(100_001)]
        for at in range(0, len(rows), 25_000):
            answer = site.ask("POST", "/v1/main/import", "\n".join(rows[at:at + 25_000]), media=NDJSON, want=200)
            check(answer.json["failed"] == 0, answer)
        answer = site.ask("GET", f"{R}/many?where=n%3D7", want=422)
        check("n" in str(answer.json["index"]), answer)


@test
def what_is_no_longer_kept_is_gone(folder):
    with Site(folder) as site:
        site.declare("short", {"retain": {"versions": 1}})
        site.put("short/1", {"n": 0})
        for version in range(1, 6):
            site.put("short/1", {"n": version}, version, want=200)
        site.ask("GET", f"{R}/short/1?version=1", want=410)
        site.ask("GET", f"{R}/short/1/diff?from=1&to=6", want=410)
        site.ask("GET", f"{R}/short/1/history?data=1", want=200)
        site.stop()  # What is still in memory may come back.
        site.start()
        site.ask("POST", f"{R}/short/1/revert?to=1&base_version=6", want=410)


@test
def transactions_are_all_or_nothing(folder):
    with Site(folder) as site:
        site.declare("tight", {"fields": {"/n": {"maximum": 5}}, "unique": ["/u"]})

        def commit(*mutations, want, **headers):
            return site.ask("POST", "/v1/main/transactions", {"mutations": mutations}, "ann", want=want, **headers)

        make = {"op": "create", "type": "t", "id": "1", "data": {"n": 1}}
        commit(make, want=200)
        commit(make, want=409)
        commit({"op": "put", "type": "t", "id": "1", "data": {}}, want=428)
        commit({"op": "put", "type": "t", "id": "1", "base_version": 1, "data": {"n": 2}},
               {"op": "patch", "type": "t", "id": "9", "patch": {}}, want=404)
        commit({"op": "put", "type": "t", "id": "1", "base_version": 1, "data": {"n": 2}}, Prefer="return=minimal", want=204)
        commit({"op": "patch", "type": "t", "id": "1", "base_version": 1, "patch": {"n": 3}}, make, want=409)
        commit({"op": "delete", "type": "t", "id": "1", "base_version": 1}, want=409)
        commit({"op": "create", "type": "tight", "id": "1", "data": {"n": 6}}, want=422)
        commit(*[{"op": "create", "type": "tight", "id": str(n), "data": {"u": 1}} for n in (1, 2)], want=409)
        commit({"op": "create", "type": "stet.type", "id": "1", "data": {}}, want=403)
        commit({**make, "id": "3"}, Idempotency_Key="k", want=200)
        commit({**make, "id": "4"}, Idempotency_Key="k", want=422)
        site.ask("POST", "/v1/main/transactions?dry_run=1", {"mutations": [{**make, "id": "5"}]}, "ann", STET, want=200)
        commit(*[{**make, "id": f"m{n}"} for n in range(1001)], want=413)


@test
def imports_tell_what_became_of_each_line(folder):
    with Site(folder) as site:
        site.declare("mild", {"on_conflict": "server_wins"})
        site.declare("asking", {"on_conflict": "ask"})
        for name in ("mild", "asking"):
            site.put(f"{name}/1", {"n": 1})
            site.put(f"{name}/1", {"n": 2}, 1, want=200)
        lines = [{"type": "t", "id": "1", "data": {}, "version": 7, "created_at": "2020-01-01T00:00:00Z", "created_by": "zoe"},
                 {"type": "t", "data": {}}, {"type": "t", "id": "1", "data": {"other": 1}},
                 {"type": "mild", "id": "1", "base_version": 1, "data": {"n": 3}},
                 {"type": "asking", "id": "1", "base_version": 1, "data": {"n": 3}}]
        text = "\n".join(map(json.dumps, lines))
        site.ask("POST", "/v1/main/import?dry_run=1", text, media="application/jsonl", want=200)
        answer = site.ask("POST", "/v1/main/import", text, media=NDJSON, want=200).json
        check((answer["imported"], answer["dropped"], answer["parked"], answer["failed"]) == (1, 1, 1, 2), answer)
        plain = "\n".join(json.dumps({"type": "t", "id": f"e{n}", "data": {"n": n, "gone": None}}) for n in (1, 2))
        first = site.ask("POST", "/v1/main/import?existing=update", plain, "ann", media=NDJSON, want=200).json
        check((first["imported"], first["updated"]) == (2, 0), first)
        check(site.ask("GET", f"{R}/t/e1").json["data"] == {"n": 1})
        changed = json.dumps({"type": "t", "id": "e1", "data": {"m": 5}})
        kept = site.ask("POST", "/v1/main/import?existing=keep&errors_max=5000", changed, "ann", media=NDJSON, want=200).json
        check(kept["kept"] == 1 and kept["set_aside"] == [{"line": 1, "outcome": "kept"}], kept)
        for updated in (1, 0):
            said = site.ask("POST", "/v1/main/import?existing=update", changed, "ann", media=NDJSON, want=200).json
            check((said["updated"], said["unchanged"]) == (updated, 1 - updated), said)
        check(site.ask("GET", f"{R}/t/e1").json["data"] == {"n": 1, "m": 5})
        claims = site.ask("POST", "/v1/main/import", json.dumps(lines[0] | {"id": "claimed"}), "ann", media=NDJSON, want=200).json
        check(claims["errors"][0]["code"] == "FORBIDDEN", claims)
        bad = "\n".join(["{}"] * 150)
        check(site.ask("POST", "/v1/main/import", bad, media=NDJSON, want=200).json["errors_left_out"] == 50)
        site.ask("GET", f"{R}/t/1/history", want=200)


@test
def an_export_is_what_an_import_takes(folder):
    with Site(folder) as site:
        site.ask("PUT", "/v1/copy", want=201)
        site.put("t/1", {"a": 1, "b": 1}, want=201)
        site.put("t/1", {"a": 2, "b": 1}, 1, modified_at="2026-01-01T00:00:00Z", want=200)
        site.put("t/1", {"a": 1, "b": 2}, 1, "bob", on_conflict="merge", want=200)
        site.put("t/2", {}, parent="t/1", client_mutation_id="k", want=201)
        site.ask("POST", f"{R}/t/1/fork?id=3", want=201)
        site.ask("POST", f"{R}/t/1/revert?to=1&base_version=3", want=200)
        site.ask("DELETE", f"{R}/t/2?base_version=1", want=200)
        site.ask("GET", "/v1/main/export?type=t&where=a%3D1&as_of=5&after=1", want=200)
        site.ask("GET", "/v1/main/export", want=200)
        whole = site.ask("GET", "/v1/main/export?history=1", want=200).body.decode()
        check(site.ask("POST", "/v1/copy/import", whole, media=NDJSON, want=200).json["failed"] == 0)
        orphan = '{"type": "t", "id": "9", "data": {}, "parent": "t/nobody"}'
        check(site.ask("POST", "/v1/copy/import?orphans=1", orphan, media=NDJSON, want=200).json["orphans"] == [1])
        answer = site.ask("POST", "/v1/copy/import?on_error=stop", "{}\n" + orphan, media=NDJSON, want=200)
        check("stopped_at_line" in answer.json, answer)


@test
def a_backup_is_a_database_with_its_digest(folder):
    with Site(folder) as site:
        site.put("t/1", {"a": 1}, want=201)
        answer = site.ask("GET", "/v1/main/backup", want=200)
        digest = base64.b64encode(hashlib.sha256(answer.body).digest()).decode()
        check(answer.headers["repr-digest"] == f"sha-256=:{digest}:", answer.headers)
        check(answer.body.startswith(b"SQLite format 3\0"), answer.body[:32])
        site.ask("GET", "/v1/nosuch/backup", want=404)


# ---- Conflicts -------------------------------------------------------------------------------

def make_conflict(site, record, ann=3):
    """ann writes from version 1 what bob changed since."""
    site.put(record, {"n": 1, "m": 1}, want=201)
    site.put(record, {"n": 2, "m": 1}, 1, "bob", want=200)
    return site.put(record, {"n": ann, "m": 1}, 1, "ann")


def resolve(site, record, problem, choice, actor="ann", want=None, query="", **body):
    body = {"resolution_token": problem["resolution_token"], "choice": choice, "yours": problem["yours"], **body}
    return site.ask("POST", f"{R}/{record}/resolve{query}", body, actor, want=want)


@test
def conflicts_are_settled_by_token(folder):
    with Site(folder) as site:
        site.declare("tight", {"fields": {"/n": {"maximum": 5}}, "unique": ["/u"]})
        one = make_conflict(site, "t/1").json
        resolve(site, "t/1", one, "yours", query="?dry_run=1", want=200)
        resolve(site, "t/1", one, "yours", want=200)
        resolve(site, "t/1", one, "yours", want=409)
        two = make_conflict(site, "t/2").json
        resolve(site, "t/2", {**two, "resolution_token": "AQ"}, "yours", want=400)
        site.put("t/2", {"n": 7}, 2, "bob", want=200)
        moved = resolve(site, "t/2", two, "yours", want=409).json
        resolve(site, "t/2", moved, "fields", fields={"/n": {"value": 8}}, want=200)
        three = make_conflict(site, "t/3").json
        site.ask("POST", f"{R}/t/3/resolve", {"resolution_token": three["resolution_token"], "choice": "custom", "yours": three["yours"],
                                              "data": {"n": 4}}, "ann", Prefer="return=minimal", want=204)
        tight = make_conflict(site, "tight/1").json
        resolve(site, "tight/1", tight, "custom", data={"n": 6}, want=422)
        preview = f"{R}/t/1/merge-preview"
        site.ask("POST", preview, {"base_version": 1, "data": {"n": 9}}, "ann", want=200)
        site.ask("POST", preview, {"base_version": 1, "patch": {"k": 9}, "on_conflict": "merge"}, "ann", want=200)
        site.ask("POST", preview, {"base_version": 3, "patch": {"k": 9}}, "ann", want=200)
        site.ask("POST", preview, {"data": {}}, "ann", want=428)
        site.ask("POST", preview, {"base_version": 3, "patch": [{"op": "remove", "path": "/gone"}]}, "ann", want=422)
        site.ask("POST", f"{R}/t/new/merge-preview", {"data": {}}, "ann", want=200)
        site.ask("POST", f"{R}/t/new/merge-preview", {"patch": {}}, "ann", want=404)
        site.ask("POST", preview, {"base_version": 3, "data": {}, "lock": {"name": "gone", "token": 1}}, "ann", want=409)


@test
def conflicts_wait_for_people(folder):
    with Site(folder) as site:
        site.declare("deals", {"on_conflict": "ask"})
        site.declare("tight", {"on_conflict": "ask", "fields": {"/n": {"maximum": 5}}, "unique": ["/u"]})
        at = "/v1/main/conflicts"

        def park(record):
            return make_conflict(site, record).json["conflict_id"]

        one = park("deals/1")
        view = site.ask("GET", f"{at}/{one}", want=200).json
        site.ask("GET", f"{at}?type=deals&record=deals/1&person=ann&state=open&older_than=0&limit=1", want=200)
        site.ask("GET", f"{R}/deals/1/concurrency", want=200)
        site.ask("GET", "/v1/main/inbox?unread=1&limit=5", actor="ann", want=200)
        site.ask("POST", "/v1/main/inbox/read", {"ids": [one]}, "ann", want=200)
        site.ask("DELETE", f"/v1/main/inbox/{one}", None, "ann", want=403)
        site.ask("POST", f"{at}/{one}/reopen", None, "ann", If_Match='"2"', want=409)
        view = site.ask("GET", f"{at}/{one}", actor="bob", want=200).json
        choice = {"choice": "yours", "resolution_token": view["resolution_token"]}
        site.ask("POST", f"{at}/{one}/resolve?dry_run=1", choice, "bob", want=200)
        site.ask("POST", f"{at}/{one}/resolve", choice, "bob", want=200)
        site.ask("POST", f"{at}/{one}/resolve", choice, "bob", want=409)
        site.ask("GET", f"{at}/{one}", want=200)
        site.ask("GET", f"{at}?state=any", want=200)
        site.ask("GET", "/v1/main/inbox", actor="ann", want=200)
        two, three = park("deals/2"), park("deals/3")
        view = site.ask("GET", f"{at}/{two}", actor="ann", want=200).json
        site.put("deals/2", {"n": 9}, 2, "bob", want=200)
        choice["resolution_token"] = view["resolution_token"]
        site.ask("POST", f"{at}/{two}/resolve", choice, "ann", want=409)
        site.ask("POST", f"{at}/resolve", {"conflicts": [{"id": two, "choice": "current"}, {"id": "none", "choice": "current"}]}, "ann",
                 want=200)
        site.ask("POST", f"{at}/resolve", {"filter": {"record": "deals/3"}, "choice": "current"}, "ann", STET, want=200)
        tight = park("tight/1")
        token = site.ask("GET", f"{at}/{tight}", actor="ann", want=200).json["resolution_token"]
        custom = {"choice": "custom", "resolution_token": token, "data": {"n": 9}}
        site.ask("POST", f"{at}/{tight}/resolve", custom, "ann", want=422)
        site.put("tight/2", {"u": 1}, want=201)
        site.ask("POST", f"{at}/{tight}/resolve", {**custom, "data": {"u": 1}}, "ann", want=409)
        site.put("deals/4", {"n": 1}, want=201)
        site.put("deals/4", {"n": 2}, 1, "bob", want=200)
        for n in range(32):
            site.put("deals/4", {"n": 3 + n}, 1, "ann", want=202)
        site.put("deals/4", {"n": 99}, 1, "ann", want=429)
        site.ask("PATCH", f"{R}/deals/4?base_version=1", {"n": 99}, "ann", MERGE_PATCH, want=429)
        site.ask("DELETE", f"{R}/deals/4?base_version=1", None, "ann", want=429)
        site.ask("POST", f"{R}/deals/4/revert?base_version=1", {"to": 1}, "ann")
        site.put("deals/4", {"n": 50}, 2, "bob", want=200)
        site.ask("POST", f"{R}/deals/4/revert?base_version=2", {"to": 1}, "ann", want=429)
        site.put("deals/5", {"n": 1}, want=201)
        site.put("deals/5", {"n": 2}, 1, "bob", want=200)
        site.put("deals/5", {"n": 9}, 2, "bob", want=200)
        site.ask("PATCH", f"{R}/deals/5?base_version=1", {"n": 99}, "ann", MERGE_PATCH, Idempotency_Key="p", want=202)
        site.ask("GET", "/v1/main/mutations/p", actor="ann", want=200)
        site.ask("POST", f"{R}/deals/5/revert?base_version=2", {"to": 1}, "ann", want=202)
        changes = site.ask("GET", "/v1/main/changes?since=0&events=conflict", want=200).json["changes"]
        check({"opened", "resolved"} <= {change["event"] for change in changes}, changes)


@test
def notices_tell_who_was_overwritten(folder):
    with Site(folder) as site:
        at = "/v1/main/conflicts"

        def overwrite(record):
            site.put(record, {"n": 1}, want=201)
            site.put(record, {"n": 2}, 1, "ann", want=200)
            site.put(record, {"n": 3}, 1, "bob", on_conflict="last_writer_wins", want=200)
            items = site.ask("GET", "/v1/main/inbox", actor="ann", want=200).json["items"]
            return next(item for item in items if item["address"] == record)

        one = overwrite("t/1")
        site.ask("GET", f"{at}/{one['id']}", actor="ann", want=200)
        site.ask("POST", f"{at}/{one['id']}/reopen", None, "ann", want=428)
        site.ask("POST", f"{at}/{one['id']}/reopen", {"base_version": one["version"]}, "ann", want=200)
        two = overwrite("t/2")
        site.ask("DELETE", f"/v1/main/inbox/{two['id']}", None, "ann", want=200)
        site.ask("POST", "/v1/main/inbox/read", {"all": True}, "ann", STET, want=200)
        site.ask("GET", f"{R}/t/1/history", want=200)
        # An automatic merge can be looked at and opened again.
        site.put("t/3", {"a": 1, "b": 1}, want=201)
        site.put("t/3", {"a": 2, "b": 1}, 1, "ann", want=200)
        merged = site.put("t/3", {"a": 1, "b": 2}, 1, "bob", on_conflict="merge", want=200).json["merge"]["conflict_id"]
        site.ask("GET", f"{at}/{merged}", want=200)
        site.ask("POST", f"{at}/{merged}/reopen", None, "ann", If_Match='"3"', want=200)
        # What was lost is kept no longer.
        site.declare("short", {"retain": {"versions": 1}, "allow_overrides": ["last_writer_wins"]})
        gone = overwrite("short/1")
        for version in range(3, 9):
            site.put("short/1", {"n": 10 + version}, version, "bob", want=200)
        site.ask("POST", f"{at}/{gone['id']}/reopen", {"base_version": gone["version"]}, "ann", want=410)
        site.put("t/4", {"n": 0}, want=201)
        full = overwrite("t/5")
        for n in range(32):
            site.put("t/5", {"n": 10 + n}, 1, "bob", on_conflict="ask", want=202)
        site.ask("POST", f"{at}/{full['id']}/reopen", {"base_version": full["version"]}, "ann", want=429)


# ---- Trees -----------------------------------------------------------------------------------

@test
def calendars_tell_and_take(folder):
    with Site(folder) as site:
        site.declare("events", {"exclusive": {
            "resource": "/room", "start": "/start", "end": "/end", "tz": "Europe/Berlin",
            "recurrence": {"rrule": "/rrule", "exdate": "/exdate", "series": "/series", "original_start": "/original_start"}}})
        calendar = "/v1/main/calendar/events"
        event = {"title": "Weekly", "room": "red", "start": "2026-03-02T09:00", "end": "2026-03-02T10:00", "rrule": "FREQ=WEEKLY;COUNT=9"}
        site.put("events/w", event, want=201)
        site.ask("GET", f"{calendar}?from=2026-03-01&limit=2", want=200)
        site.ask("GET", f"{calendar}?from=2026-03-01", want=200, Accept="text/calendar")
        site.ask("GET", f"{calendar}?limit=0x", want=400)
        site.ask("GET", calendar, want=406, Accept="text/html")
        site.ask("GET", f"{calendar}?from=1980-01-01&to=2080-01-01", want=413)
        site.ask("GET", f"{calendar}?zone=Mars", want=422)
        for free in ("/v1/main/free/events", f"{calendar}/free"):
            site.ask("GET", f"{free}?resource=red&duration=3600&from=2026-03-02", want=200)
            site.ask("GET", f"{free}?resource=red", want=400)
            site.ask("GET", f"{free}?resource=red&duration=60&from=1980-01-01&to=2080-01-01", want=413)
            site.ask("GET", f"{free}?resource=red&duration=60&from=never", want=422)
        series, one = f"{calendar}/w/series", {"scope": "one", "original_start": "2026-03-09T09:00", "delete": True}
        site.ask("POST", series, one, want=428)
        site.ask("POST", series + "?dry_run=1&base_version=1", one, want=200)
        site.ask("POST", series, one, want=200, If_Match='"1"', Idempotency_Key="k")
        site.ask("POST", series, one, want=200, If_Match='"1"', Idempotency_Key="k")
        site.ask("POST", series, {**one, "scope": "all"}, want=422, If_Match='"1"', Idempotency_Key="k")
        site.ask("POST", series, {**one, "base_version": 2}, want=404)
        site.ask("POST", series, {**one, "original_start": "2026-03-16T09:00"}, want=412, If_Match='"1"')
        site.ask("POST", series, {**one, "original_start": "2026-03-16T09:00", "base_version": 1}, want=409)
        site.ask("POST", series, {**one, "original_start": "never", "base_version": 2}, want=422)
        site.ask("POST", series, {**one, "scope": "none"}, want=400)
        site.ask("POST", series, "x", media="text/plain", want=415)
        site.ask("POST", series, {"scope": "all", "base_version": 2, "patch": {"title": "x" * 1100000}}, want=413)
        site.ask("POST", series, {"scope": "all", "base_version": 2, "patch": {"title": "x"}}, want=204, Prefer="return=minimal")

        def event_of(uid, start):
            return f"BEGIN:VEVENT\r\nUID:{uid}\r\nDTSTART:{start}\r\nDURATION:PT1H\r\nSUMMARY:One\r\nEND:VEVENT\r\n"
        take = f"{calendar}?resource=red"
        site.ask("POST", take + "&dry_run=1", event_of("a", "20260401T090000Z"), media="text/calendar", want=200)
        site.ask("POST", take, event_of("a", "20260401T090000Z"), media="text/calendar", want=200, Idempotency_Key="i")
        site.ask("POST", take, event_of("a", "20260401T090000Z"), media="text/calendar", want=200, Idempotency_Key="i")
        site.ask("POST", take, event_of("a", "20260402T090000Z"), media="text/calendar", want=409)
        site.ask("POST", take, event_of("b", "20260401T090000Z"), media="text/calendar", want=409)
        site.ask("POST", take, event_of("b", "20260431T090000Z"), media="text/calendar", want=422)
        site.ask("POST", take, "BEGIN:VEVENT\r\nEND:VEVENT\r\n", media="text/calendar", want=400)
        site.ask("POST", take, "{}", want=415)
        site.ask("POST", take, "".join(event_of(n, "20260401T090000Z") for n in range(2001)), media="text/calendar", want=413)


@test
def trees_are_written_whole(folder):
    with Site(folder) as site:
        site.declare("tight", {"fields": {"/n": {"maximum": 5}}, "unique": ["/u"]})
        site.put("doc/book", {"title": "Book"}, want=201)
        site.put("doc/one", {"n": 1}, parent="doc/book", want=201)
        site.put("doc/two", {"n": 2}, parent="doc/one", want=201)
        tree = f"{R}/doc/book/tree"
        version = site.ask("GET", tree, want=200).json["tree_version"]
        put = {"tree_version": version, "tree": {"children": [{"id": "one", "data": {"n": 5}}]}}
        site.ask("PUT", tree + "?dry_run=1", put, "ann", want=200)
        site.ask("PUT", tree, put, "ann", Idempotency_Key="t", want=200)
        site.ask("PUT", tree, put, "ann", Idempotency_Key="t", want=200)
        site.ask("PUT", tree, {**put, "tree": {}}, "ann", Idempotency_Key="t", want=422)
        site.ask("PUT", tree, put, "ann", want=409)
        site.ask("PUT", tree, {"tree": {}}, "ann", want=428)
        version = site.ask("GET", tree, want=200).json["tree_version"]
        site.ask("PUT", tree, {"tree_version": version, "tree": {}}, "ann", Prefer="return=minimal", want=204)
        site.ask("PUT", tree, {"tree_version": version, "tree": {"children": [{"type": "tight", "data": {"n": 6}}, {"id": "one"}]}}, "ann",
                 want=422)
        site.ask("PUT", tree, {"tree_version": version, "tree": {"children": [{"type": "stet.lock", "data": {}}]}}, "ann", want=403)
        twice = [{"type": "tight", "data": {"u": 1}}, {"type": "tight", "data": {"u": 1}}, {"id": "one"}]
        site.ask("PUT", tree, {"tree_version": version, "tree": {"children": twice}}, "ann", want=409)
        site.ask("PUT", f"{R}/doc/none/tree", {"tree_version": version, "tree": {}}, "ann", want=404)
        site.put("doc/book", {"title": "Other"}, 1)
        for _ in range(2):
            book = site.ask("GET", f"{R}/doc/book", want=200).json
            site.put("doc/book", {"title": book["data"]["title"] + "!"}, book["version"], want=200)
        site.ask("DELETE", tree, None, "ann", want=428)
        site.ask("DELETE", f"{tree}?tree_version={version}", None, "ann", want=409)
        site.ask("DELETE", f"{R}/doc/none/tree?tree_version={version}", None, "ann", want=404)
        version = site.ask("GET", f"{R}/doc/one/tree", want=200).json["tree_version"]
        site.ask("DELETE", f"{R}/doc/one/tree?tree_version={version}", None, "ann", Idempotency_Key="t", want=422)
        site.ask("DELETE", f"{R}/doc/one/tree?tree_version={version}", None, "ann", want=200)
        site.ask("GET", f"{R}/doc/one/tree", want=404)
        version = site.ask("GET", tree, want=200).json["tree_version"]
        site.ask("DELETE", tree, {"tree_version": version}, "ann", Prefer="return=minimal", want=204)


@test
def a_tree_has_a_limit(folder):
    with Site(folder) as site:
        site.put("big/root", {}, want=201)
        many = [{"op": "create", "type": "big", "id": str(n), "parent": "big/root", "data": {}} for n in range(1000)]
        site.ask("POST", "/v1/main/transactions", {"mutations": many}, "ann", want=200)
        site.ask("GET", f"{R}/big/root/tree", want=413)


@test
def records_move_and_fork(folder):
    with Site(folder) as site:
        site.declare("tight", {"fields": {"/n": {"maximum": 5}}})
        for name in ("a", "b", "c"):
            site.put(f"doc/{name}", {"n": 1}, want=201)
        move = f"{R}/doc/b/move"
        site.ask("POST", move, {"parent": "doc/a", "base_version": 1}, "ann", want=200)
        site.ask("POST", f"{R}/doc/a/move", {"parent": "doc/b", "base_version": 1}, "ann", want=422)
        site.ask("POST", move, {"parent": None}, "ann", want=428)
        site.ask("POST", f"{move}?parent=&base_version=1", None, "bob", want=409)
        site.ask("POST", move, {"parent": None}, "bob", If_Match='"1"', want=412)
        site.ask("POST", move, {"parent": "doc/none", "base_version": 2}, "ann", want=404)
        site.ask("POST", move, {"parent": None, "base_version": 2}, "ann", Prefer="return=minimal", want=204)
        site.ask("POST", move, {"parent": "doc/c", "base_version": 2, "on_conflict": "ask"}, "bob", want=409)
        site.ask("DELETE", f"{R}/doc/a?base_version=1", None, "ann", want=200)
        fork = f"{R}/doc/c/fork"
        site.ask("POST", fork, {"id": "draft"}, "ann", Idempotency_Key="f", want=201)
        site.ask("POST", fork, {"id": "draft"}, "ann", Idempotency_Key="f", want=200)
        site.ask("POST", fork, {"id": "other"}, "ann", Idempotency_Key="f", want=422)
        site.ask("POST", fork + "?dry_run=1", None, "ann", Prefer="return=minimal", want=204)
        site.ask("POST", fork + "?id=draft", None, "ann", want=409)
        site.ask("POST", fork + "?tree=1&parent=doc/b", None, "ann", want=201)
        site.ask("POST", f"{R}/doc/none/fork", None, "ann", want=404)
        merge = f"{R}/doc/draft/merge"
        site.ask("POST", merge, {"base_version": 1}, "ann", want=200)
        site.put("doc/draft", {"n": 1, "m": 2}, 1, want=200)
        site.ask("POST", merge, {}, "ann", want=428)
        site.ask("POST", merge, {"base_version": 1}, "ann", want=409)
        site.ask("POST", merge, None, "ann", If_Match='"1"', want=412)
        site.ask("POST", merge, {"base_version": 2}, "ann", Idempotency_Key="m", want=200)
        site.ask("POST", merge, {"base_version": 3}, "ann", Idempotency_Key="m", want=422)
        site.put("doc/draft", {"n": 7, "m": 2}, 3, want=200)
        site.ask("POST", merge, {"base_version": 4, "tree": True}, "ann", Prefer="return=minimal", want=204)
        site.put("doc/draft", {"n": 8, "m": 2}, 5, want=200)
        site.put("doc/c", {"n": 9, "m": 2}, 3, "bob", want=200)
        site.ask("POST", merge, {"base_version": 6}, "ann", want=409)
        site.ask("POST", f"{R}/doc/b/merge", {"base_version": 3}, "ann")
        site.ask("POST", f"{R}/doc/none/merge", {"base_version": 1}, "ann", want=404)


# ---- Types, spaces, tokens, locks ------------------------------------------------------------

@test
def records_are_erased_for_good(folder):
    with Site(folder) as site:
        site.put("p/1", {"who": "ann"}, want=201)
        site.put("p/1", {"who": "bob"}, 1, want=200)
        site.ask("POST", f"{R}/p/1/fork?id=2", want=201)
        purge = f"{R}/p/1/purge"
        site.ask("POST", purge, {}, want=400)
        site.ask("POST", purge, {"reason": "x" * 1001}, want=400)
        site.ask("POST", f"{R}/p/none/purge", {"reason": "r"}, want=404)
        tried = site.ask("POST", purge + "?dry_run=1", {"reason": "r"}, want=200).json
        check(tried["versions"] == 2 and tried["dry_run"] and tried["kept"] == ["p/2"], tried)
        site.ask("GET", f"{R}/p/1", want=200)
        gone = site.ask("POST", purge, {"reason": "forgotten"}, want=200).json
        check((gone["version"], gone["versions"], gone["kept"]) == (3, 2, ["p/2"]), gone)
        problem = site.ask("GET", f"{R}/p/1", want=410).json
        check((problem["code"], problem["purged_by"], problem["reason"]) == ("PURGED", "admin", "forgotten"), problem)
        changes = site.ask("GET", f"{R}/p/1/history?data=1", want=200).json["changes"]
        check([one["op"] for one in changes] == ["purge", "update", "create"] and changes[0]["reason"] == "forgotten", changes)
        check(all(one.get("pruned") and "data" not in one for one in changes[1:]), changes)
        check(site.ask("POST", purge, {"reason": "again"}, want=200).json["unchanged"])
        check(site.put("p/1", {"who": "new"}, want=201).json["version"] == 4)


@test
def types_are_declared(folder):
    with Site(folder) as site:
        at = "/v1/main/types"
        one = site.declare("deals", {"title": "Deals", "ask": {"deadline_s": 60}, "fields": {"/n": {"type": "integer"}}})
        site.ask("GET", f"{at}/deals", If_None_Match=one.etag, want=304)
        site.ask("GET", f"{at}/deals", want=200)
        site.ask("GET", at, want=200)
        site.declare("deals", {}, want=428)
        site.declare("deals", {"colour": 1}, want=422)
        for n in range(3):
            site.put(f"deals/{n}", {"n": 7, "u": 1}, want=201)
        new = {"fields": {"/n": {"maximum": 5}}}
        site.ask("PUT", f"{at}/deals?base_version=1", new, want=409)
        site.ask("PUT", f"{at}/deals?base_version=1", {"unique": ["/u"]}, want=409)
        site.ask("PUT", f"{at}/deals?force=1", {"base_version": 1, "data": new}, media=STET, want=200)
        site.ask("PUT", f"{at}/deals?base_version=1", {}, want=409)
        site.ask("PUT", f"{at}/deals", {}, If_Match='"1"', want=412)
        site.ask("PUT", f"{at}/deals", {}, If_None_Match="*", want=412)
        site.ask("PUT", f"{at}/deals", {"title": "Other"}, If_Match='"2"', Prefer="return=minimal", want=204)
        site.ask("PUT", f"{at}/deals?dry_run=1", {}, If_Match='"3"', want=200)
        site.ask("PUT", f"{at}/fresh?dry_run=1", {}, want=201)
        site.ask("PUT", f"{at}/fresh", {}, Prefer="return=minimal", Idempotency_Key="k", want=201)
        site.ask("PUT", f"{at}/fresher", {}, Idempotency_Key="k", want=422)
        site.ask("PUT", f"{at}?dry_run=1", {"types": {"deals": {"title": "New"}}}, want=200)
        site.ask("PUT", at, {"types": {"deals": {"title": "New"}, "more": {}}, "client_mutation_id": "s"}, want=200)
        site.ask("PUT", at, {"types": {"deals": {"title": "New"}}}, Prefer="return=minimal", want=204)
        site.ask("PUT", at, {"types": {"deals": new}}, want=409)
        site.ask("PUT", at, {"types": {"deals": {"unique": ["/u"]}}}, want=409)
        site.ask("PUT", at, {"types": {"deals": {"colour": 1}}}, want=422)
        site.ask("PUT", f"{at}?prune=1&force=1", {"types": {"deals": new}}, want=200)
        site.ask("DELETE", f"{at}/deals", want=428)
        site.ask("DELETE", f"{at}/deals?base_version=1", want=409)
        site.ask("DELETE", f"{at}/deals", If_Match='"1"', want=412)
        version = site.ask("GET", f"{at}/deals", want=200).json["version"]
        site.ask("DELETE", f"{at}/deals?base_version={version}", Idempotency_Key="k", want=422)
        site.ask("DELETE", f"{at}/deals", {"base_version": version}, want=200)
        site.ask("DELETE", f"{at}/deals", want=404)
        site.ask("GET", f"{at}/deals", want=404)
        site.declare("other", {})
        site.ask("DELETE", f"{at}/other", If_Match='"1"', Prefer="return=minimal", want=204)


@test
def spaces_and_tokens_come_and_go(folder):
    with Site(folder) as site:
        site.ask("PUT", "/v1/team", want=201)
        site.ask("PUT", "/v1/team", {}, want=200)
        site.ask("DELETE", "/v1/main", want=403)
        site.ask("DELETE", "/v1/team", want=200)
        made = site.ask("POST", "/v1/stet/tokens", {"actor": "zoe", "admin": True, "expires_at": "2100-01-01T00:00:00Z"}, want=201).json
        site.ask("POST", "/v1/stet/tokens", {"actor": "bot", "roles": ["sales"], "scopes": ["read", "operate"]}, want=201)
        site.ask("GET", "/v1/stet/tokens", want=200)
        site.ask("DELETE", f"/v1/stet/tokens/{made['id']}", want=200)
        site.ask("DELETE", f"/v1/stet/tokens/{made['id']}", want=404)


PASSWORD = "correct horse battery"


class Person:
    """Asks in a session: with its token, or with its cookie and proof."""

    def __init__(self, site, made):
        self.site, self.json = site, made.json
        cookie = made.headers.get("set-cookie", "").partition(";")[0]
        self.sent = {"actor": self.json["token"]} if "token" in self.json else \
            {"actor": None, "Cookie": cookie, "Stet_CSRF": self.json["csrf"]}

    def ask(self, method, target, body=None, **options):
        return self.site.ask(method, target, body, **{**self.sent, **options})


def log_in(site, user="ann", space="main", want=201, password=PASSWORD, **more):
    made = site.ask("POST", f"/v1/{space}/session", {"user": user, "password": password, **more}, actor=None, want=want)
    return Person(site, made) if want == 201 else made


@test
def people_come_and_go(folder):
    with Site(folder) as site:
        users, at = "/v1/main/users", "/v1/main/session"
        site.ask("POST", users, {"id": "ann", "name": "Ann", "email": "ann@example.org", "roles": ["sales"],
                                 "scopes": ["read", "write", "export"], "password": PASSWORD}, want=201)
        site.ask("POST", users, {"id": "ben", "password": PASSWORD, "disabled": True}, want=201)
        site.ask("POST", users, {"id": "ann"}, want=409)
        site.ask("POST", users, {"id": "eve", "password": "short"}, want=422)
        site.ask("POST", users, {"id": "eve"}, "ann", want=403)
        site.ask("GET", users, want=200)
        site.ask("GET", f"{users}?limit=1&after=ann", want=200)
        site.ask("GET", users, actor="ann", want=403)
        ann = log_in(site, name="laptop")
        other = log_in(site, token=True)
        ann.ask("GET", at, want=200)
        site.ask("GET", at, actor="bob", want=200)
        site.ask("GET", at, actor=None, want=401)
        ann.ask("GET", f"{users}/ann", want=200)
        ann.ask("GET", f"{users}/ben", want=403)
        site.ask("GET", f"{users}/nobody", want=404)
        version = ann.ask("PATCH", f"{users}/ann", {"name": "Ann of Sales"}, media=MERGE_PATCH, want=200).json["version"]
        site.ask("PATCH", f"{users}/ann?base_version={version}", {"roles": ["sales", "support"], "email": None}, want=200)
        site.ask("PATCH", f"{users}/ann", {"name": "x"}, If_Match=f'"{version}"', want=409)
        site.ask("PATCH", f"{users}/ann", {"roles": "sales"}, want=400)
        site.ask("PATCH", f"{users}/nobody", {"name": "x"}, want=404)
        ann.ask("PATCH", f"{users}/ann", {"name": "x"}, Stet_CSRF="", want=403)

        sessions = "/v1/main/sessions"
        ann.ask("GET", sessions, want=200)
        ann.ask("GET", f"{sessions}?user=ben", want=403)
        site.ask("GET", f"{sessions}?user=ann", want=200)
        its = f"{sessions}/{other.json['session']}"
        ann.ask("PATCH", its, {"name": "old"}, want=200)
        ann.ask("PATCH", f"{sessions}/{'0' * 32}", {"name": "old"}, want=404)
        ann.ask("DELETE", its, want=200)
        ann.ask("DELETE", f"{sessions}/{'0' * 32}", want=404)
        other.ask("GET", at, want=401)
        log_in(site)
        ann.ask("DELETE", sessions, want=200)
        ann.ask("DELETE", f"{sessions}?user=ben", want=403)
        site.ask("DELETE", f"{sessions}?user=ben&all=1", want=200)

        ann.ask("POST", f"{at}/password", {"old": PASSWORD, "new": "short"}, want=422)
        ann.ask("POST", f"{at}/password", {"old": "not this one", "new": PASSWORD}, want=401)
        ann.ask("POST", f"{at}/password", {"old": PASSWORD, "new": PASSWORD + "!"}, want=200)
        site.ask("POST", f"{users}/ann/password", {"new": PASSWORD}, want=200)
        site.ask("POST", f"{users}/ann/password", {"new": "short"}, want=422)
        site.ask("POST", f"{users}/nobody/password", {"new": PASSWORD}, want=404)
        ann = log_in(site)
        ann.ask("POST", f"{users}/ann/password", {"new": PASSWORD}, want=403)
        ann.ask("DELETE", at, Stet_CSRF="x", want=403)
        ann.ask("DELETE", at, want=200)
        ann.ask("DELETE", at, want=200)
        ann.ask("GET", at, want=401)
        site.ask("DELETE", at, actor="bob", want=403)
        site.ask("DELETE", at, actor=None, want=401)


@test
def links_and_tickets_are_used_once(folder):
    with Site(folder) as site:
        links, redeem = "/v1/main/links", "/v1/main/session/link"
        link = site.ask("POST", links, {"kind": "invite", "name": "sales", "roles": ["sales"], "scopes": ["read"], "ttl_s": 60}, want=201).json
        site.ask("POST", links, {"kind": "reset"}, want=400)
        site.ask("POST", links, {"kind": "reset", "user": "nobody"}, want=404)
        site.ask("POST", links, {"kind": "invite"}, "ann", want=403)
        site.ask("GET", links, want=200)
        site.ask("GET", links, actor="ann", want=403)
        body = {"link": link["token"], "user": "ann", "name": "Ann", "password": "short", "device": "laptop"}
        site.ask("POST", redeem, body, None, want=422)
        body["password"] = PASSWORD
        site.ask("POST", redeem, body, None, want=201)
        site.ask("POST", redeem, body, None, want=410)
        again = site.ask("POST", links, {"kind": "invite", "replace": True}, want=201).json
        site.ask("POST", redeem, {**body, "link": again["token"]}, None, want=409)
        site.ask("DELETE", f"{links}/{again['id']}", want=200)
        site.ask("DELETE", f"{links}/{again['id']}", want=404)
        ann = log_in(site, token=True)

        ticket = ann.ask("POST", "/v1/main/changes/ticket", want=201).json["ticket"]
        site.ask("GET", f"/v1/main/changes?ticket={ticket}", actor=None, want=200)
        site.ask("GET", f"/v1/main/changes?ticket={ticket}", actor=None, want=401)
        answers = {ann.ask("POST", "/v1/main/changes/ticket").status for _ in range(70)}
        check(answers == {201, 429}, answers)

        for _ in range(30):
            answer = log_in(site, "eve", want=None, password="not this one")
            if answer.status == 429:
                break
        check(answer.status == 429, answer)
        for _ in range(30):
            answer = ann.ask("POST", "/v1/main/session/password", {"old": "not this one", "new": PASSWORD})
            if answer.status == 429:
                break
        check(answer.status == 429, answer)
        for _ in range(100):
            answer = site.ask("POST", redeem, {"link": "x", "user": "eve", "password": PASSWORD}, None)
            if answer.status == 429:
                break
        check(answer.status == 429, answer)


@test
def locks_are_held_by_one(folder):
    with Site(folder) as site:
        at = "/v1/main/locks"
        lock = site.ask("POST", f"{at}/nightly", {"ttl_s": 60, "note": "invoices"}, "ann", Idempotency_Key="k", want=201).json
        site.ask("POST", f"{at}/nightly", {"ttl_s": 60, "note": "invoices"}, "ann", Idempotency_Key="k", want=201)
        site.ask("POST", f"{at}/other", {"ttl_s": 61}, "ann", Idempotency_Key="k", want=422)
        site.ask("POST", f"{at}/free?dry_run=1", None, "ann")
        site.ask("POST", f"{at}/nightly", None, "bob", want=423)
        site.ask("POST", f"{at}/daily", None, "bob", want=201)
        site.ask("GET", f"{at}/nightly", want=200)
        page = site.ask("GET", f"{at}?limit=1", want=200).json
        site.ask("GET", f"{at}?after={page['next']}", want=200)
        token = lock["token"]
        site.put("runs/1", {}, lock="nightly", lock_token=token, want=201)
        site.ask("PUT", f"{at}/nightly", {"token": token, "ttl_s": 90}, "ann", want=200)
        site.ask("PUT", f"{at}/nightly", {"token": token}, "bob", want=403)
        site.ask("PUT", f"{at}/nightly", {"token": token + 7}, "ann", want=409)
        site.ask("DELETE", f"{at}/nightly?token={token + 7}", None, "ann", want=409)
        site.ask("DELETE", f"{at}/nightly?token={token}", None, "bob", want=403)
        site.ask("DELETE", f"{at}/nightly?token={token}", None, "ann", want=200)
        site.ask("GET", f"{at}/nightly", want=404)


# ---- Operations ------------------------------------------------------------------------------

OPERATIONS, LANE = "/v1/main/operations", "/v1/main/lanes/agents"


def submit(site, actor="ann", want=202, **members):
    return site.ask("POST", OPERATIONS, {"lane": "agents", **members}, actor, want=want).json


def claim(site, want=200, **members):
    answer = site.ask("POST", f"{LANE}/claim", {"agent": "planner", "hands": 100, "ttl_s": 600, **members}, "bob", want=want)
    return answer.json["operations"] if want == 200 else answer


def act(site, operation, verb, body=None, actor="bob", want=None, **headers):
    return site.ask("POST", f"{OPERATIONS}/{operation['id']}/{verb}", body, actor, want=want, **headers)


def with_lease(operation, **members):
    return {"lease": operation["lease"]["token"], **members}


@test
def operations_wait_their_turn(folder):
    with Site(folder) as site:
        first = site.ask("POST", OPERATIONS, {"lane": "agents", "agent": "planner", "input": {"goal": "Rome"}}, "ann", Idempotency_Key="k",
                         want=202)
        again = site.ask("POST", OPERATIONS, {"lane": "agents", "agent": "planner", "input": {"goal": "Rome"}}, "ann", Idempotency_Key="k",
                         want=202)
        check(again.headers["idempotency-replayed"] == "true" and again.json["id"] == first.json["id"], again)
        check(first.headers["location"] == f"{OPERATIONS}/{first.json['id']}", first)
        site.ask("POST", OPERATIONS, {"lane": "agents"}, "ann", Idempotency_Key="k", want=422)
        site.ask("POST", f"{OPERATIONS}?dry_run=1", {"lane": "agents"}, "ann", want=202)
        submit(site, op_type="trip", target="trips/1", batch_key="b", depends_on=[first.json["id"]], max_retries=1, timeout_s=60,
               not_before="2020-01-01T00:00:00Z", deadline="2100-01-01T00:00:00Z")
        submit(site, parent=first.json["id"], **{"class": "low"})
        submit(site, "admin", **{"class": "urgent"})
        submit(site, **{"class": "high"}, want=403)
        submit(site, parent="nobody", want=404)
        submit(site, id=first.json["id"], want=409)
        site.ask("GET", f"{OPERATIONS}/{first.json['id']}", actor="ann", want=200)
        site.ask("GET", f"{OPERATIONS}/nobody", actor="ann", want=404)
        page = site.ask("GET", f"{OPERATIONS}?lane=agents&status=open&limit=2", actor="ann", want=200).json
        site.ask("GET", f"{OPERATIONS}?after={page['next']}&by=ann&agent=planner", actor="ann", want=200)
        site.ask("GET", f"{OPERATIONS}?parent={first.json['id']}&target=trips/1", actor="ann", want=200)
        site.ask("GET", "/v1/main/lanes", actor="ann", want=200)
        site.ask("GET", LANE, actor="ann", want=200)
        site.ask("GET", "/v1/main/lanes/nowhere", actor="ann", want=404)
        below = submit(site)
        for _ in range(16):
            below = submit(site, parent=below["id"])
        submit(site, parent=below["id"], want=422)


@test
def agents_work(folder):
    with Site(folder) as site:
        site.ask("PUT", LANE, {"width": 10}, want=200)
        one, two, three, four = (submit(site, input={"n": n}) for n in range(4))
        taken = claim(site, max=3, worker="w")
        check([one["id"], two["id"], three["id"]] == [operation["id"] for operation in taken], taken)
        one, two, three = taken
        act(site, one, "progress", with_lease(one, percent=40, message="looking", estimated_s=3), want=200)
        site.ask("GET", f"{OPERATIONS}/{one['id']}", actor="ann", want=200)
        act(site, one, "progress", {"lease": 7}, want=409)
        act(site, one, "progress", with_lease(one), "ann", want=403)
        act(site, {"id": "nobody"}, "progress", {"lease": 7}, want=404)
        site.put("trips/1", {"n": 1})
        site.put("trips/1", {"n": 2}, 1)
        put = {"op": "put", "type": "trips", "id": "1", "data": {"n": 3}}
        refused = act(site, one, "complete", with_lease(one, mutations=[{**put, "base_version": 1}]), want=409)
        check(refused.json["retry"]["retries"] == 1 and refused.json["conflicts"][0]["current"] == {"n": 2}, refused)
        act(site, one, "complete", with_lease(one, mutations=[put]), want=428)
        act(site, one, "complete", with_lease(one, mutations=[{"op": "patch", "type": "trips", "id": "9", "patch": {}}]), want=404)
        act(site, one, "complete", with_lease(one, mutations=[{"op": "create", "type": "stet.lock", "id": "1", "data": {}}]), want=403)
        site.declare("tight", {"fields": {"/n": {"maximum": 5}}})
        act(site, one, "complete", with_lease(one, mutations=[{"op": "create", "type": "tight", "id": "1", "data": {"n": 6}}]), want=422)
        done = with_lease(one, result={"days": 3}, mutations=[{**put, "base_version": 2}], claim_next=True, bind=True)
        completed = act(site, one, "complete", done, want=200).json
        check(completed["next"]["id"] == four["id"], completed)
        act(site, one, "complete", with_lease(one, result={"days": 3}, mutations=[{**put, "base_version": 2}]))
        act(site, one, "complete", {"lease": 7}, want=409)
        act(site, two, "release", with_lease(two), want=200)
        act(site, two, "release", with_lease(two), want=409)
        act(site, {"id": "nobody"}, "release", {"lease": 1}, want=404)
        act(site, three, "release", with_lease(three), "ann", want=403)
        act(site, three, "fail", with_lease(three), "ann", want=403)
        act(site, three, "fail", with_lease(three, error="No flights", retry=True), want=200)
        act(site, three, "fail", with_lease(three), want=409)
        act(site, {"id": "nobody"}, "fail", {"lease": 1}, want=404)
        two = claim(site)[0]
        act(site, two, "cancel", {"reason": "No longer needed"}, "ann", want=200)
        check(act(site, two, "progress", with_lease(two), want=200).json["cancel"], two)
        act(site, two, "cancel", None, "ann", want=409)
        act(site, {"id": "nobody"}, "cancel", None, "ann", want=404)
        act(site, two, "retry", None, "ann", want=200)
        act(site, two, "retry", {}, "ann", want=409)
        act(site, {"id": "nobody"}, "retry", None, "ann", want=404)
        site.ask("POST", f"{LANE}/claim", {"agent": "planner", "hands": 100, "batch": 2, "wait_s": 1}, "bob", want=200)
        site.ask("POST", "/v1/main/lanes/idle/claim", {"agent": "planner"}, "bob", want=200)


@test
def lanes_have_settings(folder):
    with Site(folder) as site:
        site.ask("PUT", LANE, {"width": 2, "fair": "actor", "max_queued": 1}, want=200)
        site.ask("PUT", LANE, {"age_s": 60}, If_Match='"1"', Prefer="return=representation", want=200)
        site.ask("PUT", LANE, {"age_s": None}, If_Match='"1"', want=412)
        site.ask("PUT", LANE, {}, If_None_Match="*", want=412)
        site.ask("PUT", f"{LANE}?base_version=1", {}, want=409)
        site.ask("PUT", LANE, {"base_version": 2, "data": {"timeout_s": 60}}, media=STET, Prefer="return=minimal", want=204)
        site.ask("PUT", LANE, {"width": 1}, "ann", want=403)
        one = submit(site)
        answer = site.ask("POST", OPERATIONS, {"lane": "agents"}, "ann", want=429)
        check(int(answer.headers["retry-after"]) == answer.json["retry_after"], answer)
        act(site, one, "cancel", None, "ann", want=200)
        for verb in ("pause", "resume", "drain"):
            site.ask("POST", f"{LANE}/{verb}", {}, want=200)
            site.ask("POST", f"{LANE}/{verb}", None, "ann", want=403)
            site.ask("POST", f"/v1/main/lanes/nowhere/{verb}", None, want=404)


@test
def a_web_page_watches_its_operation(folder):
    with Site(folder) as site:
        submit(site)
        second = submit(site)
        site.ask("GET", "/v1/main/changes?since=0&events=operation", actor="ann", want=200)
        body = read_stream(site, f"since=0&id=stet.operation/{second['id']}", b'"position":2')
        check("event: operation" in body and "event: queue" in body, body)


# ---- Functions, handlers, settings -----------------------------------------------------------

def walk_definition(site, at, one, other, bad, made=201):
    """What is declared by name is declared, changed and removed in the same way."""
    first = site.ask("PUT", at, one, want=made)
    site.ask("PUT", at, other, want=428)
    site.ask("PUT", f"{at}?base_version={first.json['version']}", bad, want=422)
    site.ask("PUT", at, other, If_Match=first.etag, Prefer="return=representation", want=200)
    site.ask("PUT", at, one, If_Match=first.etag, want=412)
    site.ask("PUT", at, one, If_None_Match="*", want=412)
    site.ask("PUT", f"{at}?base_version={first.json['version']}", one, want=409)
    version = site.ask("GET", at, want=200).json["version"]
    site.ask("PUT", at, {"base_version": version, "data": one}, media=STET, Prefer="return=minimal", want=204)
    site.ask("PUT", f"{at}?dry_run=1&base_version={version + 1}", other, want=200)
    return version + 1


def remove_definition(site, at, version):
    site.ask("DELETE", at, want=428)
    site.ask("DELETE", f"{at}?base_version=1", want=409)
    site.ask("DELETE", at, If_Match='"1"', want=412)
    site.put("keys/1", {}, client_mutation_id="used", want=201)
    site.ask("DELETE", f"{at}?base_version={version}", Idempotency_Key="other", want=200)
    site.ask("DELETE", f"{at}x", Idempotency_Key="other", want=422)
    site.ask("DELETE", at, want=404)
    site.ask("GET", at, want=404)


@test
def handlers_are_declared(folder):
    with Site(folder) as site:
        at = "/v1/main/handlers"
        one = {"on": ["create"], "type": "tasks", "where": "n > 1", "agent": "greeter", "class": "low", "lane": "agents"}
        hook = {"on": ["update", "delete"], "webhook": {"url": "http://127.0.0.1:9/", "secret": "s", "headers": {"X-A": "b"}}, "paused": True}
        version = walk_definition(site, f"{at}/welcome", one, hook, {"on": ["dawn"]})
        site.ask("PUT", f"{at}/hook", hook, Prefer="return=minimal", want=201)
        site.ask("GET", at, actor="ann", want=200)
        site.ask("PUT", f"{at}/fresh?dry_run=1", one, want=201)
        remove_definition(site, f"{at}/welcome", version)
        site.ask("DELETE", f"{at}/hook", {"base_version": 1}, Prefer="return=minimal", want=204)


@test
def functions_are_declared_and_called(folder):
    with Site(folder) as site:
        at = "/v1/main/functions"
        one = {"source": "return input"}
        other = {"source": "log('hello') put('counters', '1', {n = 1}) return 2", "description": "Counts", "class": "low"}
        version = walk_definition(site, f"{at}/count", one, other, {"source": "return ("})
        etag = site.ask("GET", f"{at}/count", want=200).etag
        site.ask("GET", f"{at}/count", If_None_Match=etag, want=304)
        site.ask("GET", at, actor="ann", want=200)
        site.ask("PUT", f"{at}?dry_run=1", {"functions": {"f": one}}, want=200)
        site.ask("PUT", at, {"functions": {"f": one, "fails": {"source": "error('no')"}, "count": other}, "client_mutation_id": "a"}, want=200)
        site.ask("PUT", at, {"functions": {"f": one}}, Prefer="return=minimal", want=204)
        site.ask("PUT", at, {"functions": {"f": {"source": "return ("}}}, want=422)
        check(site.ask("POST", f"{at}/f", {"a": [1]}, "ann", want=200).json["result"] == {"a": [1]})
        site.ask("POST", f"{at}/f", None, "ann", want=200)
        site.ask("POST", f"{at}/count?dry_run=1", None, "ann", want=200)
        for _ in range(2):
            site.ask("POST", f"{at}/count", {"input": 7}, "ann", STET, Idempotency_Key="k", want=200)
        site.ask("GET", f"{R}/counters/1/history", want=200)
        site.ask("POST", f"{at}/fails?class=low", None, "ann", want=422)
        site.ask("POST", f"{at}/none", None, "ann", want=404)
        site.ask("POST", f"{at}/f?async=1&lane=agents", 7, "ann", want=202)
        site.ask("POST", f"{at}/f", {"async": True, "input": 7}, "ann", STET, want=202)
        site.ask("POST", f"{at}/f?lane=agents", None, "ann", want=400)
        site.ask("PUT", "/v1/main/lanes/full", {"max_queued": 1, "paused": True}, want=200)
        submit(site, lane="full")
        site.ask("POST", f"{at}/f?async=1&lane=full", 7, "ann", want=429)
        site.declare("tight", {"unique": ["/u"]})
        site.put("tight/1", {"u": 1}, want=201)
        site.ask("PUT", f"{at}/taken", {"source": "put('tight', '2', {u = 1})"}, want=201)
        site.ask("POST", f"{at}/taken", None, "ann", want=409)
        version = site.ask("GET", f"{at}/count", want=200).json["version"]
        remove_definition(site, f"{at}/count", version)
        site.ask("PUT", f"{at}?prune=1", {"functions": {"f": one}}, want=200)
        site.ask("DELETE", f"{at}/f", {"base_version": 1}, Prefer="return=minimal", want=204)


@test
def settings_say_when_to_raise_an_alert(folder):
    with Site(folder) as site:
        at = "/v1/main/settings"
        deep = {"alerts": {"deep": {"measure": "queue_depth", "lane": "agents", "above": 0}}}
        hook = {"alerts": {"fights": {"measure": "conflict_rate", "above": 0.5, "for_s": 600, "severity": "critical",
                                      "webhook": {"url": "http://127.0.0.1:9/", "secret": "s"}}}}
        check(site.ask("GET", at, actor="ann", want=200).json["version"] == 0)
        site.ask("PUT", f"{at}?dry_run=1", deep, want=201)
        version = walk_definition(site, at, deep, hook, {"colour": 1})
        etag = site.ask("GET", at, want=200).etag
        site.ask("GET", at, If_None_Match=etag, want=304)
        submit(site)
        wait_for(lambda: site.ask("GET", "/v1/main/alerts", actor="ann", want=200).json["alerts"], "an alert")
        site.ask("PUT", f"{at}?base_version={version}", {}, Prefer="return=minimal", want=204)
        wait_for(lambda: site.ask("GET", "/v1/main/alerts?state=resolved", actor="ann", want=200).json["alerts"],
                 "an alert that is over")
        site.ask("GET", "/v1/main/alerts?state=any&limit=1&after=0", actor="ann", want=200)
        site.ask("GET", "/v1/main/alerts?state=perhaps", actor="ann", want=400)
        site.ask("PUT", "/v1/other", want=201)
        site.ask("PUT", "/v1/other/settings", deep, Prefer="return=minimal", want=201)


@test
def who_writes_too_fast_must_wait(folder):
    with Site(folder) as site:
        site.declare("deals", {"on_conflict": "ask"})
        site.declare("events", {"exclusive": {
            "resource": "/room", "start": "/start", "end": "/end", "tz": "Europe/Berlin",
            "recurrence": {"rrule": "/rrule", "exdate": "/exdate", "series": "/series", "original_start": "/original_start"}}})
        site.put("events/w", {"room": "red", "start": "2026-03-02T09:00", "end": "2026-03-02T10:00", "rrule": "FREQ=WEEKLY;COUNT=9"}, want=201)
        site.ask("PUT", "/v1/main/functions/f", {"source": "put('counters', '1', {n = 1})"}, want=201)
        site.ask("PUT", LANE, {"width": 10}, want=200)
        for name in ("a", "b", "c"):
            site.put(f"doc/{name}", {"n": 1}, want=201)
        site.ask("POST", f"{R}/doc/c/fork", {"id": "draft"}, "ann", want=201)
        site.put("doc/draft", {"n": 2}, 1, want=200)
        version = site.ask("GET", f"{R}/doc/a/tree", want=200).json["tree_version"]
        lost = make_conflict(site, "t/1").json
        parked = make_conflict(site, "deals/1").json["conflict_id"]
        waits = site.ask("GET", f"/v1/main/conflicts/{parked}", actor="bob", want=200).json
        submit(site)
        taken = claim(site)[0]
        site.ask("PUT", "/v1/main/settings", {"limits": {"writes_per_actor": {"rate": 0.01, "burst": 1}}}, want=201)
        site.put("doc/d", {}, want=201)
        site.put("doc/d", {}, actor="bob", want=428)

        create = {"op": "create", "type": "doc", "data": {}}
        asked = [
            ("POST", f"{R}/doc", {}, "ann"), ("PUT", f"{R}/doc/e", {}, "ann"),
            ("PATCH", f"{R}/doc/a?base_version=1", {"patch": {"n": 3}}, "ann"), ("DELETE", f"{R}/doc/a?base_version=1", None, "ann"),
            ("POST", f"{R}/doc/draft/revert", {"to": 1, "base_version": 2}, "ann"),
            ("POST", f"{R}/t/1/resolve", {"resolution_token": lost["resolution_token"], "choice": "yours", "yours": lost["yours"]}, "ann"),
            ("PUT", f"{R}/doc/a/tree", {"tree_version": version, "tree": {"data": {"n": 5}}}, "ann"),
            ("DELETE", f"{R}/doc/a/tree?tree_version={version}", None, "ann"),
            ("POST", f"{R}/doc/b/move", {"parent": "doc/a", "base_version": 1}, "ann"),
            ("POST", f"{R}/doc/c/fork", {"id": "more"}, "ann"), ("POST", f"{R}/doc/draft/merge", {"base_version": 1}, "ann"),
            ("POST", "/v1/main/calendar/events/w/series", {"scope": "all", "base_version": 1, "delete": True}, "ann"),
            ("POST", "/v1/main/transactions", {"mutations": [create, create]}, "ann"),
            ("POST", f"{OPERATIONS}/{taken['id']}/complete", with_lease(taken, mutations=[create]), "bob"),
            ("POST", "/v1/main/functions/f", None, "ann"),
            ("POST", f"/v1/main/conflicts/{parked}/resolve", {"choice": "yours", "resolution_token": waits["resolution_token"]}, "bob"),
        ]
        for method, target, body, actor in asked:
            media = STET if method == "PATCH" else None
            refused = site.ask(method, target, body, actor, media, want=429)
            check(refused.json["code"] == "TOO_MANY_REQUESTS" and refused.json["field"] == "writes_per_actor", refused)
            check(1 <= refused.json["retry_after"] <= 100 and refused.headers["retry-after"] == str(refused.json["retry_after"]), refused)
            # Administrators are not bound; what they do may well be refused for another reason.
            check(site.ask(method, target + ("&" if "?" in target else "?") + "dry_run=1", body, "admin", media).status != 429, target)
        said = site.ask("GET", "/v1/main/stats", want=200).json["limits"]
        check(said == {"writes_per_actor": {"rate": 0.01, "burst": 1}}, said)


@test
def a_space_holds_no_more_than_it_may(folder):
    with Site(folder) as site:
        site.put("doc/a", {"n": 1}, want=201)
        version = site.ask("PUT", "/v1/main/settings", {"limits": {"records": 2}}, want=201).json["version"]
        site.put("doc/b", {"n": 1}, want=201)
        for actor in ("ann", "admin"):
            full = site.put("doc/c", {"n": 1}, actor=actor, want=507)
            check((full.json["code"], full.json["field"], full.json["limit"]) == ("QUOTA_EXCEEDED", "records", 2), full)
        lines = "".join(json.dumps({"type": "doc", "id": name, "data": {"n": 1}}) + "\n" for name in ("a", "c"))
        told = site.ask("POST", "/v1/main/import", lines, "admin", NDJSON, want=200).json
        check(told["unchanged"] == 1 and [error["code"] for error in told["errors"]] == ["QUOTA_EXCEEDED"], told)
        check(site.ask("GET", "/v1/main/stats", want=200).json["limits"] == {"records": {"used": 2, "limit": 2}})
        site.put("doc/a", {"n": 2}, 1, want=200)
        site.ask("DELETE", f"{R}/doc/b?base_version=1", None, "ann", want=200)
        site.put("doc/c", {"n": 1}, want=201)

        bytes_now = {"limits": {"bytes": 1}}
        version = site.ask("PUT", f"/v1/main/settings?base_version={version}", bytes_now, want=200).json["version"]
        used = site.ask("GET", "/v1/main/stats", want=200).json["limits"]["bytes"]["used"]
        check(used >= 4096 and used % 4096 == 0, used)
        full = site.put("doc/c", {"n": 2}, 1, want=507)
        check((full.json["field"], full.json["limit"]) == ("bytes", 1), full)
        submit(site, want=507)
        site.ask("POST", f"{R}/doc/c/purge", {"reason": "room"}, "admin", want=200)
        metrics = site.ask("GET", "/metrics", want=200).body.decode()
        check('stet_quota_limit{space="main",limit="bytes"} 1\n' in metrics, metrics)
        check('stet_quota_refusals_total{space="main",limit="records"} 3\n' in metrics, metrics)
        # More than is used: there is room again, up to that.
        site.ask("PUT", f"/v1/main/settings?base_version={version}", {"limits": {"bytes": used + 200000}}, want=200)
        large = {"text": "x" * 50000}
        written = [site.put(f"doc/large{n}", large).status for n in range(6)]
        check(written[:3] == [201] * 3 and written[-1] == 507, written)
        site.stop()
        site.start()
        site.put("doc/large9", large, want=507)


# ---- The feed --------------------------------------------------------------------------------

def read_stream(site, query, until, lines=""):
    """What a stream says up to a text."""
    target = f"/v1/main/changes?{query}"
    with socket.create_connection(("127.0.0.1", site.port), timeout=WAIT_S) as peer:
        peer.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost:{site.port}\r\nAccept: text/event-stream\r\n"
                     f"Authorization: Bearer {site.tokens['ann']}\r\n{lines}\r\n".encode())
        data = b""
        while until not in data:
            part = peer.recv(65536)
            check(part, f"the stream ended before {until!r}: {data!r}")
            data += part
    head, _, body = data.partition(b"\r\n\r\n")
    rows = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (row.partition(":") for row in rows[1:])}
    note("GET", target, ({}, b""), Answer(int(rows[0].split()[1]), headers, body))
    return body.decode()


@test
def the_feed_tells_what_happens(folder):
    with Site(folder) as site:
        site.put("t/1", {"n": 1})
        site.put("t/1", {"n": 2}, 1)
        site.ask("DELETE", f"{R}/t/1?base_version=2", want=200)
        page = site.ask("GET", "/v1/main/changes?since=0&limit=1", want=200).json
        site.ask("GET", f"/v1/main/changes?since={page['next']}&wait_s=1&type=t&id=t/1&where=n%3D1", want=200)
        site.ask("GET", "/v1/main/changes?since=999999", want=200)
        site.ask("GET", "/v1/main/changes", Accept="text/html", want=406)
        shake = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec_WebSocket_Key": "x" * 22 + "==", "Sec_WebSocket_Version": "13"}
        site.ask("GET", "/v1/main/live", want=426)
        site.ask("GET", "/v1/main/live", **{**shake, "Sec_WebSocket_Version": "8"}, want=426)
        site.ask("GET", "/v1/main/live", **shake, want=400)
        site.ask("GET", "/v1/main/live", **shake, Sec_WebSocket_Protocol="stet.v1", Origin="https://evil.example.org", want=403)
        site.ask("GET", "/v1/main/live?ticket=x", actor=None, **shake, Sec_WebSocket_Protocol="stet.v1", want=401)
        site.ask("GET", "/v1/main/live", **shake, Sec_WebSocket_Protocol="stet.v1", want=101)
        site.connection.close()
        site.ask("GET", "/v1/main/changes?" + "&".join(f"type=t{n}" for n in range(65)), want=413)
        body = read_stream(site, "since=0&where=n%3D1", b"event: ready")
        check("event: change" in body and '"left":true' in body and "event: ready" in body, body)
        make_conflict(site, "c/1")
        site.put("c/1", {"n": 9, "m": 1}, 1, "ann", on_conflict="ask", want=202)
        check("event: conflict" in read_stream(site, "since=0&events=conflict", b"event: ready"))
        read_stream(site, "", b"event: ready", "Last-Event-ID: 1\r\n")
        site.declare("short", {"retain": {"versions": 1}})
        for version in range(6):
            site.put("short/1", {"n": version}, version)
        site.stop()  # What is still in memory is still told.
        site.start()
        body = read_stream(site, "since=0&type=short", b"event: ready")
        check("event: reset" in body, body)
        check("reset" in site.ask("GET", "/v1/main/changes?since=0&type=short", want=200).json)


# ---- Failures --------------------------------------------------------------------------------

@test
def what_any_operation_may_answer(folder):
    with Site(folder, "--body-timeout-s", "1") as site:
        head = f"Host: localhost:{site.port}\r\nAuthorization: Bearer {site.tokens['admin']}\r\n"
        check(site.raw("PUT", f"{R}/t/1", head + f"Content-Type: {JSON}\r\nContent-Length: 10\r\n", b"{").status == 408)
        site.ask("GET", f"{R}/t?" + "&".join(f"p{n}=" for n in range(130)), want=413)
        for name in ("held", "damaged"):
            site.ask("PUT", f"/v1/{name}", want=201)
            site.ask("PUT", f"/v1/{name}/records/t/1", {}, want=201)
        site.stop()
        with contextlib.ExitStack() as stack:
            for path in glob.glob(os.path.join(site.data, "spaces", "held*-lock")):
                fcntl.flock(stack.enter_context(open(path, "rb")), fcntl.LOCK_EX)
            for path in glob.glob(os.path.join(site.data, "spaces", "damaged*.db")):
                with open(path, "r+b") as file:
                    file.write(b"\0" * 4096)
            site.start()
            check(site.ask("GET", "/v1/held/records/t/1", want=503).json["code"] == "BUSY")
            site.ask("GET", "/v1/damaged/records/t/1", want=500)


@test
def a_full_disk_is_told(folder):
    if os.environ.get("STET_SANITIZER"):
        print("# not under a sanitizer, which must come before what is preloaded")
        failures.add(507)
        return
    full = os.path.join(folder, "full")
    with Site(folder, env={"LD_PRELOAD": FULL_DISK, "FULL_DISK": full}) as site:
        site.put("t/1", {}, want=201)
        with open(full, "wb"):
            pass
        site.put("t/2", {}, want=507)
        os.remove(full)
        site.put("t/2", {}, want=201)


@test
def every_documented_answer_was_given(folder):
    documented = {(operation.id, status) for operation in contract.operations for status in operation.responses}
    missing = sorted(documented - given)
    check(not missing, f"never produced: {missing}")
    check(failures == contract.failures, f"documented as `default`: {contract.failures}, given: {failures}")


main()
