#!/usr/bin/env python3
"""Reads the lines of JSON of one `make bench` and says who is faster by how much, and which goals are met.

    bench/race.py bench/results/TIME.json

A ratio is the median of the rounds' ratios: neighbours in time had the same machine. Where the two were not measured in turn
(a million records beside ten thousand), it is that of their medians. A goal nobody measured is not met: it says so.
"""

import json
import statistics
import sys

PEERS = ["redis", "postgres", "etcd"]


def read_rows(path):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


class Results:
    """Finds rows; the last one counts, as a file may hold several runs."""

    def __init__(self, rows):
        self.rows = rows
        self.loads = [row for row in rows if row.get("benchmark") == "http"]
        self.ten_thousand = min((row["records"] for row in self.loads), default=0)

    def load(self, target, mode, connections, records=None, run=None):
        """A row of the load generator, of any run or of one. The target's way of doing it does not matter: under one mode there
        is one to compare with, or, of a counter's, the fastest."""
        found = [
            row
            for row in self.loads
            if row["target"].split(" ")[0] == target
            and row["mode"] == mode
            and row["connections"] == connections
            and row["records"] == (records or self.ten_thousand)
            and row.get("spaces", 1) == 1
            and run in (None, row.get("run"))
        ]
        if mode == "add":
            return max(found, key=lambda row: row["per_s"], default=None)
        return found[-1] if found else None

    def race(self, mode, connections):
        """Ours and theirs, {name: row}, out of the run with the most of them: only they took turns."""
        runs = {}
        for row in self.loads:
            if (row["mode"], row["connections"]) == (mode, connections) and (
                row["records"] == self.ten_thousand and row.get("spaces", 1) == 1
            ):
                runs.setdefault(row.get("run"), set()).add(row["target"].split(" ")[0])
        run = max(runs, key=lambda key: len(runs[key]), default=None)
        found = {t: self.load(t, mode, connections, run=run) for t in ["stet"] + PEERS}
        return {target: row for target, row in found.items() if row is not None}

    def last(self, benchmark, **wanted):
        found = [
            row
            for row in self.rows
            if row.get("benchmark") == benchmark and all(row.get(k) == v for k, v in wanted.items())
        ]
        return found[-1] if found else None


def times(ours, other, what="per_s"):
    """How many times as much; None when one of them is missing."""
    if ours is None or other is None:
        return None
    pairs = zip(ours["in_rounds"], other["in_rounds"])
    return statistics.median_low(a[what] / b[what] for a, b in pairs)


def middle(row, what):
    return statistics.median_low(part[what] for part in row["in_rounds"])


# ---- The race ----


def race_lines(results):
    keys = []
    for row in results.loads:
        key = (row["mode"], row["connections"])
        if row["records"] == results.ten_thousand and key not in keys:
            keys.append(key)
    peers = [p for p in PEERS if any(row["target"].split(" ")[0] == p for row in results.loads)]
    head = f"{'':18}{'stet':>9} {'p50 ms':>7} {'p99 ms':>7}"
    head += "".join(f"{peer:>13} {'p50 ms':>7} {'p99 ms':>7} {'times':>6}" for peer in peers)
    lines = [head]
    for mode, connections in keys:
        race = results.race(mode, connections)
        ours = race.get("stet") or results.load("echo", mode, connections)
        if ours is None:
            continue
        line = f"{mode:12}{connections:5} " + rate_text(ours, 9)
        for peer in peers:
            other = race.get(peer)
            ratio = times(ours, other)
            line += " " * 35 if other is None else rate_text(other, 13) + f" {ratio:6.2f}"
        lines.append(line.rstrip())
    return lines


def rate_text(row, width):
    p50, p99 = row["p50_us"] / 1000, middle(row, "p99_us") / 1000
    return f"{row['per_s']:{width}.0f} {p50:7.2f} {p99:7.2f}"


# ---- The goals ----


class Goal:
    """value None: not measured. `unit` stands behind the numbers; at_least False: the less the better."""

    def __init__(self, name, value, bound, unit="", at_least=True, digits=2):
        self.name, self.value, self.bound, self.unit = name, value, bound, unit
        self.at_least, self.digits = at_least, digits

    def state(self):
        if self.value is None:
            return "not measured"
        met = self.value >= self.bound if self.at_least else self.value <= self.bound
        return "met" if met else "MISSED"

    def line(self):
        value = "-" if self.value is None else f"{self.value:,.{self.digits}f}"
        sign = "at least" if self.at_least else "at most"
        return (
            f"{self.name:58}{value:>10} {self.unit:9}{sign:>9} {self.bound:>9,.{self.digits}f}"
            f"   {self.state()}"
        )


