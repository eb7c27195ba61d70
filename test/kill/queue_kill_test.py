#!/usr/bin/env python3
"""Kills the server and its agents with SIGKILL while operations are queued and done, and audits what came of them.

    queue_kill_test.py PROGRAM [SEED [OPERATIONS]]      1,000 operations, unless it says otherwise

Clients queue operations of several classes, each under an id and with a mutation key, in two lanes: "strict" is one wide and "pool" four.
Agents in processes of their own (queue_agent.py) claim them, in one lane with leases that time out, in the other with leases that end
with the connection, and complete each with two changes: one more in a counter that all share, and a record for the operation. All the
while the server or an agent is killed at random and started again. What was rejected, because others were in the way too often, is
queued again. When all is done:

  1. none is lost: every operation that was acknowledged is completed;
  2. none was done twice: it has one record, in one version, and the counter's history names each exactly once;
  3. inside each class of the strict lane they were first started in the order in which they were queued, and never two at a time;
  4. both lanes are empty;
  5. the server's own check finds nothing.
"""
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import uuid

from kill_test import BROKEN, PATIENCE_S, PROGRAM, SEED, SLOW, Connection, Failed, Server, check

OPERATIONS = int(sys.argv[3]) if len(sys.argv) > 3 else 1000
SERVER_KILLS = 4 + OPERATIONS // 250
AGENT_KILLS = 8 + OPERATIONS // 100
SUBMITTERS = 2
# Lane, agent's name, how it holds its leases, and how many of it there are.
POOLS = (("strict", "clerk", "bind", 2), ("pool", "crew", "lease", 4))
LANES = ("strict", "pool", "pool")
CLASSES = ("low", "normal", "normal", "normal", "high")
ENDED = ("completed", "failed", "rejected", "cancelled", "expired")
TIMEOUT_S = (120 + OPERATIONS / 5) * SLOW


def insist(server, actor, method, path, body=None, key=None, state=None):
    """Until there is an answer that is not "later", whatever happens to the server. state: keeps the connection."""
    state = {} if state is None else state
    end = time.monotonic() + TIMEOUT_S
    while time.monotonic() < end:
        try:
            if state.get("port") != server.port:
                state["connection"], state["port"] = Connection(server.port, actor), server.port
            status, answer, _ = state["connection"].call(method, path, body, key=key)
            if status != 503:
                return status, answer
        except BROKEN:
            state["port"] = None
        time.sleep(0.01)
    raise Failed(f"{method} {path} got no answer")


class Submitter(threading.Thread):
    def __init__(self, server, name, count, seed):
        super().__init__()
        self.server, self.name_, self.count = server, name, count
        self.random = random.Random(seed)
        self.told = []  # (id, lane, class)
        self.trouble = None

    def run(self):
        state = {}
        try:
            for number in range(self.count):
                name = str(uuid.UUID(int=self.random.getrandbits(128), version=4))
                lane, class_ = self.random.choice(LANES), self.random.choice(CLASSES)
                body = {"id": name, "lane": lane, "class": class_, "input": {"number": number, "by": self.name_}}
                status, answer = insist(self.server, self.name_, "POST", "/v1/main/operations", body,
                                        f"{self.name_}-{number}", state)
                check(status in (200, 201, 202) and answer["id"] == name, f"a submission was answered {status}: {answer}")
                self.told.append((name, lane, class_))
        except Exception as failure:  # Told by the one who waits for it.
            self.trouble = failure


class Agents:
    """The processes; each place is filled again after a kill."""

    def __init__(self, server, folder, choices):
        self.server, self.folder, self.choices = server, folder, choices
        self.places = [(lane, agent, f"{agent}-{number}", hold) for lane, agent, hold, count in POOLS
                       for number in range(count)]
        self.processes = [None] * len(self.places)
        self.logs = [os.path.join(folder, place[2] + ".log") for place in self.places]

    def start(self, place):
        lane, agent, worker, hold = self.places[place]
        with open(self.logs[place], "ab") as log:
            self.processes[place] = subprocess.Popen(
                [sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "queue_agent.py"),
                 self.server.url_file, lane, agent, worker, hold, str(self.choices.getrandbits(32))], stdout=log, stderr=log)

    def start_all(self):
        for place in range(len(self.places)):
            self.start(place)

    def kill_one(self):
        place = self.choices.randrange(len(self.places))
        self.processes[place].kill()
        self.processes[place].wait()
        self.start(place)

    def check(self):
        """None may end by itself."""
        for place, process in enumerate(self.processes):
            if process.poll() is not None:
                with open(self.logs[place], encoding="utf-8") as log:
                    raise Failed(f"agent {self.places[place][2]} ended with {process.returncode}: {log.read()[-2000:]}")

    def end(self):
        for process in self.processes:
            if process is not None:
                process.kill()
                process.wait()


def feed(server, kind):
    """All versions of all records of a type, in order."""
    since, state = 0, {}
    while True:
        status, page = insist(server, "auditor", "GET", f"/v1/main/changes?since={since}&type={kind}&limit=500", state=state)
        check(status == 200, f"the feed was answered {status}: {page}")
        yield from page["changes"]
        if not page["changes"]:
            return
        since = page["next"]


def open_operations(server, lane):
    status, answer = insist(server, "auditor", "GET", f"/v1/main/lanes/{lane}")
    check(status == 200, f"lane {lane} was answered {status}: {answer}")
    return sum(answer["queued"].values()) + answer["running"]


def queue_rejected_again(server):
    """True: there were any."""
    again = 0
    for ended in ("rejected", "failed"):
        status, answer = insist(server, "auditor", "GET", f"/v1/main/operations?status={ended}&limit=100")
        check(status == 200, f"the list was answered {status}: {answer}")
        for operation in answer["operations"]:
            status, said = insist(server, "auditor", "POST", f"/v1/main/operations/{operation['id']}/retry")
            check(status == 200 or said["code"] == "OPERATION_STATUS", f"a retry was answered {status}: {said}")
            again += 1
    return again


