#!/usr/bin/env python3
"""ops/prometheus and ops/grafana: every metric and every label they name is one that a server shows, after a bit of everything was done.

PyYAML reads the rules. Prometheus itself is not asked: its package is large. What an expression must look like is checked as far as
parentheses, names and labels go.
"""
import json
import os
import re
import sys
import urllib.error
import urllib.request

import yaml

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from harness import TOP, WAIT_S, Server, check, main, test, wait_for  # noqa: E402

SCRAPED = {"instance", "job"}  # Labels that Prometheus adds.
SAMPLE = re.compile(r'^(\w+?)(?:\{(.*)\})? \S+$', re.M)


def ask(server, method, path, body=None, **headers):
    """(status, body)"""
    request = urllib.request.Request(server.url + path, method=method, data=None if body is None else json.dumps(body).encode(),
                                     headers={"Content-Type": "application/json",
                                              **{key.replace("_", "-"): value for key, value in headers.items()}})
    try:
        with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def must(server, method, path, body=None, **headers):
    status, text = ask(server, method, path, body, **headers)
    check(200 <= status < 300, f"{method} {path}: {status} {text}")
    return json.loads(text) if text else None


def do_a_bit_of_everything(server):
    must(server, "PUT", "/v1/main/settings", {"limits": {"records": 1000, "bytes": 100000000}})
    must(server, "PUT", "/v1/main/records/deals/1", {"n": 1})
    must(server, "PUT", "/v1/main/records/deals/1", {"n": 2}, If_Match='"1"')
    check(ask(server, "PUT", "/v1/main/records/deals/1", {"n": 3}, If_Match='"1"')[0] == 412, "a stale write is a conflict")
    must(server, "PUT", "/v1/main/functions/count", {"source": "put('deals', '2', {n = input})"})
    must(server, "POST", "/v1/main/functions/count", {"input": 1})
    must(server, "PUT", "/v1/main/functions/broken", {"source": "error('no')"})
    check(ask(server, "POST", "/v1/main/functions/broken", {"input": 1})[0] == 422, "a function that fails says so")
    must(server, "PUT", "/v1/main/handlers/watch", {"type": "deals", "on": ["create"], "agent": "robot"})
    must(server, "POST", "/v1/main/operations", {"lane": "work", "agent": "robot", "input": 1})
    claimed = must(server, "POST", "/v1/main/lanes/work/claim", {"agent": "robot"})["operations"][0]
    must(server, "POST", f"/v1/main/operations/{claimed['id']}/complete", {"lease": claimed["lease"]["token"], "result": 1})
    must(server, "POST", "/v1/main/operations", {"lane": "work", "agent": "robot", "input": 2})
    # A handler counts once the server has given it a place to begin at, which nobody waits for.
    wait_for(lambda: "stet_handler_lag" in shown(server), "the handler to be placed")


def shown(server):
    """{metric: set of its labels}; of a histogram with its _bucket, _sum and _count."""
    names = {}
    for name, labels in SAMPLE.findall(ask(server, "GET", "/metrics")[1]):
        names.setdefault(name, set()).update(re.findall(r'(\w+)="', labels or ""))
    return names


def check_expression(expression, metrics, where):
    depth = 0
    for character in re.sub(r'"[^"]*"', "", expression):
        depth += (character in "({[") - (character in ")}]")
        check(depth >= 0, f"{where}: a bracket too many: {expression}")
    check(depth == 0, f"{where}: a bracket is open: {expression}")
    used = re.findall(r"\b(stet[:_][\w:]+)", expression)
    check(used, f"{where}: it names no metric: {expression}")
    known = set(SCRAPED)
    for name in used:
        check(name in metrics, f"{where}: no server shows {name}")
        known |= metrics[name]
    for group in re.findall(r"\bby \(([^)]*)\)", expression) + re.findall(r"\{([^}]*)\}", expression):
        for label in re.findall(r"(\w+)(?:\s*[=!]~?\s*\"[^\"]*\")?(?:,|$)", group.replace(" ", "")):
            check(label in known, f"{where}: {used} have no label {label}")


