#!/usr/bin/env python3
"""Calendars over HTTP: ranges, free times, series, iCalendar in and out; every answer is as docs/openapi.yaml says.

    calendar_test.py STET FILE.ics [TEST]    FILE.ics: examples/crm/calendar.ics
"""
import http.client
import json
import os
import sys
import urllib.parse

ICS = sys.argv.pop(2)
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from contract import Contract  # noqa: E402
from harness import Server, check, main, must, test  # noqa: E402

RECORDS, CALENDAR = "/v1/main/records/events", "/v1/main/calendar/events"
CONTRACT = Contract()
TYPE = {"exclusive": {
    "resource": "/room", "start": "/start", "end": "/end", "tz": "/tz", "unless": "status = 'cancelled'",
    "recurrence": {"rrule": "/rrule", "exdate": "/exdate", "rdate": "/rdate", "series": "/series",
                   "original_start": "/original_start"},
    "hours": {"zone": "Europe/Madrid", "mon": [["09:00", "13:00"], ["15:00", "18:00"]], "tue": [["09:00", "13:00"]]}}}


class Client:
    def __init__(self, server):
        place = urllib.parse.urlsplit(server.url)
        self.http = http.client.HTTPConnection(place.hostname, place.port, timeout=60)

    def call(self, method, target, body=None, want=None, **headers):
        given = {name.replace("_", "-").lower(): value for name, value in headers.items()}
        text = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        if body is not None:
            given.setdefault("content-type", "application/json")
        self.http.request(method, target, text, given)
        answer = self.http.getresponse()
        data = answer.read()
        CONTRACT.check(method, target, (given, text), answer.status,
                       {name.lower(): value for name, value in answer.getheaders()}, data)
        check(want is None or answer.status == want, f"{method} {target}: {answer.status} {data[:1500]}")
        kind = answer.getheader("content-type") or ""
        return data.decode() if kind.startswith("text/calendar") else json.loads(data) if data else None

    def range(self, query="from=2026-03-01&to=2026-05-01", want=200):
        return self.call("GET", f"{CALENDAR}?{query}", want=want)

    def starts(self, query="from=2026-03-01&to=2026-05-01"):
        return [one["start_local"] for one in self.range(query)["occurrences"]]


def event(start, end, room="red", **more):
    return {"title": "Meeting", "room": room, "start": start, "end": end, "tz": "Europe/Madrid", **more}


def begin(folder):
    server = Server(folder, "--no-auth")
    client = Client(server)
    client.call("PUT", "/v1/main/types/events", TYPE, want=201)
    return server, client


WEEKLY = event("2026-03-23T09:30", "2026-03-23T10:00", rrule="FREQ=WEEKLY;COUNT=5")
MONDAYS = ["2026-03-23T09:30:00", "2026-03-30T09:30:00", "2026-04-06T09:30:00", "2026-04-13T09:30:00", "2026-04-20T09:30:00"]


def series(client, scope, want=200, base=None, **body):
    version = base or client.call("GET", f"{RECORDS}/w", want=200)["version"]
    return client.call("POST", f"{CALENDAR}/w/series", {"scope": scope, "base_version": version, **body}, want=want)


@test
def a_range_tells_occurrences_in_order_and_in_two_clocks(folder):
    server, client = begin(folder)
    with server:
        client.call("PUT", f"{RECORDS}/w", WEEKLY, want=201)
        client.call("PUT", f"{RECORDS}/a", event("2026-03-30T08:00Z", "2026-03-30T09:00Z", "blue"), want=201)
        client.call("PUT", f"{RECORDS}/day", event("2026-04-01", "2026-04-03", "blue"), want=201)
        client.call("PUT", f"{RECORDS}/off", event("2026-04-01", "2026-04-03", "blue", status="cancelled"), want=201)
        answer = client.range()
        told = [(one["id"], one["start"][:16], one["start_local"], one["resources"]) for one in answer["occurrences"]]
        check(told[0] == ("w", "2026-03-23T08:30", "2026-03-23T09:30:00", ["red"]), told)
        check(told[1] == ("w", "2026-03-30T07:30", "2026-03-30T09:30:00", ["red"]), told)
        check(told[2] == ("a", "2026-03-30T08:00", "2026-03-30T10:00:00", ["blue"]), told)
        check(told[3] == ("day", "2026-03-31T22:00", "2026-04-01", ["blue"]), told)
        check(len(told) == 7 and answer["occurrences"][3]["all_day"] and answer["occurrences"][3]["end_local"] == "2026-04-03")
        check(answer["occurrences"][1]["series"] == "w" and answer["tzdata"], answer)
        paged, after = [], ""
        while after is not None:
            page = client.range(f"from=2026-03-01&to=2026-05-01&limit=2{after and '&after=' + after}")
            paged += [(one["id"], one["start"]) for one in page["occurrences"]]
            check(len(page["occurrences"]) <= 2)
            after = page.get("next")
        check(paged == [(one["id"], one["start"]) for one in answer["occurrences"]], paged)
        check([one["id"] for one in client.range("from=2026-03-01&to=2026-05-01&resource=blue")["occurrences"]] == ["a", "day"])
        check(client.starts("from=2026-03-30T09:45&to=2026-03-30T09:50&zone=Europe/Madrid&resource=red") == MONDAYS[1:2])
        check(client.starts("from=2026-03-30T10:00&to=2026-03-30T10:50&zone=Europe/Madrid&resource=red") == [])


