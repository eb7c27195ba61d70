#!/usr/bin/env python3
"""A zone's clock is changed by law: a server that is started with new time zone data computes again when its records take place."""
import json
import os
import re
import shutil
import urllib.request

from harness import Server, check, check_has, main, must, refused, test, wait_for

TYPE = {"exclusive": {
    "resource": "/room", "start": "/start", "end": "/end", "tz": "/tz", "unless": "status = 'cancelled'",
    "recurrence": {"rrule": "/rrule", "exdate": "/exdate", "rdate": "/rdate", "series": "/series", "original_start": "/original_start"}}}


def zone_data(folder, name, like):
    """A folder as of /usr/share/zoneinfo: version `name`, in which Test/Town has the clock of another place."""
    place = os.path.join(folder, name)
    os.makedirs(os.path.join(place, "Test"))
    shutil.copy(os.path.join("/usr/share/zoneinfo", like), os.path.join(place, "Test", "Town"))
    with open(os.path.join(place, "tzdata.zi"), "w", encoding="utf-8") as file:
        file.write(f"# version {name}\n")
    return {"TZDIR": place}


def talk(start, end, room="red", **more):
    return json.dumps({"room": room, "start": f"2026-03-{start}", "end": f"2026-03-{end}", "tz": "Test/Town", **more})


def declare(server, folder, *words, name="talks"):
    path = os.path.join(folder, "type.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(TYPE, file)
    must("types", "put", name, path, *words, "--url", server.url)


def starts(server):
    answer = must("calendar", "talks", "--from", "2026-03-01", "--to", "2026-05-01", "--json", "--url", server.url).json
    return answer["tzdata"], [(one["id"], one["start"][:16]) for one in answer["occurrences"]]


def version_of(server):
    return must("types", "show", "talks", "--json", "--url", server.url).json["version"]


def metric(server):
    with urllib.request.urlopen(server.url + "/metrics", timeout=30) as answer:
        found = re.search(r'^stet_booking_clashes_total\{space="main"\} (\d+)', answer.read().decode(), re.M)
        return found and int(found.group(1))


@test
def bookings_move_with_their_clock(folder):
    east, west = zone_data(folder, "2026a", "Europe/Berlin"), zone_data(folder, "2026b", "Europe/London")
    with Server(folder, "--no-auth", env=east) as server:
        declare(server, folder)
        must("put", "talks/a", talk("02T09:00", "02T10:00"), "--url", server.url)
        must("put", "talks/w", talk("03T09:00", "03T10:00", rrule="FREQ=WEEKLY;COUNT=2"), "--url", server.url)
        must("put", "talks/utc", talk("04T09:00Z", "04T10:00Z"), "--url", server.url)
        must("put", "talks/off", talk("05T09:00", "05T10:00", status="cancelled"), "--url", server.url)
        check(starts(server) == ("2026a", [("a", "2026-03-02T08:00"), ("w", "2026-03-03T08:00"), ("utc", "2026-03-04T09:00"),
                                           ("w", "2026-03-10T08:00")]), starts(server))
        before = version_of(server)
    with Server(folder, "--no-auth", env=west) as server:
        moved = ("2026b", [("a", "2026-03-02T09:00"), ("w", "2026-03-03T09:00"), ("utc", "2026-03-04T09:00"), ("w", "2026-03-10T09:00")])
        wait_for(lambda: starts(server) == moved, "bookings by the new clock")
        check(version_of(server) == before + 1, "it is a version of the type, by the server")
        check(metric(server) == 0, "nothing overlaps")
        # What was booked by the old clock is free again, what is booked by the new one is taken.
        must("put", "talks/early", talk("02T08:00Z", "02T09:00Z"), "--url", server.url)
        check_has(refused(3, "put", "talks/late", talk("02T09:00Z", "02T09:30Z"), "--url", server.url).err, "talks/a")
        must("delete", "talks/a", "--base", "1", "--url", server.url)
        must("put", "talks/late", talk("02T09:00Z", "02T10:00Z"), "--url", server.url)
    with Server(folder, "--no-auth", env=west) as server:
        check(starts(server)[0] == "2026b" and version_of(server) == before + 1, "nothing is left to do")


@test
def what_meets_by_the_new_clock_stays_and_is_told(folder):
    east, west = zone_data(folder, "2026a", "Europe/Berlin"), zone_data(folder, "2026b", "Europe/London")
    with Server(folder, "--no-auth", env=east) as server:
        declare(server, folder)
        must("put", "talks/a", talk("02T09:00", "02T10:00"), "--url", server.url)
        must("put", "talks/b", talk("02T09:00Z", "02T10:00Z"), "--url", server.url)
    with Server(folder, "--no-auth", env=west) as server:
        wait_for(lambda: starts(server)[1] == [("a", "2026-03-02T09:00"), ("b", "2026-03-02T09:00")], "both to be there")
        wait_for(lambda: metric(server) == 1, "the clash to be counted")
        wait_for(lambda: "overlap others" in server.log(), "the clash to be told")
        check_has(server.log(), r"by tzdata 2026b 1 bookings of type .*talks.* overlap others, such as .*talks/b")
        refused(3, "put", "talks/c", talk("02T09:30Z", "02T10:00Z"), "--url", server.url)
        must("patch", "talks/a", '{"title": "Still there"}', "--base", "1", "--url", server.url)
        must("patch", "talks/a", '{"start": "2026-03-02T12:00", "end": "2026-03-02T13:00"}', "--base", "2", "--url", server.url)
        must("delete", "talks/b", "--base", "1", "--url", server.url)
        must("put", "talks/c", talk("02T09:30Z", "02T10:00Z"), "--url", server.url)


@test
def what_is_written_before_the_rows_are_new_leaves_none_behind(folder):
    """Many types are still to be computed while somebody writes."""
    east, west = zone_data(folder, "2026a", "Europe/Berlin"), zone_data(folder, "2026b", "Europe/London")
    names = [f"t{number}" for number in range(12)]
    with Server(folder, "--no-auth", env=east) as server:
        for name in names:
            declare(server, folder, name=name)
            must("put", f"{name}/a", talk("02T09:00", "02T10:00"), "--url", server.url)
    with Server(folder, "--no-auth", env=west) as server:
        for name in reversed(names):
            must("delete", f"{name}/a", "--base", "1", "--url", server.url)
        wait_for(lambda: server.log().count("were computed by tzdata 2026b") == len(names), "all of them")
        for name in names:
            must("put", f"{name}/b", talk("02T08:00Z", "02T10:00Z"), "--url", server.url)


main()
