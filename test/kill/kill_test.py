#!/usr/bin/env python3
"""Kills the server with SIGKILL while several clients write, and audits what they were told.

    kill_test.py PROGRAM [SEED]      STET_KILL_ROUNDS=N (10), STET_KILL_CLIENTS=N (6)

In each round the clients write to records of a type of their own, some shared, so that writes also conflict: creations,
conditional PUTs, merge patches, deletions and transactions, each with a mutation key; they count in records whose type adds
up stale writes, and have stale writes wait for a person. At a random moment the server is killed, sometimes again while it
recovers. After the restart:

  1. every acknowledged write is in the history, with the version and the data its writer was told;
  2. the versions of every record follow one another from 1 on;
  3. a write nobody heard about is there whole or not at all;
  4. repeated with its key it takes effect exactly once, or is refused and then not at all;
  5. a counter rose by one with each version, whatever its writers had seen;
  6. what was told to wait waits, once, and nothing else does;
  7. the server's own check finds nothing.

Every 50 rounds, and at the end, all of them are audited once more, and a fresh directory is begun. The seed is printed;
timing is the machine's, so it repeats the choices, not the instant of a kill.
"""
import http.client
import json
import os
import random
import signal
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import traceback

PROGRAM = os.path.abspath(sys.argv[1])
SEED = int(sys.argv[2]) if len(sys.argv) > 2 else int.from_bytes(os.urandom(4), "big")
ROUNDS = int(os.environ.get("STET_KILL_ROUNDS", "10"))
CLIENTS = int(os.environ.get("STET_KILL_CLIENTS", "6"))
SLOW = 5 if os.environ.get("STET_SANITIZER") else 1
PATIENCE_S = 60 * SLOW  # How long an answer may take on a busy machine.
DIRECTORY_ROUNDS = 50   # The check of a whole directory grows with it.
SHARED = 6  # Records all clients of a round write to.
OWN = 4     # Records of one client.
COUNTERS = 2
CLAIMS = 12 # Records whose stale writes wait.

BROKEN = (OSError, http.client.HTTPException, ValueError)


class Failed(Exception):
    pass


def check(condition, words):
    if not condition:
        raise Failed(words)