@test
def nonsense_is_refused_by_its_name(folder):
    server, client = begin(folder)
    with server:
        for query, code, field in [("from=yesterday", "INVALID_TIME", "from"), ("from=2026-03-02&to=2026-03-02", "INVALID_TIME", "to"),
                                   ("from=1980-01-01&to=2080-01-01", "TOO_LARGE", "to"), ("zone=Mars/Phobos", "INVALID_TIME", "zone"),
                                   ("after=x", "BAD_REQUEST", "after"), ("field=/nope", "BAD_REQUEST", "field"), ("limit=5000", "BAD_REQUEST", "limit")]:
            answer = client.range(query, want=None)
            check(answer["code"] == code and answer["field"] == field, f"{query}: {answer}")
        for rule, code in [("FREQ=SECONDLY;COUNT=1000000000", "TOO_LARGE"), ("FREQ=HOURLY", "TOO_LARGE"), ("FREQ=DAILY;BYMONTH=13", "INVALID_TIME"),
                           ("FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=30;BYSETPOS=3", None), ("nonsense", "INVALID_TIME")]:
            answer = client.call("PUT", f"{RECORDS}/x{len(rule)}", {**WEEKLY, "rrule": rule, "room": rule})
            check(answer.get("code") == code and (code is None or answer["field"] == "/rrule"), f"{rule}: {answer}")
        check(client.call("GET", "/v1/main/calendar/other", want=400)["field"] == "type")
        client.call("PUT", f"{RECORDS}/z", event("2026-03-01T09:00", "2026-03-01T10:00", tz="Mars/Phobos"), want=422)
        client.call("PUT", f"{RECORDS}/z", event("2026-03-01T10:00", "2026-03-01T10:00"), want=422)


@test
def a_series_books_all_or_says_which_clash(folder):
    server, client = begin(folder)
    with server:
        client.call("PUT", f"{RECORDS}/a", event("2026-04-06T09:45", "2026-04-06T10:30"), want=201)
        client.call("PUT", f"{RECORDS}/b", event("2026-04-20T09:00", "2026-04-20T10:30"), want=201)
        answer = client.call("PUT", f"{RECORDS}/w", WEEKLY, want=409)
        check(answer["code"] == "SLOT_TAKEN", answer)
        clashes = sorted(one["original_start"][:16] for one in answer["in_the_way"])
        check(clashes == ["2026-04-06T07:30", "2026-04-20T07:30"], answer)
        check(client.starts() == ["2026-04-06T09:45:00", "2026-04-20T09:00:00"])
        client.call("PUT", f"{RECORDS}/w", {**WEEKLY, "exdate": ["2026-04-06T09:30", "2026-04-20"]}, want=201)
        check(len(client.starts()) == 5)


