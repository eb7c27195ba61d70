#!/usr/bin/env python3
"""stet calendar, free and import of iCalendar: what takes place, when there is room, and files of other programs."""
import json
import os

from harness import Server, check, check_has, main, must, refused, stet, test

TYPE = {"exclusive": {
    "resource": "/room", "start": "/start", "end": "/end", "tz": "/tz",
    "recurrence": {"rrule": "/rrule", "exdate": "/exdate", "rdate": "/rdate", "series": "/series", "original_start": "/original_start"},
    "hours": {"zone": "Europe/Madrid", "mon": [["09:00", "13:00"]], "tue": [["09:00", "13:00"]]}}}
MARCH = ("--from", "2026-03-01", "--to", "2026-04-01")
ICS = """BEGIN:VCALENDAR\r
VERSION:2.0\r
PRODID:-//test//\r
BEGIN:VEVENT\r
UID:stand-up\r
SUMMARY:Stand-up\r
DTSTART;TZID=Europe/Madrid:20260302T093000\r
DTEND;TZID=Europe/Madrid:20260302T100000\r
END:VEVENT\r
BEGIN:VEVENT\r
UID:broken\r
DTSTART:soon\r
END:VEVENT\r
END:VCALENDAR\r
"""


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(text)
    return path


def begin(folder, declaration=None):
    """A server with rooms; commands go to it."""
    server = Server(folder, "--no-auth")
    must("types", "put", "events", write(folder, "type.json", json.dumps(declaration or TYPE)), "--url", server.url)
    return server, lambda *words, **more: must(*words, "--url", server.url, **more)


def event(day, start, end, room="red", **more):
    return json.dumps({"title": "Talk", "room": room, "start": f"2026-03-{day}T{start}", "end": f"2026-03-{day}T{end}",
                       "tz": "Europe/Madrid", **more})


@test
def a_calendar_is_a_table_by_day(folder):
    server, run = begin(folder)
    with server:
        run("put", "events/w", event("02", "09:30", "10:00", rrule="FREQ=WEEKLY;COUNT=3"))
        run("put", "events/late", event("02", "23:00", "01:00", "blue", title="Evil \x1b[31m").replace("02T01", "03T01"))
        run("put", "events/off", json.dumps({"title": "Holiday", "room": "blue", "start": "2026-03-20", "end": "2026-03-22", "tz": "Europe/Madrid"}))
        out = run("calendar", "events", *MARCH).out
        rows = [line.split() for line in out.splitlines()]
        check(rows[0] == ["DAY", "FROM", "TO", "ID", "RESOURCES", "ZONE", "WHAT"], out)
        check(rows[1] == ["Mon", "2026-03-02", "09:30", "10:00", "w", "red", "Europe/Madrid", "Talk"], out)
        check(rows[2][:6] == ["23:00", "01:00", "on", "2026-03-03", "late", "blue"], "the day is said once: " + out)
        check("\x1b" not in out, "what a record says does not steer the terminal")
        check([row[:2] for row in rows[3:]] == [["Mon", "2026-03-09"], ["Mon", "2026-03-16"], ["Fri", "2026-03-20"]], out)
        check(rows[5][2:9] == ["all", "day", "before", "2026-03-22", "off", "blue", "Europe/Madrid"], out)
        only = run("calendar", "events", *MARCH, "--resource", "blue").out
        check("late" in only and " w " not in only, only)
        both = run("calendar", "events", *MARCH, "--resource", "blue", "--resource", "red", "--resource", "blue", "--json").json
        check([one["id"] for one in both["occurrences"]] == ["w", "late", "w", "w", "off"], both)
        check_has(run("calendar", "events", "--from", "2026-05-01", "--to", "2026-05-02").out, r"^nothing takes place from 2026-05-01 00:00:00 to")
        noon = run("calendar", "events", "--from", "2026-03-02T09:45", "--to", "2026-03-02T09:50", "--zone", "Europe/Madrid", "--json").json
        check([one["id"] for one in noon["occurrences"]] == ["w"], "from and to are of that zone")
        check_has(refused(1, "calendar", "events", "--from", "soon", "--url", server.url).err, r"INVALID_TIME.*field: from")
        refused(1, "calendar", "other", "--url", server.url)


@test
def a_calendar_of_many_pages_is_shown_whole(folder):
    server, run = begin(folder)
    with server:
        run("put", "events/w", event("02", "09:30", "10:00", rrule="FREQ=DAILY;COUNT=1300"))
        lines = run("calendar", "events", "--from", "2026-03-01", "--to", "2035-01-01").out.splitlines()
        check(len(lines) == 1 + 1300 and len(set(lines)) == 1301, f"{len(lines)} lines")


