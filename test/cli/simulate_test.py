#!/usr/bin/env python3
"""stet simulate as a user runs it, and the proof that its audit can fail: against servers that lose, repeat and falsify."""
import http.client
import json
import os
import pty
import re
import select
import signal
import subprocess
import urllib.parse

from harness import PROGRAM, WAIT_S, Server, check, check_has, environment, main, make_directory, must, refused, test
from lies import Lies, caught, proxy, simulate, simulate_lied_to

RUN = ("simulate", "--seconds", "1", "--think-ms", "2")


@test
def five_users_on_a_temporary_directory(folder):
    ran = must(*RUN, cwd=folder, env={"TMPDIR": folder})
    check_has(ran.out, r"^5 users for 1\.\d s at 10 records of each kind, seed \d+\n")
    for work in ("read", "add to a counter", "move between two counters", "add where a rule merges", "edit a field",
                 "create or delete", "all writes"):
        found = re.search(rf"^{work} +(\d+) +(\d+) +[0-9.]+ % +(\d+) +([0-9.]+) ms +([0-9.]+) ms$", ran.out, re.M)
        check(found, f"{work}: {ran!r}")
        check(int(found.group(1)) > 0 and 0 < float(found.group(4)) <= float(found.group(5)), found.group(0))
    rule = re.search(r"^add where a rule merges +\d+ +(\d+)", ran.out, re.M)
    check(rule.group(1) == "0", f"a counting rule leaves no conflict: {ran!r}")
    check_has(ran.out, r"all are in the history, all counts add up, no version is missing")
    check(os.listdir(folder) == [], f"something was left behind: {os.listdir(folder)}")


@test
def nothing_of_the_users_own_is_touched(folder):
    data = make_directory(folder)
    for number in range(3):
        must("put", f"counters/{number}", '{"count":1}', "--data", data)
    before = [must("list", "counters", "--json", "--data", data).out, must("space", "list", "--data", data).out,
              must("types", "list", "--data", data).out]
    ran = simulate(lambda ran: ran.code == 0 and ran.json["operations"]["writes"]["done"] > 50, "--data", data, "--json")
    check(ran.json["passed"] is True, ran)
    check(ran.json["audit"]["acknowledged"] == ran.json["audit"]["versions"] > 50, ran)
    after = [must("list", "counters", "--json", "--data", data).out, must("space", "list", "--data", data).out,
             must("types", "list", "--data", data).out]
    check(before == after, (before, after))


@test
def many_users_of_few_records_meet_conflicts_and_settle_them(folder):
    with Server(folder, "--no-auth") as server:
        def busy(ran):
            work = ran.json["operations"] if ran.code == 0 else None
            return work and work["add"]["conflicts"] > 10 and work["add"]["retries"] > 10 and work["merge"]["done"] > 10

        said = simulate(busy, "--users", "40", "--records", "2", "--url", server.url, "--json").json
        check(said["passed"] and said["users"] == 40, said)
        check(said["operations"]["merge"]["conflicts"] == 0, said)


@test
def who_is_no_administrator_works_in_types_of_their_own(folder):
    with Server(folder) as server:
        token = must("token", "create", "--actor", "ann", "--data", server.data).out.strip().split()[-1]
        at = ("--url", server.url, "--token", token)
        ran = must(*RUN, "--records", "2", *at)
        check_has(ran.err, "only an administrator may declare types")
        check("add where a rule merges" not in ran.out, ran)
        kept = must(*RUN, "--records", "2", "--keep", *at)
        prefix = re.search(r"^kept: space main, types (simulate-\w+-)", kept.err, re.M).group(1)
        left = must("list", prefix + "counters", "--json", *at).json["records"]
        check(len(left) == 2, left)
        by = must("history", left[0]["address"], "--json", *at).json["changes"]
        check({change["by"] for change in by} == {"ann"}, by)
        types = json.loads(must("get", left[0]["address"], "--json", *at).out)
        check(types["version"] > 1, types)


@test
def in_a_named_space_what_it_made_is_deleted(folder):
    with Server(folder, "--no-auth") as server:
        must("space", "create", "team", "--url", server.url)
        must(*RUN, "--records", "2", "--space", "team", "--url", server.url)
        check("simulate" not in must("types", "list", "--space", "team", "--url", server.url).out)
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(server.url).netloc, timeout=WAIT_S)
        connection.request("GET", "/v1/team/stats")
        types = json.loads(connection.getresponse().read())["types"]
        connection.close()
        check(len(types) >= 4 and all(row["records"] == 0 for row in types.values()), types)