@test
def one_occurrence_is_moved_or_left_out(folder):
    server, client = begin(folder)
    with server:
        client.call("PUT", f"{RECORDS}/w", WEEKLY, want=201)
        series(client, "one", original_start=MONDAYS[1], patch={"title": "Moved", "start": "2026-03-31T16:00", "end": "2026-03-31T16:30"})
        check(client.starts() == MONDAYS[:1] + ["2026-03-31T16:00:00"] + MONDAYS[2:], client.starts())
        moved = client.call("GET", f"{RECORDS}/w~20260330T073000Z", want=200)["data"]
        check(moved["series"] == "w" and moved["original_start"] == "2026-03-30T07:30:00Z" and moved["title"] == "Moved", moved)
        check("rrule" not in moved and "exdate" not in moved, moved)
        series(client, "one", original_start="2026-04-06T07:30:00Z", delete=True)
        check(client.starts() == MONDAYS[:1] + ["2026-03-31T16:00:00"] + MONDAYS[3:], client.starts())
        check(series(client, "one", original_start=MONDAYS[2], delete=True, want=404)["code"] == "NOT_FOUND")
        check(series(client, "one", base=1, original_start=MONDAYS[3], delete=True, want=409)["code"] == "CONCURRENT_MODIFICATION")
        series(client, "all", patch={"title": "Renamed"})
        series(client, "all", delete=True)
        check(client.starts() == [])


@test
def this_and_following_become_a_series_of_their_own(folder):
    server, client = begin(folder)
    with server:
        client.call("PUT", f"{RECORDS}/w", {**WEEKLY, "exdate": ["2026-04-20T09:30"]}, want=201)
        series(client, "following", original_start=MONDAYS[2], new_id="later", patch={"room": "blue", "start": "2026-04-06T11:00", "end": "2026-04-06T12:00"})
        later = client.call("GET", f"{RECORDS}/later", want=200)["data"]
        check(later["rrule"] == "FREQ=WEEKLY;COUNT=3" and later["exdate"] == ["2026-04-20T09:30"], later)
        check(client.call("GET", f"{RECORDS}/w")["data"]["rrule"] == "FREQ=WEEKLY;UNTIL=20260406T072959Z")
        check(client.starts("from=2026-03-01&to=2026-05-01&resource=red") == MONDAYS[:2])
        check(client.starts("from=2026-03-01&to=2026-05-01&resource=blue")[0] == "2026-04-06T11:00:00")
        series(client, "following", original_start=MONDAYS[1], delete=True)
        check(client.starts("from=2026-03-01&to=2026-05-01&resource=red") == MONDAYS[:1])
        key = {"Idempotency_Key": "once"}
        body = {"scope": "all", "base_version": 3, "patch": {"title": "x"}}
        first = client.call("POST", f"{CALENDAR}/w/series", body, want=200, **key)
        again = client.call("POST", f"{CALENDAR}/w/series", body, want=200, **key)
        check(first["seq"] == again["seq"], again)
        body = {"scope": "one", "base_version": 4, "original_start": MONDAYS[0], "patch": {"start": "2026-03-24T09:00", "end": "2026-03-24T10:00"}}
        first = client.call("POST", f"{CALENDAR}/w/series", body, want=200, Idempotency_Key="two")
        again = client.call("POST", f"{CALENDAR}/w/series", body, want=200, Idempotency_Key="two")
        check(first["seq"] == again["seq"], again)
        client.call("POST", f"{CALENDAR}/w/series", body, want=404, Idempotency_Key="three")


@test
def free_times_keep_to_the_hours(folder):
    server, client = begin(folder)
    with server:
        client.call("PUT", f"{RECORDS}/a", event("2026-03-30T09:00", "2026-03-30T12:30"), want=201)
        client.call("PUT", f"{RECORDS}/b", event("2026-03-30T15:00", "2026-03-30T16:00"), want=201)

        def free(query):
            return [(one["resource"], one["start_local"]) for one in client.call("GET", f"/v1/main/free/events?{query}", want=200)["free"]]
        check(free("resource=red&duration=3600&from=2026-03-29&to=2026-04-02&limit=3") ==
              [("red", "2026-03-30T16:00:00"), ("red", "2026-03-30T17:00:00"), ("red", "2026-03-31T09:00:00")])
        check(free("resource=red&resource=blue&duration=7200&from=2026-03-29&limit=2") ==
              [("blue", "2026-03-30T09:00:00"), ("blue", "2026-03-30T11:00:00")])
        check(free("resource=red&duration=1800&from=2026-03-30&limit=1") == [("red", "2026-03-30T12:30:00")])
        check(free("resource=red&duration=86400&from=2026-03-30&limit=1") == [])
        check(client.call("GET", f"{CALENDAR}/free?resource=red&duration=60", want=200)["complete"] is True)
        check(client.call("GET", "/v1/main/free/events?duration=60", want=400)["field"] == "resource")
        check(client.call("GET", "/v1/main/free/events?resource=red", want=400)["field"] == "duration")


