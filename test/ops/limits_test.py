#!/usr/bin/env python3
"""The table of limits in docs/operating.md: what it says is answered past a limit is what a server answers."""
import http.client
import json
import os
import re
import sys
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from harness import TOP, WAIT_S, Server, check, main, test  # noqa: E402


def table():
    """{limit: (value, what is answered)}"""
    with open(os.path.join(TOP, "docs", "operating.md"), encoding="utf-8") as file:
        rows = re.findall(r"^\| `(\w+)` \| (.*?) \| .* \| (.*?) ?\|$", file.read(), re.M)
    return {name: (value, answer) for name, value, answer in rows}


def number(value):
    scale = {"KiB": 1024, "MiB": 1024 ** 2, "minutes": 60, "hours": 3600, "days": 86400}
    digits, _, unit = value.partition(" ")
    return int(digits.replace(",", "")) * scale.get(unit, 1)


class Asked:
    def __init__(self, server):
        self.at = urllib.parse.urlsplit(server.url).netloc

    def __call__(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection(self.at, timeout=WAIT_S)
        try:
            connection.request(method, path, body=body, headers={
                "Content-Type": "application/json", **{key.replace("_", "-"): value for key, value in headers.items()}})
            answer = connection.getresponse()
            text = answer.read()
            try:
                code = json.loads(text).get("code")
            except (ValueError, AttributeError):
                code = None
            return answer.status, code
        finally:
            connection.close()


def listed(count, make):
    return ",".join(make(index) for index in range(count))


# For each limit a request that is exactly at it or one past it, by the number it is given.
REQUESTS = {
    "SPACE_NAME_BYTES_MAX": lambda n: ("PUT", "/v1/" + "s" * n),
    "TYPE_BYTES_MAX": lambda n: ("PUT", f"/v1/main/records/{'t' * n}/1", "{}"),
    "ID_BYTES_MAX": lambda n: ("PUT", f"/v1/main/records/t/{'i' * n}", "{}"),
    "MUTATION_KEY_BYTES_MAX": lambda n: ("PUT", f"/v1/main/records/keys/{n}?client_mutation_id={'k' * n}", "{}"),
    "JSON_DEPTH_MAX": lambda n: ("PUT", f"/v1/main/records/deep/{n}", '{"a":' + "[" * (n - 1) + "]" * (n - 1) + "}"),
    "JSON_NODES_MAX": lambda n: ("PUT", f"/v1/main/records/many/{n}", '{"a":[' + listed(n - 2, lambda _: "0") + "]}"),
    "DATA_BYTES_MAX": lambda n: ("PUT", f"/v1/main/records/large/{n}", '{"a":"' + "x" * (n - 8) + '"}'),
    "TYPE_FIELDS_MAX": lambda n: ("PUT", f"/v1/main/types/f{n}",
                                  '{"fields":{' + listed(n, lambda i: f'"/f{i}":{{"type":"any"}}') + "}}"),
    "TYPE_INDEXES_MAX": lambda n: ("PUT", f"/v1/main/types/x{n}", '{"index":[' + listed(n, lambda i: f'"/f{i}"') + "]}"),
    "INDEX_FIELDS_MAX": lambda n: ("PUT", f"/v1/main/types/y{n}", '{"index":[[' + listed(n, lambda i: f'"/f{i}"') + "]]}"),
    "TYPE_TITLE_BYTES_MAX": lambda n: ("PUT", f"/v1/main/types/t{n}", json.dumps({"title": "t" * n})),
    "TYPE_ENUM_VALUES_MAX": lambda n: ("PUT", f"/v1/main/types/e{n}", json.dumps({"fields": {"/a": {"enum": list(range(n))}}})),
    "RETAIN_DAYS_MAX": lambda n: ("PUT", f"/v1/main/types/r{n}", json.dumps({"retain": {"days": n}})),
    "ASK_DEADLINE_S_MAX": lambda n: ("PUT", f"/v1/main/types/a{n}",
                                     json.dumps({"on_conflict": "ask", "ask": {"deadline_s": n}})),
    "EXPR_BYTES_MAX": lambda n: ("GET", "/v1/main/records/t?where=" + urllib.parse.quote('a = "' + "x" * (n - 6) + '"')),
    "EXPR_DEPTH_MAX": lambda n: ("GET", "/v1/main/records/t?where=" + urllib.parse.quote("(" * n + "a = 1" + ")" * n)),
    "TRANSACTION_MUTATIONS_MAX": lambda n: (
        "POST", "/v1/main/transactions",
        '{"mutations":[' + listed(n, lambda i: f'{{"op":"create","type":"tx{n}","id":"{i}","data":{{}}}}') + "]}"),
    "LIST_LIMIT_MAX": lambda n: ("GET", f"/v1/main/records/t?limit={n}"),
    "LIST_SORT_MAX": lambda n: ("GET", "/v1/main/records/t?sort=" + listed(n, lambda i: f"f{i}")),
    "LIST_FIELDS_MAX": lambda n: ("GET", "/v1/main/records/t?fields=" + listed(n, lambda i: f"f{i}")),
    "HISTORY_LIMIT_MAX": lambda n: ("GET", f"/v1/main/records/there/1/history?limit={n}"),
    "CHANGES_LIMIT_MAX": lambda n: ("GET", f"/v1/main/changes?since=0&limit={n}"),
    "WAIT_S_MAX": lambda n: ("GET", f"/v1/main/changes?since=0&wait_s={n}"),
    "CONFLICTS_LIMIT_MAX": lambda n: ("GET", f"/v1/main/conflicts?limit={n}"),
    "INBOX_READ_MAX": lambda n: ("POST", "/v1/main/inbox/read",
                                 '{"ids":[' + listed(n, lambda i: f'"0190aaaa-0000-7000-8000-{i:012d}"') + "]}"),
    "LOCK_TTL_S_MAX": lambda n: ("POST", f"/v1/main/locks/l{n}?ttl_s={n}"),
    "LOCK_NOTE_BYTES_MAX": lambda n: ("POST", f"/v1/main/locks/n{n}?note={'n' * n}"),
    "SUBSCRIPTION_FILTERS_MAX": lambda n: ("GET", "/v1/main/changes?since=0&" + "&".join(f"type=t{i}" for i in range(n))),
    "PATCH_OPS_MAX": lambda n: (
        "PATCH", "/v1/main/records/there/2?base_version=1", "[" + listed(n, lambda _: '{"op":"test","path":"","value":{}}') + "]"),
}

PASSED_OTHERWISE = {"INBOX_READ_MAX": 404}  # Nobody has these notices.


@test
def past_a_limit_comes_what_the_table_says(folder):
    rows = table()
    check(len(rows) > 100, rows)
    with Server(folder, "--no-auth") as server:
        ask = Asked(server)
        wrong = []
        for name in "12":
            ask("PUT", f"/v1/main/records/there/{name}", "{}")
        for name, request in REQUESTS.items():
            value, answer = rows[name]
            status, code = re.fullmatch(r"(\d+) `(\w+)`", answer).groups()
            for size, passes in ((number(value), True), (number(value) + 1, False)):
                method, path, *body = request(size)
                headers = {"Content_Type": "application/json-patch+json"} if method == "PATCH" else {}
                got = ask(method, path, body[0] if body else None, **headers)
                if passes and got[0] >= 300 and got[0] != PASSED_OTHERWISE.get(name):
                    wrong.append(f"{name}: at {size}, which is allowed, {got} was answered")
                if not passes and got != (int(status), code):
                    wrong.append(f"{name}: at {size} {got} was answered, not {answer}")
        check(wrong == [], "\n".join(wrong))


@test
def every_status_of_the_table_exists(folder):
    with open(os.path.join(TOP, "docs", "errors.md"), encoding="utf-8") as file:
        known = dict(re.findall(r"^\| `(\w+)` \| \d+ \| (\d+) \|", file.read(), re.M))
    for name, (_, answer) in table().items():
        found = re.fullmatch(r"(\d+) `(\w+)`", answer)
        if found:
            check(known.get(found.group(2)) == found.group(1), f"{name}: {answer}")


main()
