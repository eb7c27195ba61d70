#!/usr/bin/env python3
"""An alert from end to end, over HTTP: a lane fills up, the alert fires, and is listed, in the feed and posted with a signature; the lane
is emptied, and it is over.
"""
import hashlib
import hmac
import http.server
import json
import os
import queue
import sys
import threading
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from harness import WAIT_S, Server, check, main, test, wait_for  # noqa: E402

SECRET = "of the hook"
AT = "/v1/main"


class Hook:
    """Where the webhooks go: .url, and what came, one after the other. The first one is refused, so that it has to come again."""

    def __init__(self):
        hook, self.came, self.refuse = self, queue.Queue(), 1

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.came.put((dict(self.headers), body))
                hook.refuse -= 1
                self.send_response(503 if hook.refuse >= 0 else 204)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/alerts"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def next(self):
        """(headers, document) of the next one, its signature verified over the bytes that came."""
        headers, body = self.came.get(timeout=WAIT_S)
        stamp = headers["Stet-Timestamp"]
        want = hmac.new(SECRET.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        check(hmac.compare_digest(headers["Stet-Signature"], f"t={stamp},v1={want}"), f"{headers} does not sign {body}")
        check(abs(time.time() - int(stamp)) < 300, f"{stamp} is not now")
        return headers, json.loads(body)


def ask(server, method, path, body=None):
    request = urllib.request.Request(server.url + AT + path, method=method, data=None if body is None else json.dumps(body).encode(),
                                     headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
        return json.loads(answer.read() or b"null")


def alerts(server, state):
    return ask(server, "GET", f"/alerts?state={state}")["alerts"]


def follow(server, since):
    """The next changes of alerts: (what the records hold, where to go on)."""
    page = ask(server, "GET", f"/changes?type=stet.alert&since={since}&wait_s=10")
    return [change["record"]["data"] for change in page["changes"]], page["next"]


def next_in_feed(server, since):
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        found, since = follow(server, since)
        if found:
            check(len(found) == 1, f"one change at a time: {found}")
            return found[0], since
    raise AssertionError("the feed tells of no alert")


@test
def an_alert_fires_and_is_over(folder):
    with Hook() as hook, Server(folder, "--no-auth") as server:
        deep = {"measure": "queue_depth", "lane": "work", "above": 2, "for_s": 1, "severity": "critical",
                "webhook": {"url": hook.url, "secret": SECRET}}
        since = ask(server, "PUT", "/settings", {"alerts": {"deep": deep}})["seq"]
        check(SECRET not in json.dumps(ask(server, "GET", "/settings")), "the secret is shown")
        for i in range(3):
            ask(server, "POST", "/operations", {"lane": "work", "agent": "robot", "input": i})

        firing = wait_for(lambda: alerts(server, "firing"), "the alert to fire")
        check([(one["name"], one["measure"], one["value"], one["threshold"], one["severity"]) for one in firing]
              == [("deep", "queue_depth", 3, 2, "critical")], f"{firing}")
        told, since = next_in_feed(server, since)
        check(told["state"] == "firing" and told["name"] == "deep" and told["value"] == 3, f"{told}")

        refused, document = hook.next()
        again, repeated = hook.next()
        check((refused["Stet-Event"], refused["Stet-Attempt"], again["Stet-Attempt"]) == ("alert", "1", "2"), f"{refused} {again}")
        check(refused["Stet-Delivery"] == again["Stet-Delivery"] and document == repeated, "the second try is of the same delivery")
        check(document["alert"] == "deep" and document["state"] == "firing" and document["space"] == "main", f"{document}")

        for _ in range(3):
            taken = ask(server, "POST", "/lanes/work/claim", {"agent": "robot", "wait_s": 5})["operations"][0]
            ask(server, "POST", f"/operations/{taken['id']}/complete", {"lease": taken["lease"]["token"], "result": None})
        told, since = next_in_feed(server, since)
        check(told["state"] == "resolved" and told["name"] == "deep", f"{told}")
        check(not alerts(server, "firing"), "none stands")
        over = alerts(server, "resolved")
        check(len(over) == 1 and over[0]["id"] == firing[0]["id"] and "resolved_at" in over[0], f"{over}")
        headers, document = hook.next()
        check(document["alert"] == "deep" and document["state"] == "resolved", f"{document}")
        check(headers["Stet-Delivery"] != again["Stet-Delivery"] and headers["Stet-Attempt"] == "1", f"{headers}")
        check(hook.came.empty(), "nothing else was posted")


main()
