#!/usr/bin/env python3
"""Functions and handlers from the command line: loading a folder, calling, trying out its examples."""
import json
import os

from harness import TOP, Server, check, check_has, main, must, refused, test

EXAMPLES = os.path.join(TOP, "examples", "functions")


def write(folder, name, text):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        file.write(text if isinstance(text, str) else json.dumps(text))


ADD = """
local input = ...
local record = get("stock", input.item)
local count = record and record.count or 0
put("stock", input.item, {count = count + input.add})
log("it was", count)
return count + input.add
"""


@test
def the_examples_hold(folder):
    ran = must("functions", "test", EXAMPLES)
    check_has(ran.out, r"\n[1-9]\d* passed, 0 failed")


@test
def an_example_that_does_not_hold_is_told(folder):
    write(folder, "add.lua", ADD)
    write(folder, "add.test.json", [
        {"words": "adds", "given": {"stock/bolts": {"count": 1}}, "input": {"item": "bolts", "add": 2},
         "expect": {"result": 3, "records": {"stock/bolts": {"count": 3}, "stock/nuts": None}}},
        {"words": "wrong result", "input": {"item": "bolts", "add": 2}, "expect": {"result": 3}},
        {"words": "wrong record", "input": {"item": "bolts", "add": 2}, "expect": {"records": {"stock/bolts": {"count": 1}}}},
        {"words": "there after all", "input": {"item": "bolts", "add": 2}, "expect": {"records": {"stock/bolts": None}}},
        {"words": "fails", "input": {}, "error": "FUNCTION_FAILED"},
        {"words": "was to fail", "input": {"item": "bolts", "add": 2}, "error": "FUNCTION_FAILED"},
        {"words": "cannot fail so", "input": {}, "error": "FUNCTION_LIMIT"},
    ])
    ran = refused(1, "functions", "test", folder)
    told = [line.split()[0] for line in ran.out.splitlines()]
    check(told == ["ok", "FAILED", "FAILED", "FAILED", "ok", "FAILED", "FAILED", "2"], ran)
    check_has(ran.out, "wrong result: the result is 2\n")
    check_has(ran.out, 'wrong record: stock/bolts is {"count":2}\n')


@test
def a_folder_is_loaded_and_what_differs_is_written(folder):
    write(folder, "add.lua", ADD)
    write(folder, "one.lua", "return 1")
    write(folder, "one.json", {"description": "always one"})
    with Server(folder, "--no-auth", data="d") as server:
        os.mkdir(os.path.join(folder, "empty"))
        check(must("functions", "apply", folder, "--dry-run", "--url", server.url).out.count("created") == 2)
        check("always one" not in must("functions", "--url", server.url).out)
        check(must("functions", "apply", folder, "--url", server.url).out.count("created") == 2)
        check_has(must("functions", "--url", server.url).out, "one .*always one")
        check(must("functions", "apply", folder, "--url", server.url).out == "2 unchanged\n")
        os.remove(os.path.join(folder, "one.lua"))
        check("deleted" in must("functions", "apply", folder, "--prune", "--url", server.url).out)
        check(must("functions", "show", "add", "--url", server.url).out.strip() == ADD.strip())
        called = must("functions", "call", "add", '{"item": "bolts", "add": 5}', "--url", server.url)
        check(called.out == "5\n" and "it was" in called.err, called)
        called = must("functions", "call", "add", '{"item": "bolts", "add": 5}', "--key", "k", "--url", server.url)
        called = must("functions", "call", "add", '{"item": "bolts", "add": 5}', "--key", "k", "--url", server.url)
        check(must("get", "stock/bolts", "--raw", "--url", server.url).out.strip() == '{"count":10}', "once for each key")
        refused(4, "functions", "call", "one", "--url", server.url)
        refused(2, "functions", "apply", os.path.join(folder, "empty"), "--url", server.url)
        write(folder, "bad.lua", "return +")
        ran = refused(1, "functions", "apply", folder, "--url", server.url)
        check_has(ran.err, "bad")


@test
def a_handler_is_put_shown_and_deleted(folder):
    write(folder, "note.lua", 'local event = ...\nput("notes", event.change.address, {seen = true})')
    with Server(folder, "--no-auth", data="d") as server:
        must("functions", "apply", folder, "--url", server.url)
        must("handlers", "put", "noting", '{"type": "tasks", "on": ["create"], "function": "note"}', "--url", server.url)
        check_has(must("handlers", "--url", server.url).out, "noting +tasks")
        check(must("handlers", "show", "noting", "--url", server.url, "--json").json["function"] == "note")
        refused(1, "handlers", "put", "bad", '{"on": ["never"], "function": "note"}', "--url", server.url)
        version = must("handlers", "show", "noting", "--url", server.url, "--json").json["version"]
        must("handlers", "delete", "noting", "--base", str(version), "--url", server.url)
        refused(4, "handlers", "show", "noting", "--url", server.url)


main()