class Server:
    def __init__(self, folder):
        self.data = os.path.join(folder, "data")
        self.url_file = os.path.join(folder, "url")
        self.log = os.path.join(folder, "log")
        self.process = None
        self.port = 0

    def spawn(self):
        if os.path.exists(self.url_file):
            os.remove(self.url_file)
        clean = {key: text for key, text in os.environ.items() if not key.startswith("STET_")}
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [PROGRAM, "serve", "--data", self.data, "--listen", "127.0.0.1:0", "--no-auth", "--url-file",
                 self.url_file, "--log-level", "warn"], stdout=log, stderr=log, env=clean)

    def start(self):
        self.spawn()
        end = time.monotonic() + PATIENCE_S
        while not os.path.exists(self.url_file):
            check(self.process.poll() is None, f"the server ended with {self.process.returncode}; {self.tail()}")
            check(time.monotonic() < end, "the server does not start")
            time.sleep(0.005)
        with open(self.url_file, encoding="utf-8") as file:
            self.port = int(file.read().rsplit(":", 1)[1])

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def tail(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()[-2000:]


class Connection:
    def __init__(self, port, actor):
        self.http = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        self.actor = actor

    def call(self, method, path, body=None, kind="application/json", key=None):
        headers = {"Stet-Actor": self.actor}
        if body is not None:
            headers["Content-Type"] = kind
        if key is not None:
            headers["Idempotency-Key"] = key
        self.http.request(method, path, body=None if body is None else json.dumps(body), headers=headers)
        answer = self.http.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text else {}, dict(answer.getheaders())


class Write:
    """One write as it was sent: enough to send it again, and to know what it was to do."""

    def __init__(self, actor, key, method, path, body, kind, addresses):
        self.actor, self.key, self.method, self.path = actor, key, method, path
        self.body, self.kind, self.addresses = body, kind, addresses
        self.told = None  # [(address, version, data)] once acknowledged.
        self.conflict = None  # Its id, once told to wait.

    def send(self, connection):
        return connection.call(self.method, self.path, self.body, self.kind, self.key)

    def heard(self, answer):
        records = answer["results"] if "results" in answer else [answer]
        self.told = [(f"{record['type']}/{record['id']}", record["version"], record.get("data")) for record in records]
        self.unchanged = answer.get("unchanged", False)


class Client(threading.Thread):
    """Writes until the connection breaks. Knows the versions of its records by what it was told."""

    def __init__(self, server, kind, name, seed):
        super().__init__()
        self.server, self.kind, self.name_, self.random = server, kind, name, random.Random(seed)
        self.known = {}
        self.seen = {}  # Of counters and claims: (version, data), which grows old.
        self.sent = []
        self.waiting = []
        self.pending = None
        self.trouble = None
        self.conflicts = 0
        self.count = 0

    def pick(self):
        if self.random.random() < 0.3:
            return f"shared-{self.random.randrange(SHARED)}"
        return f"{self.name_}-{self.random.randrange(OWN)}"

    def data(self):
        return {"by": self.name_, "n": self.count, "pad": "x" * self.random.choice((0, 40, 400, 4000))}

    def mutation(self, name):
        base = self.known.get(name)
        if base is None:
            return {"op": "create", "type": self.kind, "id": name, "data": self.data()}
        return {"op": "put", "type": self.kind, "id": name, "base_version": base, "data": self.data()}

    def settled(self, key, connection):
        """A write that is settled by its type, however stale it is."""
        counts = self.random.random() < 0.6
        address = (f"{self.kind}-hits/{self.random.randrange(COUNTERS)}" if counts
                   else f"{self.kind}-claims/{self.random.randrange(CLAIMS)}")
        if address not in self.seen or self.random.random() < 0.3:
            status, answer, _ = connection.call("GET", f"/v1/main/records/{address}")
            check(status == 200, f"{address} was answered {status}: {answer}")
            self.seen[address] = answer["version"], answer["data"]
        version, data = self.seen[address]
        body = {"n": data["n"] + 1} if counts else {"n": 0, "by": f"{self.name_}-{self.count}"}
        return Write(self.name_, key, "PUT", f"/v1/main/records/{address}?base_version={version}", body,
                     "application/json", [address])

    def make(self, connection):
        self.count += 1
        key = f"{self.kind}-{self.name_}-{self.count}"
        if self.random.random() < 0.25:
            return self.settled(key, connection)
        if self.random.random() < 0.25:
            names = sorted({self.pick() for _ in range(self.random.randint(2, 5))})
            body = {"mutations": [self.mutation(name) for name in names]}
            return Write(self.name_, key, "POST", "/v1/main/transactions", body, "application/json",
                         [f"{self.kind}/{name}" for name in names])
        name = self.pick()
        path = f"/v1/main/records/{self.kind}/{name}"
        base = self.known.get(name)
        address = [f"{self.kind}/{name}"]
        if base is None:
            return Write(self.name_, key, "PUT", path, self.data(), "application/json", address)
        path += f"?base_version={base}"
        choice = self.random.random()
        if choice < 0.05:
            return Write(self.name_, key, "DELETE", path, None, None, address)
        if choice < 0.4:
            return Write(self.name_, key, "PATCH", path, {"n": self.count, "by": self.name_},
                         "application/merge-patch+json", address)
        return Write(self.name_, key, "PUT", path, self.data(), "application/json", address)

    def look_again(self, connection, addresses):
        for address in addresses:
            status, answer, _ = connection.call("GET", f"/v1/main/records/{address}")
            name = address.split("/", 1)[1]
            if status == 200:
                self.known[name] = answer["version"]
            else:
                self.known.pop(name, None)

    def run(self):
        try:
            connection = Connection(self.server.port, self.name_)
            while True:
                self.pending = self.make(connection)
                status, answer, _ = self.pending.send(connection)
                if status == 202:
                    self.pending.conflict = answer["conflict_id"]
                    self.waiting.append(self.pending)
                elif status == 429 and answer.get("code") == "TOO_MANY_CONFLICTS":
                    self.seen.pop(self.pending.addresses[0], None)
                elif status in (200, 201) and "-" in self.pending.addresses[0].split("/")[0]:
                    self.pending.heard(answer)
                    self.sent.append(self.pending)
                elif status in (200, 201):
                    self.pending.heard(answer)
                    self.sent.append(self.pending)
                    for address, version, _ in self.pending.told:
                        self.known[address.split("/", 1)[1]] = version
                    if self.pending.method == "DELETE":
                        self.known.pop(self.pending.addresses[0].split("/", 1)[1], None)
                elif status in (404, 409, 412, 428):
                    check("-hits/" not in self.pending.path, f"{self.pending.path} was answered {status}: {answer}")
                    self.conflicts += 1
                    addresses, self.pending = self.pending.addresses, None
                    self.look_again(connection, addresses)
                else:
                    raise Failed(f"{self.pending.method} {self.pending.path} was answered {status}: {answer}")
                self.pending = None
        except TimeoutError as trouble:  # A killed server closes its connections; this one hung.
            self.trouble = Failed(f"{self.name_} waited {PATIENCE_S} s for an answer: {trouble}")
        except BROKEN:
            pass
        except Exception as trouble:
            self.trouble = trouble


def history(connection, address):
    """{version: change} of a record; {} when it never existed. Checks that versions follow one another from 1."""
    changes, before = {}, ""
    while True:
        status, answer, _ = connection.call("GET", f"/v1/main/records/{address}/history?data=1&limit=1000{before}")
        if status == 404:
            return {}
        check(status == 200, f"the history of {address} was answered {status}: {answer}")
        for change in answer["changes"]:
            check(change["version"] not in changes, f"{address} has version {change['version']} twice")
            changes[change["version"]] = change
        if not answer.get("next"):
            break
        before = f"&before={answer['next']}"
    check(sorted(changes) == list(range(1, len(changes) + 1)), f"{address} has versions {sorted(changes)}")
    return changes


class Audit:
    """The histories of one round's records, read once."""

    def __init__(self, connection):
        self.connection = connection
        self.records = {}

    def of(self, address):
        if address not in self.records:
            self.records[address] = history(self.connection, address)
        return self.records[address]

    def acknowledged(self, write):
        for address, version, data in write.told:
            change = self.of(address).get(version)
            check(change is not None, f"{write.key}: {address}@{version} was acknowledged and is not there")
            if not write.unchanged:
                check(change.get("client_mutation_id") == write.key,
                      f"{address}@{version} is of {change.get('client_mutation_id')}, acknowledged to {write.key}")
            if write.method != "DELETE":
                check(change["data"] == data, f"{address}@{version} holds other data than acknowledged")

    def places(self, write):
        """Where the write took effect: [(address, version, transaction)]."""
        return [(address, version, change["transaction"]) for address in write.addresses
                for version, change in self.of(address).items() if change.get("client_mutation_id") == write.key]

    def whole_or_absent(self, write):
        places = self.places(write)
        check(len(places) in (0, len(write.addresses)), f"{write.key} is there in part: {places}")
        check(len({place[2] for place in places}) <= 1, f"{write.key} is in several transactions: {places}")
        return places


def replay(server, write, found):
    """Sends an unheard write again; says whether it was done before, is done now, or is refused."""
    connection = Connection(server.port, write.actor)
    status, answer, headers = write.send(connection)
    replayed = any(key.lower() == "idempotency-replayed" and text == "true" for key, text in headers.items())
    after = Audit(connection)
    places = after.whole_or_absent(write)
    if found:
        check(status in (200, 201) and replayed, f"{write.key} was done, and its repetition answered {status}: {answer}")
        check(places == found, f"{write.key} was at {found}, after its repetition at {places}")
        return "done before"
    if status == 202:  # Whether it waited before is seen by how many wait.
        check(not places, f"{write.key} waits and is at {places}")
        write.conflict = answer["conflict_id"]
        return "waits"
    if status in (200, 201):
        check(not replayed, f"{write.key} was absent, and its repetition a replay")
        if not answer.get("unchanged"):
            check(places, f"{write.key} was acknowledged and is not there")
        write.heard(answer)
        return "done now"
    check(status in (404, 409, 412, 428, 429), f"{write.key}, repeated, was answered {status}: {answer}")
    check(not places, f"{write.key} was refused and is at {places}")
    return "refused"


def declare(server, kind):
    connection = Connection(server.port, "owner")
    for name, definition, count in (("hits", {"on_conflict": "merge", "fields": {"/n": {"merge": "delta"}}}, COUNTERS),
                                    ("claims", {"on_conflict": "ask"}, CLAIMS)):
        status, answer, _ = connection.call("PUT", f"/v1/main/types/{kind}-{name}", definition)
        check(status in (200, 201), f"the type {name} was answered {status}: {answer}")
        for number in range(count):
            status, answer, _ = connection.call("PUT", f"/v1/main/records/{kind}-{name}/{number}", {"n": 0})
            check(status == 201, f"{name}/{number} was answered {status}: {answer}")


def audit_settled(server, audit, kind, waiting):
    for number in range(COUNTERS):
        changes = audit.of(f"{kind}-hits/{number}")
        for version, change in changes.items():
            check(change["data"]["n"] == version - 1, f"{kind}-hits/{number}@{version} holds {change['data']}")
    kept, after = {}, ""
    while after is not None:
        status, answer, _ = Connection(server.port, "auditor").call(
            "GET", f"/v1/main/conflicts?type={kind}-claims&limit=500{after}")
        check(status == 200, f"the conflicts were answered {status}: {answer}")
        for conflict in answer["conflicts"]:
            key = conflict["writer_mutation_id"]
            check(key not in kept, f"{key} waits twice")
            kept[key] = conflict["id"]
        after = f"&after={answer['next']}" if answer.get("next") else None
    check(kept == {write.key: write.conflict for write in waiting},
          f"{len(kept)} writes wait, {len(waiting)} were told to")


def space_check(server):
    status, answer, _ = Connection(server.port, "auditor").call("GET", "/v1/main/check")
    check(status == 200 and answer.get("ok") is True, f"the check says {status}: {answer}")


def one_round(server, number, choices, totals):
    kind = f"r{number}"
    declare(server, kind)
    clients = [Client(server, kind, f"c{i}", choices.getrandbits(32)) for i in range(CLIENTS)]
    for client in clients:
        client.start()
    time.sleep(choices.choice((0.02, 0.1, 0.5, 1.5)) * choices.random() * SLOW + 0.05)
    server.kill()
    for client in clients:
        client.join()
        if client.trouble:
            raise client.trouble
    if choices.random() < 0.3:
        server.spawn()
        time.sleep(choices.random() * 0.1)
        server.kill()
        totals["killed while recovering"] += 1
    server.start()
    audit = Audit(Connection(server.port, "auditor"))
    heard = [write for client in clients for write in client.sent]
    unheard = [client.pending for client in clients if client.pending]
    for write in heard:
        audit.acknowledged(write)
    found = [audit.whole_or_absent(write) for write in unheard]
    for write, places in zip(unheard, found):
        outcome = replay(server, write, places)
        totals[outcome] += 1
        if write.told:
            heard.append(write)
    waiting = [write for client in clients for write in client.waiting]
    waiting += [write for write in unheard if write.conflict]
    audit_settled(server, Audit(Connection(server.port, "auditor")), kind, waiting)
    space_check(server)
    totals["told to wait"] += len(waiting)
    totals["acknowledged"] += len(heard)
    totals["refused as stale"] += sum(client.conflicts for client in clients)
    return heard


def final_audit(server, heard):
    """Every write of every round once more, after all that came later; then a clean stop."""
    audit = Audit(Connection(server.port, "auditor"))
    for writes in heard:
        audit.records.clear()
        for write in writes:
            audit.acknowledged(write)
    server.process.terminate()
    check(server.process.wait(timeout=PATIENCE_S) == 0, f"the last stop was not clean; {server.tail()}")


def main():
    choices = random.Random(SEED)
    folder = server = None
    totals = dict.fromkeys(("acknowledged", "refused as stale", "done before", "done now", "refused", "waits", "told to wait",
                            "killed while recovering"), 0)
    passed, number = 0, 0
    started = time.monotonic()
    print(f"# seed {SEED}, {ROUNDS} rounds of {CLIENTS} clients", flush=True)
    try:
        while number < ROUNDS:
            folder = tempfile.mkdtemp(prefix="stet-kill-")
            server = Server(folder)
            server.start()
            heard = []
            for number in range(number + 1, min(number + DIRECTORY_ROUNDS, ROUNDS) + 1):
                heard.append(one_round(server, number, choices, totals))
                passed += 1
                if ROUNDS <= 20:
                    print(f"ok - round {number}: {len(heard[-1])} acknowledged writes are there", flush=True)
            final_audit(server, heard)
            passed += 1
            shutil.rmtree(folder)
            print(f"ok - after round {number}, every acknowledged write of each round is there", flush=True)
            if ROUNDS > 20:
                print(f"# {number} kills, {totals['acknowledged']} acknowledged writes, "
                      f"{time.monotonic() - started:.0f} s", flush=True)
        print("# " + ", ".join(f"{count} {words}" for words, count in totals.items())
              + f"; {time.monotonic() - started:.0f} s", flush=True)
        print(f"{passed} passed, 0 failed", flush=True)
    except (Failed, subprocess.TimeoutExpired, *BROKEN) as failure:
        print(f"not ok - round {number}: {failure!r}", flush=True)
        for line in traceback.format_exc().splitlines():
            print(f"# {line}", flush=True)
        print(f"# seed {SEED}; the data is kept in {folder}", flush=True)
        print(f"{passed} passed, 1 failed", flush=True)
        sys.exit(1)
    finally:
        if server and server.process and server.process.poll() is None:
            server.process.kill()
            server.process.wait()


if __name__ == "__main__":
    main()
