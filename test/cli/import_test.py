#!/usr/bin/env python3
"""stet import: pieces, errors by line, repetition, progress."""
import json
import os
import pty
import re
import subprocess

from harness import PROGRAM, WAIT_S, Server, check, check_has, environment, main, make_directory, must, refused, test


def write_lines(folder, lines, name="in.ndjson"):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        for line in lines:
            file.write((line if isinstance(line, str) else json.dumps(line)) + "\n")
    return path


def record(number, **more):
    return {"type": "tasks", "id": str(number), "data": {"n": number}, **more}


def count(data):
    return len(must("list", "tasks", "--all", "--json", "--data", data).out.splitlines())


@test
def a_file_is_loaded_once_however_often(folder):
    data = make_directory(folder)
    path = write_lines(folder, [record(n) for n in range(5000)])
    first = must("import", path, "--data", data, "--json").json
    check(first["imported"] == 5000 and first["failed"] == 0, first)
    again = must("import", path, "--data", data, "--json").json
    check(again["imported"] == 0 and again["unchanged"] + again["replayed"] == 5000 and again["failed"] == 0, again)
    check(count(data) == 5000)
    check(must("get", "tasks/4321", "--data", data, "--json").json["version"] == 1)


@test
def two_who_load_one_file_at_once_load_it_once(folder):
    plain = [record(n) for n in range(6000)]
    versions = [{"type": "tasks", "id": str(n), "data": {"v": v}, **({"base_version": v - 1} if v > 1 else {})} for v in range(1, 5) for n in range(1500)]
    parents = [record(n, **({"parent": f"tasks/{n // 2}"} if n > 1 else {})) for n in range(6000, 0, -1)]
    with Server(folder, "--no-auth") as server:
        for name, lines in (("plain", plain), ("versions", versions), ("parents", parents)):
            must("space", "create", name, "--url", server.url)
            path = write_lines(folder, lines)
            both = [subprocess.Popen([PROGRAM, "import", path, "--space", name, "--url", server.url, "--json"], stdout=subprocess.PIPE,
                                     stderr=subprocess.PIPE, text=True, env=environment()) for _ in range(2)]
            ran = [(*process.communicate(timeout=WAIT_S * 3), process.returncode) for process in both]
            check(all(code == 0 and err == "" for _, err, code in ran), ran)
            check(sum(json.loads(out)["imported"] for out, _, _ in ran) == 6000, ran)
            out = os.path.join(folder, name)
            check_has(must("export", out, "--history", "--space", name, "--url", server.url).out, "^6000 versions as of position 6000 ")
            check_has(must("check", "--space", name, "--url", server.url).out, "sound")
            check(not os.path.exists(path + ".import"), "how far it came is still kept")


@test
def what_was_changed_since_is_left_alone(folder):
    with Server(folder) as server:
        path = write_lines(folder, [record(n) for n in range(10)])
        must("import", path, "--data", server.data)
        must("patch", "tasks/3", '{"n":33}', "--base", "1", "--data", server.data)
        must("import", path, "--data", server.data)
        check(must("get", "tasks/3", "--data", server.data, "--json").json["data"]["n"] == 33)


@test
def what_the_type_sets_aside_is_said(folder):
    with Server(folder) as server:
        schema = os.path.join(folder, "schema.json")
        with open(schema, "w", encoding="utf-8") as file:
            json.dump({"types": {"kept": {"on_conflict": "server_wins"}, "asked": {"on_conflict": "ask"}}}, file)
        must("types", "apply", schema, "--data", server.data)
        for name in ("kept", "asked"):
            must("put", f"{name}/1", '{"n":0}', "--data", server.data)
            must("put", f"{name}/1", '{"n":1}', "--base", "1", "--data", server.data)
        path = write_lines(folder, [{"type": "kept", "id": "1", "base_version": 1, "data": {"n": 2}},
                                    {"type": "asked", "id": "1", "base_version": 1, "data": {"n": 2}}])
        for _ in range(2):
            ran = must("import", path, "--data", server.data)
            check_has(ran.out, "0 imported, 0 there already, 0 failed")
            check_has(ran.out, "1 not applied")
            check_has(ran.out, "1 waiting")
            check_has(ran.err, r"line 1: not applied")
            check_has(ran.err, r"line 2: waits")


