#!/usr/bin/env python3
"""stet simulate --example crm, and the proof that its audit finds double bookings, lost updates and wrong totals."""
import json
import os
import re

from harness import Server, check, check_has, main, must, refused, test
from lies import Lies, caught, proxy, simulate

CRM = ("--example", "crm")
WORKS = ("read", "create a customer", "note on a customer", "move a deal", "send a proposal", "payment on an invoice",
         "hours on a project", "book a meeting", "move a meeting", "cancel a meeting", "all writes")


def answer(status, body):
    return status, {"Content-Type": "application/json"}, json.dumps(body).encode()


def caught_anywhere(folder, lies, pattern, *options):
    """A lie about a whole type: some record of it must be named, however long it takes until two people meet."""
    with Server(folder, "--no-auth") as server, proxy(server, lies) as url:
        ran = simulate(lambda ran: ran.code == 1, "--records", "2", "--users", "12", "--url", url, *CRM, *options)
        check(lies.victim is not None, ran)
        check_has(ran.out, "the audit FAILED")
        check(re.search(pattern, ran.out, re.M), f"{pattern!r}: {ran!r}")


class Redefines(Lies):
    """Declares another type than it was told to."""
    def __init__(self, type_, change):
        super().__init__()
        self.type, self.change = type_, change

    def request(self, call, forward):
        if call.method == "PUT" and call.path.endswith(f"/types/{self.type}"):
            definition = json.loads(call.body)
            self.change(definition)
            call.body = json.dumps(definition).encode()
            self.once(self.type)
        return forward(call)


@test
def a_company_at_work_for_a_second(folder):
    ran = simulate(lambda ran: all(re.search(rf"^{work} +[1-9]", ran.out, re.M) for work in WORKS) and
                   re.search(r"^[1-9]\d* meetings booked .* [1-9]\d* of them .* [1-9]\d* times", ran.out, re.M),
                   *CRM, cwd=folder, env={"TMPDIR": folder})
    check_has(ran.out, r"^5 users for \d+\.\d s at 10 records of each kind, seed \d+\n")
    check_has(ran.out, r"\d+\.\d % of the attempts met a conflict, \d+\.\d % were retries\n")
    check_has(ran.out, r"nobody is booked twice, no update is lost, all totals add up, no version is missing")
    check(os.listdir(folder) == [], f"something was left behind: {os.listdir(folder)}")


@test
def many_people_of_few_records_meet_and_settle_it(folder):
    with Server(folder, "--no-auth") as server:
        def busy(ran):
            work = ran.json["operations"] if ran.code == 0 else None
            return work and work["deal"]["conflicts"] > 5 and work["payment"]["done"] > 5 and \
                work["hours"]["done"] > 5 and ran.json["bookings"]["refused"] > 5 and ran.json["bookings"]["offered"] > 0

        said = simulate(busy, *CRM, "--users", "30", "--records", "1", "--url", server.url, "--json").json
        check(said["passed"], said)
        work, bookings = said["operations"], said["bookings"]
        check(work["payment"]["conflicts"] == 0 and work["hours"]["conflicts"] == 0, f"what adds up leaves no conflict: {said}")
        check(bookings["booked"] == work["book"]["done"] and bookings["moved"] == work["move"]["done"], said)
        check("simulate" not in must("space", "list", "--url", server.url).out)


@test
def the_types_stay_apart_in_a_named_space(folder):
    with Server(folder, "--no-auth") as server:
        must("space", "create", "team", "--url", server.url)
        must("simulate", *CRM, "--seconds", "1", "--records", "2", "--space", "team", "--url", server.url)
        check("simulate" not in must("types", "list", "--space", "team", "--url", server.url).out)


@test
def it_needs_an_administrator_and_a_name_that_exists(folder):
    for name in ("nothing", "", "CRM"):
        check_has(refused(2, "simulate", "--example", name, cwd=folder).err, "records crm")
    with Server(folder) as server:
        token = must("token", "create", "--actor", "ann", "--data", server.data).out.strip().split()[-1]
        ran = refused(6, "simulate", *CRM, "--url", server.url, "--token", token)
        check_has(ran.err, 'only an administrator may declare types, and the example "crm" needs its own')


@test
def an_honest_proxy_passes(folder):
    with Server(folder, "--no-auth") as server, proxy(server, Lies()) as url:
        must("simulate", *CRM, "--seconds", "1", "--think-ms", "2", "--url", url)


@test
def answers_that_get_lost_are_asked_for_again(folder):
    class Drops(Lies):
        count = 0
        lost = 0

        def request(self, call, forward):
            answered = forward(call)
            with self.lock:
                self.count += call.header("Idempotency-Key") is not None
                if call.header("Idempotency-Key") and self.count > 30 and self.count % 10 == 0:
                    self.lost += 1
                    return None
            return answered

    lies = Drops()
    with Server(folder, "--no-auth") as server, proxy(server, lies) as url:
        check(simulate(lambda _: lies.lost > 2, *CRM, "--records", "3", "--url", url, "--json").json["passed"])


@test
def a_server_that_gives_rooms_away_twice_is_found(folder):
    def change(definition):
        definition["exclusive"][0]["capacity"] = 2

    caught_anywhere(folder, Redefines("events", change),
                    r"^  events/\d+: double booked, (at position \d+|now): it has room-\d+ from 2030-\S+ to 2030-\S+,"
                    r" and so has events/\d+$")


@test
def a_server_that_does_not_check_people_is_found(folder):
    caught_anywhere(folder, Redefines("events", lambda definition: definition["exclusive"].pop()),
                    r"^  events/\d+: double booked, .*: it has person-\d+ from ")