@test
def free_times_are_by_the_clock_of_the_hours(folder):
    server, run = begin(folder)
    with server:
        run("put", "events/a", event("02", "09:00", "12:30"))
        out = run("free", "events", "--resource", "red", "--resource", "blue", "--duration", "1h", "--from", "2026-03-02", "--limit", "2").out
        check([line.split() for line in out.splitlines()] == [
            ["DAY", "FROM", "TO", "RESOURCE"], ["Mon", "2026-03-02", "09:00", "10:00", "blue"],
            ["Mon", "2026-03-02", "10:00", "11:00", "blue"], ["by", "the", "clock", "of", "Europe/Madrid"]], out)
        answer = run("free", "events", "--resource", "red", "--duration", "1h", "--from", "2026-03-02", "--json").json
        check(answer["free"][0]["start_local"] == "2026-03-03T09:00:00" and answer["field"] == "/room", answer)
        check_has(run("free", "events", "--resource", "red", "--duration", "2d", "--from", "2026-03-02").out, r"^no room in that time$")
        check_has(refused(2, "free", "events", "--resource", "red", "--url", server.url).err, "--duration 30m")


@test
def a_time_that_is_taken_is_told_in_words(folder):
    server, run = begin(folder)
    with server:
        run("put", "events/a", event("09", "09:00", "10:00"))
        ran = refused(3, "put", "events/b", event("09", "09:30", "10:30"), "--url", server.url)
        check_has(ran.err, r"\(SLOT_TAKEN\)\n.*  taken: events/a red  from 2026-03-09 08:00:00 to 2026-03-09 09:00:00 UTC\n"
                           r"  free: red  from 2026-03-09 09:00:00 to 2026-03-09 10:00:00 UTC\n")
        run("put", "events/a2", event("16", "09:00", "10:00"))
        ran = refused(3, "put", "events/w", event("02", "09:30", "10:00", rrule="FREQ=WEEKLY;COUNT=4"), "--url", server.url)
        check_has(ran.err, r"taken: events/a red  .* UTC, in the way of what begins 2026-03-09 08:30:00\n"
                           r"  taken: events/a2 red  .* UTC, in the way of what begins 2026-03-16 08:30:00\n")


@test
def bookings_that_overlap_already_are_named(folder):
    with Server(folder, "--no-auth") as server:
        for name in "ab":
            must("put", f"events/{name}", event("09", "09:00", "10:00"), "--url", server.url)
        ran = refused(3, "types", "put", "events", write(folder, "type.json", json.dumps(TYPE)), "--url", server.url)
        check_has(ran.err, r"\n  events/b  /room  overlaps events/a\n  --force")


@test
def an_icalendar_file_goes_in_and_out(folder):
    server, run = begin(folder)
    with server:
        path = write(folder, "work.ICS", ICS)
        tried = stet("import", path, "--type", "events", "--resource", "red", "--dry-run", "--url", server.url)
        check(tried.code == 1, tried)
        check_has(tried.out, r"^1 would be imported, 0 there already, 1 failed$")
        check_has(tried.err, r"^line 12: broken: .*\(INVALID_TIME\)\n$")
        refused(4, "get", "events/stand-up", "--url", server.url)
        refused(1, "import", path, "--type", "events", "--on-error", "stop", "--url", server.url)
        refused(4, "get", "events/stand-up", "--url", server.url)
        check_has(stet("import", "-", "--format", "ics", "--type", "events", "--resource", "red", "--url", server.url, stdin=ICS).out,
                  r"^1 imported, 0 there already, 1 failed$")
        again = stet("import", path, "--type", "events", "--resource", "red", "--json", "--url", server.url).json
        check((again["imported"], again["unchanged"], again["failed"]) == (0, 1, 1), again)
        text = run("calendar", "events", *MARCH, "--ics").out
        check_has(text, r"^BEGIN:VCALENDAR.*UID:stand-up.*SUMMARY:Stand-up.*END:VCALENDAR")
        other = write(folder, "other", text.replace("Stand-up", "Sit-down"))
        check_has(refused(1, "import", other, "--format", "ics", "--type", "events", "--resource", "red", "--url", server.url).err, "ALREADY_EXISTS")
        must("import", other, "--format", "ics", "--type", "events", "--resource", "red", "--update", "--url", server.url)
        check(run("get", "events/stand-up", "--json").json["data"]["title"] == "Sit-down")
        check_has(refused(1, "calendar", "events", "--from", "x", "--ics", "--url", server.url).err, "INVALID_TIME")


@test
def options_that_do_not_fit_together_are_refused(folder):
    path, table = write(folder, "a.ics", ICS), write(folder, "a.csv", "id,a\n1,2\n")
    with Server(folder, "--no-auth") as server:
        for words, why in (((path,), "--type"), ((path, "--type", "t", "--map", "m.json"), "--map is not for"),
                           ((path, "--type", "t", "--resume"), "--resume is not for"), ((path, "--type", "t", "--resource", "a", "--resource", "b"), "once"),
                           ((path, "--type", "t", "--on-error", "maybe"), "--on-error"), ((table, "--type", "t", "--zone", "UTC"), "--format ics")):
            check_has(refused(2, "import", *words, "--url", server.url).err, why)


main()