@test
def bad_lines_are_named_and_the_others_loaded(folder):
    data = make_directory(folder)
    path = write_lines(folder, [record(1), "{nonsense", record(3, surprise=1), record(4), '{"type":"tasks"}', record(6)])
    ran = refused(1, "import", path, "--data", data)
    for line in (2, 3, 5):
        check_has(ran.err, rf"(?m)^line {line}: ")
    check_has(ran.err, r"(?m)^line 2: byte 1: ")
    for line in (1, 4, 6):
        check(not re.search(rf"(?m)^line {line}: ", ran.err), ran)
    check_has(ran.out, "3 imported, 0 there already, 3 failed")
    check(count(data) == 3)


@test
def lines_are_numbered_across_pieces(folder):
    data = make_directory(folder)
    lines = [record(n) for n in range(1, 4501)]
    lines[4321 - 1] = "oops"
    ran = refused(1, "import", write_lines(folder, lines), "--data", data)
    check_has(ran.err, r"line 4321: .*\(BAD_JSON\)")
    check_has(ran.out, "4499 imported")


@test
def a_line_too_long_to_send_is_named_too(folder):
    data = make_directory(folder)
    long = json.dumps({"type": "tasks", "id": "2", "data": {"x": "y" * (5 << 20)}})
    large = json.dumps({"type": "tasks", "id": "3", "data": {"x": "y" * (3 << 20)}})
    ran = refused(1, "import", write_lines(folder, [record(1), long, large, record(4)]), "--data", data)
    check_has(ran.err, r"line 2: .*TOO_LARGE")
    check_has(ran.err, r"line 3: .*TOO_LARGE")
    check(count(data) == 2)


@test
def origin_and_version_are_kept(folder):
    data = make_directory(folder)
    line = record(1, version=7, created_at="2020-01-02T03:04:05Z", created_by="ada",
                  updated_at="2021-01-02T03:04:05Z", updated_by="bob")
    must("import", "-", "--data", data, stdin=json.dumps(line))
    got = must("get", "tasks/1", "--data", data, "--json").json
    check(got["version"] == 7 and got["created_by"] == "ada" and got["updated_by"] == "bob", got)
    check(got["created_at"].startswith("2020-01-02T03:04:05"), got)


@test
def a_stale_base_is_a_conflict_by_line(folder):
    data = make_directory(folder)
    must("put", "tasks/1", '{"n":0}', "--data", data)
    must("put", "tasks/1", '{"n":1}', "--base", "1", "--data", data)
    ran = refused(1, "import", "-", "--data", data, stdin=json.dumps(record(9, id="1", base_version=1)))
    check_has(ran.err, r"line 1: .*CONCURRENT_MODIFICATION")
    must("import", "-", "--data", data, stdin=json.dumps(record(9, id="1", base_version=2)))
    check(must("get", "tasks/1", "--data", data, "--json").json["data"]["n"] == 9)


@test
def another_space_can_be_loaded(folder):
    data = make_directory(folder)
    must("space", "create", "other", "--data", data)
    must("import", "-", "--space", "other", "--data", data, stdin=json.dumps(record(1)))
    must("get", "tasks/1", "--space", "other", "--data", data)
    refused(4, "get", "tasks/1", "--data", data)


@test
def a_missing_file_and_an_empty_one(folder):
    data = make_directory(folder)
    refused(1, "import", os.path.join(folder, "none"), "--data", data)
    check_has(must("import", "-", "--data", data, stdin="").out, "0 imported, 0 there already, 0 failed")
    check_has(must("import", "-", "--data", data, stdin="\n\n").out, "0 failed")


@test
def a_terminal_shows_a_bar(folder):
    data = make_directory(folder)
    path = write_lines(folder, [record(n) for n in range(100)])
    ours, theirs = pty.openpty()
    process = subprocess.Popen([PROGRAM, "import", path, "--data", data], stdout=subprocess.PIPE, stderr=theirs,
                               env=environment())
    out, _ = process.communicate(timeout=100)
    os.close(theirs)
    seen = os.read(ours, 65536).decode()
    os.close(ours)
    check_has(seen, r"^\r\x1b\[KImporting .*\r\x1b\[KImporting: 100 lines in \d:\d\d, [\d,]+/s\r\n$")
    check(out.decode() == "100 imported, 0 there already, 0 failed\n", out)
    plain = must("import", path, "--data", data)
    check_has(plain.err, r"^Importing: 100 lines in .*/s\n$")
    check(must("import", path, "--data", data, "--json").err == "")


main()