def imported(client, query="", want=200, text=None):
    data = text.encode() if text else open(ICS, "rb").read()
    return client.call("POST", f"{CALENDAR}?resource=red{query}", data, want=want, content_type="text/calendar")


@test
def of_several_kinds_of_intervals_the_first_is_looked_at(folder):
    server, client = begin(folder)
    with server:
        room, people = {**TYPE["exclusive"], "hours": {}}, {"resource": "/people", "start": "/start", "end": "/end", "tz": "/tz"}
        del room["hours"]
        client.call("PUT", "/v1/main/types/visits", {"exclusive": [{"start": "/start", "end": "/end", "tz": "/tz", "unless": "people = null"}, people, room]}, want=201)
        client.call("PUT", "/v1/main/records/visits/a", event("2026-03-30T00:00", "2026-03-30T09:00", people=["ann"]), want=201)
        def free(query):
            answer = client.call("GET", f"/v1/main/free/visits?duration=3600&limit=1&from=2026-03-30&zone=Europe/Madrid{query}", want=200)
            return answer.get("field"), answer["free"][0]["start_local"]
        check(free("&resource=ann") == ("/people", "2026-03-30T09:00:00"), free("&resource=ann"))
        check(free("&resource=red") == ("/people", "2026-03-30T00:00:00"), "the room's own booking is of another kind")
        check(free("&resource=red&field=/room") == ("/room", "2026-03-30T09:00:00"))
        check(free("") == (None, "2026-03-30T09:00:00"), "the one calendar of the type")
        both = client.call("GET", "/v1/main/calendar/visits?resource=red&resource=ann&from=2026-03-30&to=2026-03-31", want=200)
        check([one["resources"] for one in both["occurrences"]] == [["ann", "red"]], both)
        many = "&".join(f"resource={number}" for number in range(101))
        check(client.call("GET", f"/v1/main/calendar/visits?{many}", want=400)["field"] == "resource")


@test
def icalendar_goes_in_and_comes_out_again(folder):
    server, client = begin(folder)
    with server:
        check(imported(client, "&dry_run=1")["imported"] == 5)
        answer = imported(client)
        check((answer["imported"], answer["unchanged"], answer["failed"]) == (5, 0, 0), answer)
        first = client.range("from=2026-03-01&to=2026-06-01")["occurrences"]
        check(len(first) == 10, [(one["id"], one["start"]) for one in first])
        call = client.call("GET", f"{RECORDS}/call@example.org")["data"]
        check(call["tz"] == "Europe/Berlin" and call["end"] == "2026-04-02T15:45:00" and "presupuesto; contrato" in call["title"], call)
        check(call["description"] == "First line\nSecond line with a \\ and \N{GRINNING FACE}", call)
        check(imported(client)["unchanged"] == 5)
        text = client.call("GET", f"{CALENDAR}?from=2026-03-01&to=2026-06-01", want=200, accept="text/calendar")
        check(all(len(line.encode()) <= 75 for line in text.split("\r\n")), text)
        check(text.count("BEGIN:VEVENT") == 5 and "RECURRENCE-ID" in text and "BEGIN:VTIMEZONE" in text, text)
        check("EXDATE;TZID=Europe/Madrid:20260330T093000" in text and text.count("EXDATE") == 1, text)
        for one in client.call("GET", f"{RECORDS}?limit=100")["records"]:
            client.call("DELETE", f"{RECORDS}/{urllib.parse.quote(one['id'])}?base_version={one['version']}", want=200)
        check(imported(client, text=text)["imported"] == 5)
        again = client.range("from=2026-03-01&to=2026-06-01")["occurrences"]
        view = [[(one["id"], one["start"], one["end"], one["data"]["title"], one["all_day"]) for one in side] for side in (first, again)]
        check(view[0] == view[1], view)


