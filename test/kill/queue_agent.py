#!/usr/bin/env python3
"""A worker for queue_kill_test.py, which is killed at any moment: takes operations and does each exactly once, or not at all.

    queue_agent.py URL_FILE LANE AGENT WORKER bind|lease SEED

For each operation it adds one to a counter that all share and creates a record of its own for the operation, both in one transaction
with the operation's completion. The server may be killed, too: what has no answer is sent again as it was, until there is one.
"""
import http.client
import json
import random
import sys
import time

URL_FILE, LANE, AGENT, WORKER, HOLD, SEED = sys.argv[1:7]
PATIENCE_S = 60
BROKEN = (OSError, http.client.HTTPException, ValueError)
choices = random.Random(SEED)
connection = None


def connect():
    """To the server there is now: after a kill it listens elsewhere."""
    global connection
    while connection is None:
        try:
            with open(URL_FILE, encoding="utf-8") as file:
                port = int(file.read().rsplit(":", 1)[1])
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
            connection.connect()
        except (OSError, ValueError, IndexError):
            connection = None
            time.sleep(0.01)


def call(method, path, body=None):
    """None: the connection broke, and nobody knows what came of it."""
    global connection
    connect()
    try:
        connection.request(method, "/v1/main" + path, body=None if body is None else json.dumps(body),
                           headers={"Stet-Actor": AGENT, "Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text else {}
    except BROKEN:
        connection.close()
        connection = None
        return None


def insist(method, path, body=None):
    """The same request until it has an answer that is not "later"."""
    while True:
        answer = call(method, path, body)
        if answer is not None and answer[0] != 503:
            return answer
        time.sleep(0.01)


def unexpected(what, status, answer):
    print(f"{what} was answered {status}: {answer}", flush=True)
    sys.exit(1)


def attempt(operation):
    """Reads the counter and completes with what follows from it. False: somebody else was faster."""
    status, counter = insist("GET", "/records/counters/all")
    if status != 200:
        unexpected("the counter", status, counter)
    name = operation["id"]
    body = {"lease": operation["lease"]["token"], "result": {"worker": WORKER}, "mutations": [
        {"op": "put", "type": "counters", "id": "all", "base_version": counter["version"],
         "data": {"n": counter["data"]["n"] + 1, "by": name}},
        {"op": "create", "type": "done", "id": name, "data": {"input": operation["input"], "worker": WORKER}},
    ]}
    status, answer = insist("POST", f"/operations/{name}/complete", body)
    code = answer.get("code")
    if status == 200 or code in ("LEASE_LOST", "OPERATION_FINISHED", "OPERATION_REJECTED", "OPERATION_STATUS"):
        return True
    if code != "CONCURRENT_MODIFICATION":
        unexpected("a completion", status, answer)
    time.sleep(answer["retry"]["delay_ms"] / 1000)
    return False


def work(operation):
    if choices.random() < 0.3:
        said = call("POST", f"/operations/{operation['id']}/progress",
                    {"lease": operation["lease"]["token"], "percent": 50, "message": "half of it"})
        if said is not None and said[0] != 200 and said[1].get("code") not in ("LEASE_LOST", "OPERATION_FINISHED",
                                                                              "OPERATION_STATUS", "BUSY"):
            unexpected("progress", *said)
    while not attempt(operation):
        pass


def main():
    claim = {"agent": AGENT, "worker": WORKER, "hands": 4, "max": 1, "wait_s": 20}
    claim |= {"bind": True} if HOLD == "bind" else {"ttl_s": 2}
    while True:
        answer = call("POST", f"/lanes/{LANE}/claim", claim)
        if answer is None or answer[0] == 503:
            time.sleep(0.01)
            continue
        if answer[0] != 200:
            unexpected("a claim", *answer)
        for operation in answer[1]["operations"]:
            work(operation)


main()