@test
def what_makes_no_sense_is_refused(folder):
    for options in (("--users", "0"), ("--seconds", "0"), ("--records", "0"), ("--users", "many"), ("--users", "1001")):
        check(refused(2, "simulate", *options, cwd=folder).out == "")
    refused(5, "simulate", "--url", "http://127.0.0.1:9")
    refused(5, "simulate", "--data", os.path.join(folder, "nowhere"))
    with Server(folder) as server:
        refused(6, "simulate", "--url", server.url, "--token", "wrong")


@test
def an_honest_proxy_passes(folder):
    with Server(folder, "--no-auth") as server, proxy(server, Lies()) as url:
        must(*RUN, "--records", "3", "--url", url)


@test
def answers_that_get_lost_are_asked_for_again(folder):
    class Drops(Lies):
        count = 0
        broken = 0

        def request(self, call, forward):
            answer = forward(call)
            with self.lock:
                self.count += call.method != "GET" and call.header("Idempotency-Key") is not None
                if call.header("Idempotency-Key") and self.count > 20 and self.count % 10 == 0:
                    self.broken += 1
                    return None
            return answer

    lies = Drops()
    with Server(folder, "--no-auth") as server, proxy(server, lies) as url:
        def tried(_):
            # What a run before this one lost is not in this one's account.
            lies.lost, lies.broken = lies.broken, 0
            return lies.lost > 2

        said = simulate(tried, "--records", "3", "--url", url, "--json").json
        check(said["passed"] and said["operations"]["writes"]["retries"] >= lies.lost / 2, said)


@test
def a_write_that_was_acknowledged_and_not_stored_is_found(folder):
    class Swallows(Lies):
        def request(self, call, forward):
            if call.method == "PUT" and call.type == "counters" and (call.base() or 0) > 2 and self.once(call.address):
                return 200, {"Content-Type": "application/json"}, json.dumps({"version": call.base() + 1}).encode()
            return forward(call)

    caught(folder, Swallows(), r"version \d+ was acknowledged to simulate-\d \(key [0-9a-f-]{36}\) and is not in the history")


@test
def a_version_that_is_gone_from_the_history_is_found(folder):
    class Forgets(Lies):
        def request(self, call, forward):
            status, headers, body = forward(call)
            if call.is_history and call.type == "documents" and status == 200:
                answer = json.loads(body)
                if len(answer["changes"]) > 3 and self.once(call.address):
                    del answer["changes"][1]
                    body = json.dumps(answer).encode()
            return status, headers, body

    caught(folder, Forgets(), r"version \d+ is missing from the history")


@test
def the_first_version_that_is_gone_is_found(folder):
    class Forgets(Lies):
        def request(self, call, forward):
            status, headers, body = forward(call)
            if call.is_history and call.type == "stock" and status == 200:
                answer = json.loads(body)
                # Without its only version a record would be a different finding: one that has no history.
                if "next" not in answer and len(answer["changes"]) > 1 and self.once(call.address):
                    answer["changes"].pop()
                    body = json.dumps(answer).encode()
            return status, headers, body

    caught(folder, Forgets(), r"version 1 is missing from the history")


@test
def a_count_that_was_changed_on_the_way_is_found(folder):
    class Alters(Lies):
        def request(self, call, forward):
            lies = call.method == "PUT" and call.type == "stock" and (call.base() or 0) > 2 and self.once(call.address)
            if lies:
                data = json.loads(call.body)
                data["count"] += 1
                call.body = json.dumps(data).encode()
            answer = forward(call)
            if lies and answer[0] != 200:
                self.again()
            return answer

    caught(folder, Alters(), r"the count is \d+; what was acknowledged adds up to \d+")


@test
def an_edit_that_takes_another_one_back_is_found(folder):
    class Reverts(Lies):
        def request(self, call, forward):
            lies = call.method == "PATCH" and call.type == "documents" and (call.base() or 0) > 3 \
                and self.once(call.address)
            if lies:
                field = next(iter(json.loads(call.body)))
                other = "f0" if field != "f0" else "f1"
                call.body = json.dumps(json.loads(call.body) | {other: "an older text"}).encode()
            answer = forward(call)
            # Somebody may have edited the other field meanwhile: a conflict.
            if lies and answer[0] != 200:
                self.again()
            return answer

    caught(folder, Reverts(), r'version \d+ has "an older text" in f[01] and should have')


