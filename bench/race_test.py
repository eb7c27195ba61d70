"""What race.py makes of rows: ratios by round, goals met, missed and not measured."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

PROGRAM = sys.argv.pop(1)


def load(target, mode, connections, rates, p99s=None, records=10000, run=1):
    p99s = p99s or [1000] * len(rates)
    parts = [{"per_s": rate, "p99_us": p99} for rate, p99 in zip(rates, p99s)]
    return {
        "benchmark": "http", "run": run, "target": target, "mode": mode, "connections": connections,
        "records": records, "per_s": sorted(rates)[(len(rates) - 1) // 2], "p50_us": 500,
        "p99_us": p99s[0], "in_rounds": parts,
    }


def queue(target, mode, rates, p50_us=500, run=1):
    parts = [{"per_s": rate, "p99_us": 1000} for rate in rates]
    return {"benchmark": "queue", "run": run, "target": target, "mode": mode, "connections": 64,
            "per_s": rates[0], "p50_us": p50_us, "p99_us": 1000, "in_rounds": parts}


def say(rows):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "rows.json")
        with open(path, "w", encoding="utf-8") as out:
            out.writelines(json.dumps(row) + "\n" for row in rows)
        done = subprocess.run([sys.executable, PROGRAM, path], capture_output=True, text=True,
                              check=True)
    return done.stdout


def goal(text, name):
    lines = [line for line in text.splitlines() if line.startswith(name)]
    if len(lines) != 1:
        raise AssertionError(f"{len(lines)} lines begin with {name!r}:\n{text}")
    return lines[0]


class Goals(unittest.TestCase):
    def test_a_goal_is_met_exactly_at_its_bound(self):
        text = say([load("stet", "update", 64, [180]), load("redis", "update", 64, [100])])
        self.assertTrue(goal(text, "updates, 64 connections, beside redis").endswith(" met"))

    def test_a_goal_just_below_its_bound_is_missed(self):
        text = say([load("stet", "update", 64, [179.9]), load("redis", "update", 64, [100])])
        self.assertTrue(goal(text, "updates, 64 connections, beside redis").endswith("MISSED"))

    def test_less_is_better_for_a_p99(self):
        rows = [load("stet", "update", 256, [100], [2001]), load("redis", "update", 256, [100], [2000])]
        self.assertTrue(goal(say(rows), "p99 of updates, 256").endswith("MISSED"))
        rows[0] = load("stet", "update", 256, [100], [2000])
        self.assertTrue(goal(say(rows), "p99 of updates, 256").endswith(" met"))

    def test_what_nobody_measured_is_not_met(self):
        text = say([load("stet", "update", 64, [1e6])])
        for name in ("updates, 64 connections, beside etcd", "idle server", "hot GET, 64",
                     "events to 10,000", "updates of a million records, 64"):
            self.assertTrue(goal(text, name).endswith("not measured"), name)

    def test_a_ratio_is_the_median_of_the_rounds(self):
        # The medians' ratio would be 2.0: a round in which the machine was slow for both must not count twice.
        rows = [load("stet", "update", 64, [10, 200, 300]), load("redis", "update", 64, [10, 100, 200])]
        self.assertIn(" 1.50 ", goal(say(rows), "updates, 64 connections, beside redis"))

    def test_a_million_is_compared_with_ten_thousand(self):
        rows = [load("stet", "update", 64, [100, 100]),
                load("stet", "update", 64, [59], records=1000000)]
        line = goal(say(rows), "updates of a million records, 64")
        self.assertIn(" 0.59 ", line)
        self.assertTrue(line.endswith("MISSED"))

    def test_only_those_of_one_run_are_compared(self):
        rows = [load("stet", "update", 64, [100]), load("redis", "update", 64, [100]),
                load("stet", "update", 64, [1000], run=2)]
        self.assertIn(" 1.00 ", goal(say(rows), "updates, 64 connections, beside redis"))
        self.assertEqual(goal(say(rows), "update         64").split()[2], "100")

    def test_a_way_of_a_peer_is_the_peer(self):
        rows = [load("stet", "update", 64, [400]), load("postgres function", "update", 64, [100])]
        self.assertTrue(goal(say(rows), "updates, 64 connections, beside postgres").endswith(" met"))

    def test_several_spaces_are_another_matter(self):
        row = load("stet", "update", 64, [1000])
        row["spaces"] = 4
        rows = [load("stet", "update", 64, [100]), row, load("redis", "update", 64, [100])]
        self.assertIn(" 1.00 ", goal(say(rows), "updates, 64 connections, beside redis"))

    def test_the_server_by_itself(self):
        rows = [{"benchmark": "start", "target": "redis", "resident_mib": 99, "listening_ms": 99},
                {"benchmark": "start", "target": "stet", "resident_mib": 12.1, "listening_ms": 9}]
        text = say(rows)
        self.assertTrue(goal(text, "idle server").endswith("MISSED"))
        self.assertTrue(goal(text, "from exec").endswith(" met"))

    def test_few_subscribers_are_not_ten_thousand(self):
        feed = {"benchmark": "feed", "mix": "type", "subscribers": 100, "events_per_s": 900000}
        self.assertTrue(goal(say([feed]), "events to").endswith("not measured"))
        feed["subscribers"] = 10000
        self.assertTrue(goal(say([feed]), "events to").endswith(" met"))


    def test_a_read_is_compared_with_the_echo_of_its_run(self):
        rows = [load("stet", "get", 64, [80]), load("echo", "echo", 64, [100]),
                load("stet", "get", 64, [10], run=2)]
        self.assertTrue(goal(say(rows), "hot GET, 64").endswith(" met"))
        rows[0] = load("stet", "get", 64, [79])
        self.assertTrue(goal(say(rows), "hot GET, 64").endswith("MISSED"))


    def test_the_queue_beside_others(self):
        rows = [queue("stet", "submit", [190]), queue("beanstalkd", "submit", [100]),
                queue("stet", "cycle", [8000]), queue("postgres", "cycle", [2666]),
                queue("stet", "wake", [400], p50_us=2001)]
        text = say(rows)
        self.assertTrue(goal(text, "submissions to the queue").endswith("MISSED"))
        self.assertTrue(goal(text, "submit, claim, complete   ").endswith(" met"))
        self.assertTrue(goal(text, "submit, claim, complete, beside").endswith(" met"))
        self.assertTrue(goal(text, "a waiting claim wakes").endswith("MISSED"))

    def test_queues_of_another_run_are_not_compared(self):
        text = say([queue("beanstalkd", "submit", [100], run=1), queue("stet", "submit", [500], run=2)])
        self.assertTrue(goal(text, "submissions to the queue").endswith("not measured"))
        self.assertTrue(goal(text, "a waiting claim wakes").endswith("not measured"))


    def test_bookings_beside_those_of_postgres(self):
        rows = [load("stet", "book", 64, [20000, 20000], records=1000000),
                load("postgres exclusion", "book", 64, [6666, 6667], records=1000000),
                load("stet", "slot", 64, [19999], records=1000000)]
        text = say(rows)
        self.assertTrue(goal(text, "bookings beside a million").endswith(" met"))
        self.assertTrue(goal(text, "bookings, beside postgres").endswith("MISSED"))
        self.assertTrue(goal(text, "refusals").endswith("MISSED"))

    def test_bookings_beside_few_spans_are_not_those_beside_a_million(self):
        text = say([load("stet", "book", 64, [90000]), load("postgres", "book", 64, [100]),
                    load("stet", "slot", 64, [20000])])
        self.assertTrue(goal(text, "bookings beside a million").endswith("not measured"))
        self.assertTrue(goal(text, "bookings, beside postgres").endswith(" met"))
        self.assertTrue(goal(text, "refusals").endswith(" met"))

    def test_bookings_of_another_run_are_not_compared(self):
        text = say([load("stet", "book", 64, [500], run=2), load("postgres", "book", 64, [100])])
        self.assertTrue(goal(text, "bookings, beside postgres").endswith("not measured"))

    def test_what_a_rule_adds(self):
        rule = {"benchmark": "access", "rule": "record", "get_times": 1.15, "list_times": 1.31}
        text = say([rule])
        self.assertTrue(goal(text, "hot GET with a rule judged").endswith(" met"))
        self.assertTrue(goal(text, "list with a rule judged").endswith("MISSED"))
        self.assertTrue(goal(text, "list with a rule settled").endswith("not measured"))


class Table(unittest.TestCase):
    def test_rows_of_other_benchmarks_are_passed_over(self):
        self.assertIn("Goals", say([{"list": 1}, {"benchmark": "update", "updates_per_s": 1}]))

    def test_a_row_has_ours_theirs_and_the_ratio(self):
        rows = [load("stet", "update", 64, [300]), load("redis", "update", 64, [200])]
        line = goal(say(rows), "update         64")
        self.assertEqual(line.split(), ["update", "64", "300", "0.50", "1.00",
                                        "200", "0.50", "1.00", "1.50"])

    def test_a_peer_that_cannot_leaves_its_place_empty(self):
        rows = [load("stet", "get304", 64, [300]), load("redis", "update", 64, [200])]
        self.assertEqual(goal(say(rows), "get304").split(), ["get304", "64", "300", "0.50", "1.00"])


if __name__ == "__main__":
    unittest.main()
