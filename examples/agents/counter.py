#!/usr/bin/env python3
"""An agent in Python, with nothing but the standard library and four HTTP calls.

    STET_URL=http://127.0.0.1:7838 STET_TOKEN=... ./counter.py [--lane agents] [--until-empty]

Each operation asks for {"item": NAME, "add": N}. The agent reads the record stock/NAME, adds N, and completes the operation
with the changed record. If somebody else changed that record in between, the server answers 409 and the agent does it over
from what is there now: nothing is lost, nothing counted twice.
"""
import argparse
import json
import os
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

URL = os.environ.get("STET_URL", "http://127.0.0.1:7838").rstrip("/")
SPACE = os.environ.get("STET_SPACE", "main")


def call(method, path, body=None):
    """(status code, answer) of one call."""
    headers = {"Content-Type": "application/json", "Stet-Actor": "counter"}
    if "STET_TOKEN" in os.environ:
        headers["Authorization"] = "Bearer " + os.environ["STET_TOKEN"]
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{URL}/v1/{SPACE}{path}", data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=90) as answer:
            return answer.status, json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as refusal:
        return refusal.code, json.loads(refusal.read() or b"{}")


class Work:
    """One operation at hand. While it lasts, a thread says every few seconds that we are alive."""

    def __init__(self, operation):
        self.path = "/operations/" + urllib.parse.quote(operation["id"], safe="")
        self.lease = operation["lease"]["token"]
        self.input = operation["input"]
        self.over = threading.Event()
        self.stopped = False  # Cancelled, or somebody else has it now.
        self.heart = threading.Thread(target=self.beat, args=(operation["lease"]["ttl_s"] / 3,))
        self.heart.start()

    def beat(self, seconds):
        while not self.over.wait(seconds):
            try:
                self.progress()
            except OSError:
                pass  # The next one may get through; if none does the lease ends, and so does our right to commit.

    def progress(self, **what):
        code, answer = call("POST", self.path + "/progress", {"lease": self.lease, **what})
        self.stopped = self.stopped or code == 409 or answer.get("cancel", False)

    def complete(self, result, mutations):
        return call("POST", self.path + "/complete", {"lease": self.lease, "result": result, "mutations": mutations})

    def fail(self, error):
        return call("POST", self.path + "/fail", {"lease": self.lease, "error": error})

    def end(self):
        self.over.set()
        self.heart.join()


def add(item, amount):
    """What the operation comes to: its result, and the change of the record with the version it was made from."""
    path = "/records/stock/" + urllib.parse.quote(item, safe="")
    code, record = call("GET", path)
    if code == 404:
        return amount, [{"op": "create", "type": "stock", "id": item, "data": {"count": amount}}]
    count = record["data"]["count"] + amount
    return count, [{"op": "patch", "type": "stock", "id": item, "base_version": record["version"], "patch": {"count": count}}]


def work_on(operation):
    work = Work(operation)
    try:
        while not work.stopped:
            work.progress(percent=10, message="reading")
            count, mutations = add(work.input["item"], work.input["add"])
            work.progress(percent=80, message=f"there will be {count}")
            code, answer = work.complete({"count": count}, mutations)
            if code == 200:
                return print(operation["id"], "completed:", count, flush=True)
            if code != 409 or "retry" not in answer:
                return print(operation["id"], "not completed:", answer.get("detail"), flush=True)
            time.sleep(answer["retry"]["delay_ms"] / 1000)
        print(operation["id"], "stopped", flush=True)
    except (KeyError, TypeError) as missing:
        work.fail(f"the input must be {{\"item\", \"add\"}}: {missing!r}")
    finally:
        work.end()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lane", default="default")
    parser.add_argument("--worker", default=f"{os.uname().nodename}-{os.getpid()}")
    parser.add_argument("--until-empty", action="store_true", help="end when nothing waits")
    options = parser.parse_args()
    path = "/lanes/" + urllib.parse.quote(options.lane, safe="") + "/claim"
    claim = {"agent": "counter", "worker": options.worker, "wait_s": 0 if options.until_empty else 50}
    while True:
        try:
            code, answer = call("POST", path, claim)
        except OSError as error:
            print("the server cannot be reached:", error, flush=True)
            time.sleep(1)
            continue
        if code in (429, 503):
            time.sleep(1)
        elif code != 200:
            raise SystemExit(answer.get("detail", code))
        elif answer["operations"]:
            work_on(answer["operations"][0])
        elif options.until_empty:
            return


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