@test
def a_server_that_checks_no_bookings_is_found(folder):
    """It chooses no rooms either: a meeting without one is named for that, behind the double bookings."""
    caught_anywhere(folder, Redefines("events", lambda definition: definition.pop("exclusive")),
                    r"^  events/\d+: (double booked|version \d+ does not have the room that its writer set$)")


@test
def amounts_where_the_last_one_wins_are_found(folder):
    def change(definition):
        definition["on_conflict"] = "last_writer_wins"

    caught_anywhere(folder, Redefines("deals", change),
                    r"^  deals/\d+: version \d+ has amount -?\d+; -?\d+ added to the -?\d+ before make -?\d+$")


@test
def payments_that_overwrite_each_other_are_found(folder):
    def change(definition):
        definition["fields"]["/paid"]["merge"] = "last_writer_wins"

    caught_anywhere(folder, Redefines("invoices", change), r"^  invoices/\d+: paid is \d+; what was acknowledged adds up to \d+$",
                    "--think-ms", "0")


@test
def a_booking_that_was_acknowledged_and_not_stored_is_found(folder):
    class Swallows(Lies):
        def request(self, call, forward):
            if call.method == "PUT" and call.type == "events" and self.once(call.address):
                return answer(201, {"version": 1, "data": json.loads(call.body)})
            return forward(call)

    caught(folder, Swallows(), r"version 1 was acknowledged to simulate-\d \(key [0-9a-f-]{36}\) and is not in the history", *CRM)


@test
def a_cancellation_that_did_not_happen_is_found(folder):
    class Swallows(Lies):
        def request(self, call, forward):
            if call.method == "PATCH" and call.type == "events" and b"cancelled" in call.body and self.once(call.address):
                return answer(200, {"version": call.base() + 1, "data": {}})
            return forward(call)

    caught(folder, Swallows(), r"version \d+ was acknowledged .* and is not in the history", *CRM)


@test
def a_meeting_at_another_time_than_was_asked_for_is_found(folder):
    class Shifts(Lies):
        def request(self, call, forward):
            lies = call.method == "PUT" and call.type == "events" and self.once(call.address)
            if lies:
                call.body = json.dumps(json.loads(call.body) | {"end": "2031-01-07T17:00:00Z", "start": "2031-01-07T16:00:00Z"}).encode()
            answered = forward(call)
            if lies and answered[0] != 201:
                self.again()
            return answered

    caught(folder, Shifts(), r"version 1 does not have the (start|end) that its writer set", *CRM)


@test
def a_payment_that_was_changed_on_the_way_is_found(folder):
    class Alters(Lies):
        def request(self, call, forward):
            lies = call.method == "PATCH" and call.type == "invoices" and self.once(call.address)
            if lies:
                call.body = json.dumps({"paid": json.loads(call.body)["paid"] + 1}).encode()
            answered = forward(call)
            if lies and answered[0] != 200:
                self.again()
            return answered

    caught(folder, Alters(), r"paid is \d+; what was acknowledged adds up to \d+", *CRM)


@test
def hours_that_another_member_lost_are_found(folder):
    class Takes(Lies):
        def request(self, call, forward):
            lies = call.method == "PATCH" and call.type == "projects" and (call.base() or 0) > 4 and self.once(call.address)
            if lies:
                hours = json.loads(call.body)["allocations"]
                call.body = json.dumps({"allocations": {f"p{number}": 0 for number in range(6)} | hours}).encode()
            answered = forward(call)
            if lies and answered[0] != 200:
                self.again()
            return answered

    caught(folder, Takes(), r"version \d+ has another p\d than the one before, which its writer left alone", *CRM)


@test
def a_note_that_takes_another_one_away_is_found(folder):
    class Cuts(Lies):
        def request(self, call, forward):
            patch = json.loads(call.body) if call.method == "PATCH" and call.type == "customers" else {}
            lines = patch.get("notes", "").splitlines(keepends=True)
            lies = len(lines) > 2 and "phone" not in patch and self.once(call.address)
            if lies:
                call.body = json.dumps({"notes": "".join(lines[1:])}).encode()
            answered = forward(call)
            if lies and answered[0] != 200:
                self.again()
            return answered

    caught(folder, Cuts(), r"version \d+ does not have the lines of notes before and its writer's", *CRM)


@test
def half_a_transaction_is_found(folder):
    class Halves(Lies):
        def request(self, call, forward):
            if call.method == "POST" and call.path.endswith("/transactions"):
                body = json.loads(call.body)
                deal = body["mutations"].pop()
                if self.once(f"{deal['type']}/{deal['id']}"):
                    call.body = json.dumps(body).encode()
                    status, headers, text = forward(call)
                    if status != 200:
                        self.again()
                        return status, headers, text
                    whole = json.loads(text)
                    whole["results"].append({"version": deal["base_version"] + 1})
                    return answer(status, whole)
            return forward(call)

    caught(folder, Halves(), r"version \d+ was acknowledged to simulate-\d .* and is not in the history", *CRM)


@test
def a_record_that_reads_otherwise_than_its_history_is_found(folder):
    class Differs(Lies):
        is_audit = False

        def request(self, call, forward):
            self.is_audit = self.is_audit or call.is_history
            status, headers, body = forward(call)
            if self.is_audit and call.method == "GET" and call.type == "deals" and not call.is_history and status == 200 \
                    and self.once(call.address):
                record = json.loads(body)
                record["data"]["amount"] += 1
                body = json.dumps(record).encode()
            return status, headers, body

    caught(folder, Differs(), r"the record has another amount than its history ends with", *CRM)


main()