def update_goals(results):
    goals = []
    for connections in (64, 256):
        race = results.race("update", connections)
        ours = race.get("stet")
        for peer, bound in (("redis", 1.8), ("postgres", 4), ("etcd", 5)):
            name = f"updates, {connections} connections, beside {peer}"
            goals.append(Goal(name, times(ours, race.get(peer)), bound, "times"))
        p99 = times(ours, race.get("redis"), "p99_us")
        name = f"p99 of updates, {connections} connections, beside redis"
        goals.append(Goal(name, p99, 1, "times", at_least=False))
    race = results.race("update", 1)
    alone = times(race.get("stet"), race.get("redis"))
    goals.append(Goal("updates, 1 connection, beside redis", alone, 0.8, "times"))
    return goals


def read_goals(results):
    goals = []
    for connections in (64, 256):
        echo = results.load("echo", "echo", connections)
        get = results.load("stet", "get", connections, run=echo and echo.get("run"))
        name = f"hot GET, {connections} connections, beside the bare echo"
        goals.append(Goal(name, times(get, echo), 0.8, "times"))
    return goals


def size_goals(results):
    goals = []
    for connections in (64, 256):
        many = results.load("stet", "update", connections, 1000000)
        few = results.load("stet", "update", connections, 10000)
        name = f"updates of a million records, {connections} connections, beside 10,000"
        value = many["per_s"] / few["per_s"] if many and few else None
        goals.append(Goal(name, value, 0.6, "times"))
    return goals


def queue_goals(results):
    def row(target, mode, run):
        return results.last("queue", target=target, mode=mode, run=run)

    last = results.last("queue", target="stet") or {}
    run = last.get("run")
    cycles = row("stet", "cycle", run) or {}
    wake = row("stet", "wake", run)
    put = times(row("stet", "submit", run), row("beanstalkd", "submit", run))
    beside = times(cycles or None, row("postgres", "cycle", run))
    wake_ms = wake["p50_us"] / 1000 if wake else None
    return [
        Goal("submissions to the queue, beside beanstalkd's put", put, 2, "times"),
        Goal("submit, claim, complete", cycles.get("per_s"), 8000, "a second", True, 0),
        Goal("submit, claim, complete, beside postgres", beside, 3, "times"),
        Goal("a waiting claim wakes, median", wake_ms, 2, "ms", False),
    ]


def booking_goals(results):
    """Bookings are measured over as many spans as the run has: a million, unless it is quick."""
    spans = max((row["records"] for row in results.loads if row["mode"] == "book"), default=0)

    def row(target, mode, run):
        return results.load(target, mode, 64, spans, run)

    run = (results.load("stet", "book", 64, spans) or {}).get("run")
    ours = row("stet", "book", run)
    many = ours is not None and spans >= 1000000
    lost = results.load("stet", "slot", 64, spans)
    beside = times(ours, row("postgres", "book", run))
    return [
        Goal("bookings beside a million spans", ours["per_s"] if many else None, 20000,
             "a second", True, 0),
        Goal("bookings, beside postgres with an exclusion constraint", beside, 3, "times"),
        Goal("refusals of those who are after one slot", lost["per_s"] if lost else None, 20000,
             "a second", True, 0),
    ]


def access_goals(results):
    goals = []
    for rule, words in (("record", "judged by each record"), ("role", "settled by a role")):
        row = results.last("access", rule=rule) or {}
        goals.append(Goal(f"hot GET with a rule {words}", row.get("get_times"), 1.15, "times", False))
        goals.append(Goal(f"list with a rule {words}", row.get("list_times"), 1.3, "times", False))
    return goals


def server_goals(results):
    start = results.last("start", target="stet") or {}
    feeds = [
        row["events_per_s"]
        for row in results.rows
        if row.get("benchmark") == "feed" and row["subscribers"] >= 10000 and row["mix"] == "type"
    ]
    return [
        Goal("idle server, resident", start.get("resident_mib"), 12, "MiB", False, 1),
        Goal("from exec to listening", start.get("listening_ms"), 50, "ms", False, 1),
        Goal("events to 10,000 subscribers of one type",
             max(feeds, default=None), 300000, "a second", True, 0),
    ]


def goals_of(results):
    return (
        update_goals(results)
        + read_goals(results)
        + size_goals(results)
        + queue_goals(results)
        + booking_goals(results)
        + access_goals(results)
        + server_goals(results)
    )


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: race.py FILE.json")
    results = Results(read_rows(sys.argv[1]))
    print("The race: operations a second, medians of the rounds, and how many times theirs ours is\n")
    print("\n".join(race_lines(results)))
    print("\nput: an update that is answered with the whole record; all others are told the version.")
    print("\nGoals\n")
    print("\n".join(goal.line() for goal in goals_of(results)))


if __name__ == "__main__":
    main()