@test
def rules_and_dashboard_name_what_there_is(folder):
    with Server(folder, "--no-auth") as server:
        do_a_bit_of_everything(server)
        metrics = shown(server)
    with open(os.path.join(TOP, "ops/prometheus/stet.rules.yml"), encoding="utf-8") as file:
        groups = yaml.safe_load(file)["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    for rule in rules:
        check(("record" in rule) != ("alert" in rule), f"one of record and alert: {rule}")
        where = rule.get("record") or rule["alert"]
        check_expression(rule["expr"], metrics, where)
        if "record" in rule:
            metrics[rule["record"]] = set(re.findall(r"\w+", re.search(r"by \((.*?)\)", rule["expr"]).group(1)))
            continue
        check(rule["labels"]["severity"] in ("warning", "critical"), f"{where}: severity")
        check(re.fullmatch(r"\d+[smh]", rule.get("for", "1s")), f"{where}: for")
        of = {label for name in re.findall(r"\b(stet[:_][\w:]+)", rule["expr"]) for label in metrics[name]} | SCRAPED
        for label in re.findall(r"\$labels\.(\w+)", json.dumps(rule["annotations"])):
            check(label in of, f"{where}: its words name {label}, which it does not have")
    check(len(rules) > 10, "there are rules")

    with open(os.path.join(TOP, "ops/grafana/stet.json"), encoding="utf-8") as file:
        dashboard = json.load(file)
    variables = {variable["name"] for variable in dashboard["templating"]["list"]}
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            named = set(re.findall(r"\$(\w+)", target["expr"])) - {"__rate_interval"}
            check(named <= variables, f"{panel['title']}: {named - variables} is no variable")
            check_expression(target["expr"], metrics, panel["title"])
    check(len(dashboard["panels"]) > 10, "there are panels")


@test
def what_is_not_there_is_found(folder):
    metrics = {"stet_seq": {"space"}}
    check_expression('sum by (space) (stet_seq{space=~"a"})', metrics, "good")
    for wrong in ("stet_sex", "sum by (lane) (stet_seq)", 'stet_seq{lane="a"}', "sum(stet_seq", "up"):
        try:
            check_expression(wrong, metrics, "wrong")
        except Exception:
            continue
        raise AssertionError(f"{wrong} passes")


def documented_metrics():
    with open(os.path.join(TOP, "docs/metrics.md"), encoding="utf-8") as file:
        return set(re.findall(r"`(stet_\w+)`", file.read()))


@test
def what_is_shown_is_documented(folder):
    with Server(folder, "--no-auth", "--backup-dir", os.path.join(folder, "backups"), "--backup-every", "1h") as server:
        do_a_bit_of_everything(server)
        text = ask(server, "GET", "/metrics")[1]
    metrics, documented = set(re.findall(r"^# TYPE (\w+) ", text, re.M)), documented_metrics()
    check(len(metrics) > 60, f"there are metrics: {sorted(metrics)}")
    check(metrics <= documented, f"docs/metrics.md does not tell of {sorted(metrics - documented)}")
    gone = documented - metrics
    check(not gone, f"docs/metrics.md tells of {sorted(gone)}, which no server shows")


@test
def runs_of_functions_are_counted(folder):
    with Server(folder, "--no-auth") as server:
        do_a_bit_of_everything(server)
        text = ask(server, "GET", "/metrics")[1]
    runs = {(place, outcome): int(count) for place, outcome, count in
            re.findall(r'^stet_function_runs_total\{space="main",place="(\w+)",outcome="(\w+)"\} (\d+)$', text, re.M)}
    total = sum(runs.values())
    check(sum(count for (_, outcome), count in runs.items() if outcome == "done") == 1, f"one was done: {runs}")
    check(sum(count for (_, outcome), count in runs.items() if outcome == "failed") == 1, f"one failed: {runs}")
    check(f'stet_function_seconds_count{{space="main"}} {total}\n' in text, f"each has its time: {total}")


@test
def what_is_watched_is_documented(folder):
    documented = documented_metrics()
    with open(os.path.join(TOP, "ops/grafana/stet.json"), encoding="utf-8") as file:
        used = set(re.findall(r"\bstet_\w+", file.read()))
    used = {re.sub(r"_(bucket|sum|count)$", "", name) for name in used}
    check(used <= documented, f"docs/metrics.md does not tell of {sorted(used - documented)}")


main()