def is_over(server):
    return all(open_operations(server, pool[0]) == 0 for pool in POOLS) and queue_rejected_again(server) == 0


def check_effects(server, told):
    wanted = {name for name, _, _ in told}
    last, ended = {}, {}
    for change in feed(server, "stet.operation"):
        name = change["operation"]["id"]
        last[name] = change["operation"]["status"]
        if change["event"] == "OperationCompleted":
            ended[name] = ended.get(name, 0) + 1
    check(set(last) == wanted, f"{len(wanted - set(last))} operations are lost, {len(set(last) - wanted)} were not asked for")
    open_ones = [name for name in wanted if last[name] != "completed"]
    check(not open_ones, f"{len(open_ones)} are not completed, e.g. {open_ones[:3]}: {[last[name] for name in open_ones[:3]]}")
    check(all(count == 1 for count in ended.values()), "an operation was completed more than once")
    done = [change["record"] for change in feed(server, "done")]
    check(sorted(record["id"] for record in done) == sorted(wanted), "not every operation left exactly one record")
    check(all(record["version"] == 1 for record in done), "a record was written twice")
    counts = [change["record"]["data"] for change in feed(server, "counters")]
    check([data["n"] for data in counts] == list(range(len(wanted) + 1)), "the counter did not go up one by one")
    check(sorted(data["by"] for data in counts[1:]) == sorted(wanted), "the counter does not name each operation once")


def check_order(server):
    """Of the strict lane: first starts in the order of queueing, class by class, and one at a time."""
    queued, started, running, most = {}, set(), set(), 0
    again = set()
    for change in feed(server, "stet.operation"):
        data = change["operation"]
        name = data["id"]
        if data["lane"] != "strict":
            continue
        if data["status"] == "running":
            running.add(name)
        else:
            running.discard(name)
        most = max(most, len(running))
        if data["status"] in ("rejected", "failed"):
            again.add(name)  # It is queued again at the end.
        if data["version"] == 1:
            queued.setdefault(data["class"], []).append(name)
        if data["status"] == "running" and name not in started:
            started.add(name)
            waiting = queued[data["class"]]
            check(waiting[0] == name, f"{name} of class {data['class']} was started before {waiting[0]}")
            waiting.pop(0)
    check(most == 1, f"{most} were at work at a time")
    check(not any(queued.values()), "some were never started")
    return len(started), len(again)


def run(folder):
    choices = random.Random(SEED)
    server = Server(folder)
    server.start()
    agents = Agents(server, folder, choices)
    kills = {"server": 0, "agent": 0}
    try:
        for body in ({"width": 1, "age_s": 86400}, {"width": 4, "age_s": 86400}):
            lane = POOLS[0 if body["width"] == 1 else 1][0]
            limits = {"max_queued": OPERATIONS + 1, "max_queued_per_actor": OPERATIONS + 1}
            status, answer = insist(server, "auditor", "PUT", f"/v1/main/lanes/{lane}", body | limits)
            check(status in (200, 201), f"lane {lane} was answered {status}: {answer}")
        status, answer = insist(server, "auditor", "PUT", "/v1/main/records/counters/all", {"n": 0})
        check(status == 201, f"the counter was answered {status}: {answer}")
        submitters = [Submitter(server, f"client-{number}", OPERATIONS // SUBMITTERS, choices.getrandbits(64))
                      for number in range(SUBMITTERS)]
        agents.start_all()
        for submitter in submitters:
            submitter.start()
        plan = ["server"] * SERVER_KILLS + ["agent"] * AGENT_KILLS
        choices.shuffle(plan)
        for victim in plan:
            time.sleep(choices.random() * 0.2 * SLOW)
            agents.check()
            kills[victim] += 1
            if victim == "server":
                server.kill()
                server.start()
            else:
                agents.kill_one()
        for submitter in submitters:
            submitter.join()
            if submitter.trouble:
                raise submitter.trouble
        end = time.monotonic() + TIMEOUT_S
        while not is_over(server):
            agents.check()
            check(time.monotonic() < end, f"{open_operations(server, 'strict')} and {open_operations(server, 'pool')} "
                                          "operations are still open")
            time.sleep(0.05)
        agents.end()
        told = [each for submitter in submitters for each in submitter.told]
        check_effects(server, told)
        started, again = check_order(server)
        server.kill()
        checked = subprocess.run([PROGRAM, "check", "--data", server.data], capture_output=True, text=True, check=False,
                                 timeout=PATIENCE_S)
        check(checked.returncode == 0, f"stet check: {checked.stdout} {checked.stderr}")
        print(f"ok - {len(told)} operations took effect once each, {kills['server']} kills of the server and {kills['agent']} "
              f"of agents; {started} started in order, {again} of them queued again", flush=True)
    finally:
        agents.end()
        if server.process.poll() is None:
            server.kill()


def main():
    started = time.monotonic()
    print(f"# seed {SEED}, {OPERATIONS} operations", flush=True)
    folder = tempfile.mkdtemp(prefix="stet-queue-kill-")
    try:
        run(folder)
    except (Failed, subprocess.TimeoutExpired, *BROKEN) as failure:
        print(f"not ok - {failure!r}", flush=True)
        for line in traceback.format_exc().splitlines():
            print(f"# {line}", flush=True)
        print(f"# seed {SEED}; the data is kept in {folder}", flush=True)
        sys.exit(1)
    shutil.rmtree(folder)
    print(f"# {time.monotonic() - started:.0f} s", flush=True)


main()