@test
def a_calendar_read_again_books_what_it_booked(folder):
    server, client = begin(folder)
    with server:
        client.call("PUT", f"{RECORDS}/w", {**WEEKLY, "room": "red, big; \\"}, want=201)
        client.call("PUT", f"{RECORDS}/two", event("2026-03-30T10:00Z", "2026-03-30T11:00Z", ["blue", "green"]), want=201)
        first = client.range("from=2026-03-01&to=2026-06-01")["occurrences"]
        text = client.call("GET", f"{CALENDAR}?from=2026-03-01&to=2026-06-01", want=200, accept="text/calendar")
        for name in ("w", "two"):
            client.call("DELETE", f"{RECORDS}/{name}?base_version=1", want=200)
        check(client.range("from=2026-03-01&to=2026-06-01")["occurrences"] == [])
        answer = client.call("POST", CALENDAR, text.encode(), want=200, content_type="text/calendar")
        check(answer["imported"] == 2, answer)
        again = client.range("from=2026-03-01&to=2026-06-01")["occurrences"]
        view = [[(one["id"], one["start"], one["resources"]) for one in side] for side in (first, again)]
        check(view[0] == view[1] and len(first) > 2, view)


@test
def what_is_no_calendar_is_refused(folder):
    server, client = begin(folder)
    with server:
        for text in ("hello", "id,name\n1,x\n", "\0"):
            answer = imported(client, text=text, want=400)
            check(answer["code"] == "BAD_REQUEST" and "line 1" in answer["detail"], answer)
        check(imported(client, text="BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n")["imported"] == 0)


@test
def bad_events_are_told_by_line(folder):
    server, client = begin(folder)
    with server:
        text = ("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:good\r\nDTSTART:20260330T100000Z\r\nDTEND:20260330T110000Z\r\nEND:VEVENT\r\n"
                "BEGIN:VEVENT\r\nUID:bad\r\nDTSTART:20260231T100000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n")
        answer = imported(client, text=text, want=422)
        check(answer["code"] == "INVALID_TIME" and "line 9" in answer["detail"], answer)
        answer = imported(client, "&on_error=continue", text=text)
        check(answer["imported"] == 1 and answer["errors"] == [
            {"line": 9, "uid": "bad", "code": "INVALID_TIME", "detail": answer["errors"][0]["detail"]}], answer)
        check(imported(client, text=text.replace("110000Z", "120000Z").replace("0231", "0301"), want=409)["code"] == "ALREADY_EXISTS")
        check(imported(client, "&replace=1", text=text.replace("110000Z", "120000Z").replace("0231", "0301"), want=422))
        clash = text.replace("UID:good", "UID:other").replace("0231", "0301").replace("END:VEVENT\r\nEND:VC", "DURATION:PT1H\r\nEND:VEVENT\r\nEND:VC")
        check(imported(client, text=clash, want=409)["code"] == "SLOT_TAKEN")


@test
def nobody_meets_what_they_may_not_see(folder):
    token = must("init", "--data", os.path.join(folder, "data"), "--json").json["token"]
    server = Server(folder)
    client = Client(server)
    with server:
        admin = {"authorization": f"Bearer {token}"}
        made = client.call("POST", "/v1/stet/tokens", {"actor": "ann"}, want=201, **admin)
        ann = {"authorization": f"Bearer {made['token']}"}
        kind = {**TYPE, "access": {"read": "private is null || owner = actor.id", "create": True, "update": True,
                                   "fields": {"/title": {"hidden": "owner != actor.id"}}}}
        status_of = client.call("PUT", "/v1/main/types/events", kind, **admin)
        check(status_of["version"] == 1, status_of)
        client.call("PUT", f"{RECORDS}/open", event("2026-03-02T09:00", "2026-03-02T10:00", owner="bob"), want=201, **admin)
        client.call("PUT", f"{RECORDS}/hers", event("2026-03-02T10:00", "2026-03-02T11:00", owner="ann", private=True), want=201, **admin)
        client.call("PUT", f"{RECORDS}/his", event("2026-03-02T11:00", "2026-03-02T12:00", owner="bob", private=True), want=201, **admin)

        def told(who):
            answer = client.call("GET", f"{CALENDAR}?from=2026-03-01", want=200, **who)
            return [(one["id"], one["data"].get("title")) for one in answer["occurrences"]]
        check(told(admin) == [("open", "Meeting"), ("hers", "Meeting"), ("his", "Meeting")], told(admin))
        check(told(ann) == [("open", None), ("hers", "Meeting")], told(ann))
        text = client.call("GET", f"{CALENDAR}?from=2026-03-01", want=200, accept="text/calendar", **ann)
        check(text.count("BEGIN:VEVENT") == 2 and text.count("SUMMARY") == 1 and "his" not in text, text)


main()