@test
def a_write_that_nobody_sent_is_found(folder):
    class Repeats(Lies):
        def request(self, call, forward):
            answer = forward(call)
            if call.method == "PUT" and call.type == "counters" and (call.base() or 0) > 2 and answer[0] == 200 \
                    and self.once(call.address):
                version = json.loads(answer[2])["version"]
                data = json.loads(call.body) | {"last": "again"}
                for name in list(call.headers):
                    if name.lower() in ("idempotency-key", "if-match"):
                        del call.headers[name]
                call.headers |= {"If-Match": f'"{version}"', "Idempotency-Key": "another-key"}
                call.body = json.dumps(data).encode()
                # Somebody may have been faster.
                if forward(call)[0] != 200:
                    self.again()
            return answer

    caught(folder, Repeats(), r'version \d+ was written by nobody here \(key "another-key", by "simulate-\d"\)')


@test
def a_change_by_somebody_else_is_found(folder):
    class Renames(Lies):
        def request(self, call, forward):
            status, headers, body = forward(call)
            if call.is_history and status == 200 and self.once(call.address):
                answer = json.loads(body)
                answer["changes"][0]["by"] = "mallory"
                body = json.dumps(answer).encode()
            return status, headers, body

    caught(folder, Renames(), r'version \d+ is by "mallory", but "simulate-\d" wrote it')


@test
def a_version_that_was_acknowledged_twice_is_found(folder):
    class Doubles(Lies):
        """Lets two writes of the same record win with the same version."""
        def request(self, call, forward):
            status, headers, body = forward(call)
            if call.method == "PUT" and call.type == "counters" and status == 412 and self.once(call.address):
                return 200, headers, json.dumps({"version": call.base() + 1}).encode()
            return status, headers, body

    caught(folder, Doubles(), r"was acknowledged to simulate-\d+ .* and is not in the history", "--users", "20")


@test
def a_record_that_vanished_is_found(folder):
    class Hides(Lies):
        def request(self, call, forward):
            # Counters are made before the users begin, so that there is an acknowledged version 1.
            if call.is_history and call.type == "counters" and (self.victim == call.address or self.once(call.address)):
                return 404, {"Content-Type": "application/problem+json"}, b'{"code": "NOT_FOUND", "detail": "gone"}'
            return forward(call)

    caught(folder, Hides(), r"version 1 was acknowledged")


@test
def the_audit_says_so_in_json_too(folder):
    class Swallows(Lies):
        def request(self, call, forward):
            if call.method == "DELETE" and call.type == "drafts" and call.base() and self.once(call.address):
                return 200, {"Content-Type": "application/json"}, json.dumps({"version": call.base() + 1}).encode()
            return forward(call)

    lies = Swallows()
    with Server(folder, "--no-auth") as server, proxy(server, lies) as url:
        ran = simulate_lied_to(lies, url, "--json")
        check(ran.json["passed"] is False and ran.json["audit"]["findings"] >= 1, ran)
        check(any(lies.victim in text for text in ran.json["audit"]["shown"]), ran)


def in_terminal(folder, arguments, until=None, number=None, env=None):
    """Runs in a pseudo-terminal; sends the signal once the output matches. Returns exit code and output."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([PROGRAM, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, cwd=folder,
                               env=environment({"TMPDIR": folder, "TERM": "xterm", **(env or {})}), start_new_session=True)
    os.close(theirs)
    seen = b""
    try:
        while True:
            ready, _, _ = select.select([ours], [], [], WAIT_S)
            check(ready, f"no output for {WAIT_S} s: {seen!r}")
            try:
                some = os.read(ours, 65536)
            except OSError:
                break
            if not some:
                break
            seen += some
            if until and re.search(until, seen.decode(errors="replace")):
                process.send_signal(number)
                until = None
        return process.wait(timeout=WAIT_S), seen.decode()
    finally:
        os.close(ours)
        if process.poll() is None:
            process.kill()
            process.wait()


@test
def on_a_terminal_it_shows_how_far_it_is(folder):
    code, out = in_terminal(folder, RUN)
    check(code == 0, out)
    check_has(out, r"Simulating")
    check_has(out, r"all are in the history")
    check_has(out, "\x1b\\[[0-9;]*m")
    code, out = in_terminal(folder, RUN, env={"NO_COLOR": "1"})
    check(code == 0 and "Simulating" in out, out)
    check(not re.search("\x1b\\[[0-9;]*m", out), "colours in spite of NO_COLOR")


@test
def an_interrupt_ends_it_early_with_its_audit(folder):
    code, out = in_terminal(folder, ("simulate", "--seconds", "3600", "--think-ms", "2"), r"Simulating", signal.SIGINT)
    check(code == 0 or "no write was acknowledged" in out, out)
    check_has(out, r"5 users for \d\.\d s")
    check(os.listdir(folder) == [], os.listdir(folder))


main()
