#!/usr/bin/env python3
"""Each command and each exit code: against a directory nobody owns, and the same against a running server."""
import json
import os
import pty
import subprocess

from harness import PROGRAM, Server, check, check_has, environment, main, make_directory, must, refused, test


def story(where):
    """What a person does with one record; `where` says which server or directory."""
    def run(*arguments, **options):
        return must(*arguments, *where, **options)

    def no(code, *arguments, **options):
        return refused(code, *arguments, *where, **options)

    created = run("put", "tasks/1", '{"title":"Posters","n":1.10}', "--json").json
    check(created["version"] == 1, created)
    raw = run("get", "tasks/1", "--raw").out
    check(raw == '{"title":"Posters","n":1.10}\n', raw)
    check(run("get", "tasks/1", "--json").out.count("\n") == 1)
    check_has(run("get", "tasks/1").out, r'\n  "data": {\n    "title": "Posters"')

    # A base is demanded, must be current, and then the write lands.
    no_base = no(1, "put", "tasks/1", "{}")
    check_has(no_base.err, "PRECONDITION_REQUIRED.*tasks/1 is at version 1.*--base 1")
    run("put", "tasks/1", '{"title":"Posters","n":2}', "--base", "1")
    stale = no(3, "put", "tasks/1", '{"title":"Leaflets","n":3}', "--base", "1")
    check_has(stale.err, r"CONCURRENT_MODIFICATION.*version 1; version 2 is current.*/n +1\.10 +2 +3 +both changed it")
    check_has(stale.err, r"/title.*only you changed it")
    check(stale.out == "", stale)
    document = no(3, "put", "tasks/1", '{"title":"Leaflets","n":3}', "--base", "1", "--json").json
    check(document["code"] == "CONCURRENT_MODIFICATION" and document["fields"]["/n"]["state"] == "conflict", document)
    check(document["current_version"] == 2 and document["yours"]["n"] == 3, document)

    # Patches: merge patch, JSON patch, last writer wins, dry run, key.
    run("patch", "tasks/1", '{"n":3}', "--base", "2")
    run("patch", "tasks/1", '[{"op":"replace","path":"/n","value":4}]', "--json-patch", "--base", "3")
    no(3, "patch", "tasks/1", '[{"op":"test","path":"/n","value":9}]', "--json-patch", "--base", "4")
    check(run("patch", "tasks/1", '{"n":5}', "--base", "4", "--dry-run", "--json").json["data"]["n"] == 5)
    check("repeat with" not in no(3, "patch", "tasks/1", '[{"op":"test","path":"/n","value":9}]', "--json-patch", "--base", "4").err)
    check(run("get", "tasks/1", "--json").json["version"] == 4)
    once = run("patch", "tasks/1", '{"n":5}', "--base", "4", "--key", "my-key", "--json").json
    again = run("patch", "tasks/1", '{"n":5}', "--base", "4", "--key", "my-key")
    check(once["version"] == 5)
    check_has(again.out, "version 5.*done before with this key")
    no(1, "patch", "tasks/1", '{"n":6}', "--base", "4", "--key", "my-key")
    check_has(run("patch", "tasks/1", '{"n":5}', "--base", "1").out, "unchanged")
    won = run("patch", "tasks/1", '{"n":7}', "--base", "1", "--on-conflict", "last_writer_wins", "--json").json
    check(won["version"] == 6 and won["data"]["n"] == 7, won)
    no(1, "put", "tasks/1", "{}", "--base", "6", "--on-conflict", "coin_toss")

    # Bodies from a file and from standard input; bad ones.
    run("put", "tasks/2", "-", stdin='{"from":"stdin"}')
    check(run("get", "tasks/2", "--json").json["data"] == {"from": "stdin"})
    run("put", "lines/1", '{\r\n  "a": "b",\n  "c": [\n]}\n')
    check(run("get", "lines/1", "--raw").out.count("\n") >= 3)
    for command in (["get", "lines/1"], ["list", "lines"], ["list", "lines", "--all"], ["history", "lines/1", "--with-data"]):
        printed = run(*command, "--json").out
        check(printed.count("\n") == 1 and '"c": [' in printed and json.loads(printed))
    check_has(no(1, "put", "tasks/3", '{"a":1').err, "BAD_JSON")
    no(1, "put", "tasks/3", "@/nowhere")
    exists = no(3, "put", "tasks/1", '{"x":1}', "--create")
    check_has(exists.err, "ALREADY_EXISTS.*is at version 6.*--base 6 and without --create")

    # The past.
    check(run("get", "tasks/1@1", "--json").json["data"]["n"] == 1.10)
    check(run("get", "tasks/1", "--version", "2", "--json").json["data"]["n"] == 2)
    then = run("get", "tasks/1@2", "--json").json["updated_at"]
    check(run("get", "tasks/1", "--at", then, "--json").json["version"] == 2)
    no(4, "get", "tasks/1@99")
    changes = run("history", "tasks/1", "--json").json["changes"]
    check([change["version"] for change in changes] == [6, 5, 4, 3, 2, 1], changes)
    check_has(run("history", "tasks/1", "--limit", "2").err, "There is more: --before 5")
    check(len(run("history", "tasks/1", "--all", "--limit", "2", "--json").out.splitlines()) == 6)
    check(len(run("history", "tasks/1", "--before", "3", "--json").json["changes"]) == 2)
    check_has(run("diff", "tasks/1", "1", "2").out, r"/n +1\.10 +2")
    check_has(run("diff", "tasks/1").out, r"version 5 to 6\n.*/n +5 +7")
    check(run("diff", "tasks/1", "2", "--json").json["to"] == 6)

    # Lists, page by page.
    for number in range(3, 8):
        run("put", f"tasks/{number}", "{}")
    page = run("list", "tasks", "--limit", "3", "--json").json
    check(len(page["records"]) == 3 and page["next"])
    rest = run("list", "tasks", "--limit", "3", "--after", page["next"], "--json").json
    ids = [record["id"] for record in page["records"] + rest["records"]]
    check(len(set(ids)) == 6, ids)
    everything = [json.loads(line) for line in run("list", "tasks", "--all", "--limit", "2", "--json").out.splitlines()]
    check(len(everything) == 7)
    check_has(run("list", "tasks").out, r"^ID +VERSION +UPDATED +BY +DATA\n")
    check_has(run("list", "tasks", "--limit", "1").err, "There is more: --after")

    # Lists that choose, sort and show part.
    for number, stage in ((1, "won"), (2, "open"), (3, "won")):
        run("put", f"deals/{number}", json.dumps({"stage": stage, "amount": number * 1000, "note": "x"}))
    won = run("list", "deals", "--where", 'stage = "won"', "--sort", "-amount", "--fields", "amount", "--explain")
    check_has(won.out, r'(?s)3 .*\{"amount":3000\}.*1 .*\{"amount":1000\}')
    check_has(won.err, "scan: looked at 3, 2 matched")
    check("note" not in won.out)
    pages = run("list", "deals", "--where", "amount > 0", "--sort", "-amount", "--limit", "1", "--all", "--json").out
    check([json.loads(line)["id"] for line in pages.splitlines()] == ["3", "2", "1"])
    check_has(no(1, "list", "deals", "--where", "stage == 1").err, "at byte 7")

    # Ids of all kinds.
    for address in ("odd/a b/c", "odd/%2F", "odd/ä?#&", "odd/.."):
        run("put", address, '{"odd":true}')
        check(run("get", address, "--json").json["data"]["odd"] is True)
    no(2, "get", "tasks")
    no(2, "get", "tasks/50%")

    # Deleting keeps the history.
    no(1, "delete", "tasks/2")
    run("delete", "tasks/2", "--base", "1")
    gone = no(4, "get", "tasks/2")
    check_has(gone.err, "DELETED")
    late = no(3, "put", "tasks/2", '{"late":1}', "--base", "1")
    check_has(late.err, "deleted .tasks/2.*bring it back with your data, repeat with --base 2")
    check(len(run("history", "tasks/2", "--json").json["changes"]) == 2)
    check(run("put", "tasks/2", '{"again":1}', "--json").json["version"] == 3)

    # Spaces.
    check(run("space", "create", "other").out == "space other created\n")
    check(run("space", "create", "other").out == "space other was there already\n")
    no(1, "space", "create", "Not A Name")
    check("other" in run("space", "list").out.split())
    run("put", "a/1", "{}", "--space", "other")
    no(4, "get", "a/1")
    check(run("get", "a/1", env={"STET_SPACE": "other"}).code == 0)
    check_has(run("check").out, "main is sound.*other is sound")
    check(json.loads(run("check", "--space", "other", "--json").out)["ok"] is True)
    run("space", "delete", "other")
    no(4, "get", "a/1", "--space", "other")

    # Tokens.
    made = run("token", "create", "--actor", "ada", "--name", "t", "--expires", "24h", "--json").json
    check(made["actor"] == "ada" and made["expires_at"], made)
    listed = run("token", "list").out
    check_has(listed, f"{made['id']}.* ada ")
    check(made["token"] not in listed)
    newer = run("token", "create", "--actor", "ada", "--name", "t", "--replace", "--json").json
    check(made["id"] not in run("token", "list").out)
    run("token", "revoke", newer["id"])
    no(4, "token", "revoke", newer["id"])
    for name in ("one", "two", "three"):
        run("token", "create", "--actor", "bob", "--name", name)
    run("token", "create", "--actor", "eve")
    check(len(run("token", "list", "--actor", "bob", "--json").json["tokens"]) == 3)
    run("token", "revoke", "--actor", "bob", "--name", "two")
    check(len(run("token", "list", "--actor", "bob").out.splitlines()) == 3)
    run("token", "revoke", "--actor", "bob")
    check([token["actor"] for token in run("token", "list", "--json").json["tokens"] if token["actor"] != "admin"] == ["eve"])
    no(2, "token", "revoke")
    no(2, "token", "revoke", "x", "--actor", "bob")
    no(2, "token", "create")
    no(2, "token", "create", "--actor", "ada", "--expires", "soon")
    return run


@test
def every_command_works_on_a_directory_nobody_owns(folder):
    story(("--data", make_directory(folder)))


@test
def every_command_works_through_the_server_that_owns_the_directory(folder):
    with Server(folder) as server:
        story(("--data", server.data))


@test
def every_command_works_with_a_url_and_a_token(folder):
    token = Server(folder).read_token()
    with Server(folder) as server:
        run = story(("--url", server.url, "--token", token))
        check(run("history", "tasks/1", "--json").json["changes"][0]["by"] == "admin")


@test
def the_data_directory_is_an_option_a_variable_or_here(folder):
    make_directory(folder, "elsewhere")
    make_directory(folder, "stet-data")
    must("put", "a/1", '{"here":1}', cwd=folder)
    refused(4, "get", "a/1", cwd=folder, env={"STET_DATA": "elsewhere"})
    must("get", "a/1", cwd=folder, env={"STET_DATA": "stet-data"})
    must("get", "a/1", "--data", "stet-data", cwd=folder, env={"STET_DATA": "elsewhere"})
    refused(5, "get", "a/1", "--data", "missing", cwd=folder)
    check(not os.path.exists(os.path.join(folder, "missing")))


@test
def a_conflict_says_who_did_what(folder):
    data = make_directory(folder)
    tokens = {name: must("token", "create", "--actor", name, "--data", data, "--json").json["token"]
              for name in ("ada", "bob")}
    with Server(folder) as server:
        def by(name):
            return {"STET_URL": server.url, "STET_TOKEN": tokens[name]}
        must("put", "tasks/1", '{"status":"open","due":"Monday"}', env=by("ada"))
        must("patch", "tasks/1", '{"status":"done"}', "--base", "1", env=by("bob"))
        lost = refused(3, "patch", "tasks/1", '{"status":"blocked"}', "--base", "1", env=by("ada"))
        check_has(lost.err, r'/status +"open" +"done" +"blocked" +both changed it; bob at [-0-9]+ [:0-9]+ in version 2')
        check_has(lost.err, r"version 2 is current, by bob at ")


@test
def nothing_is_reached_without_a_server(folder):
    unreachable = refused(5, "get", "tasks/1", "--url", "http://127.0.0.1:1")
    check_has(unreachable.err, "could not reach http://127.0.0.1:1")
    refused(2, "get", "tasks/1", "--url", "127.0.0.1:1")
    refused(2, "get", "tasks/1", "--url", "http://127.0.0.1:1", "--data", folder)


@test
def a_wrong_token_is_denied(folder):
    data = make_directory(folder)
    plain = must("token", "create", "--actor", "ada", "--data", data).out.strip()
    with Server(folder) as server:
        refused(6, "get", "tasks/1", "--url", server.url)
        refused(6, "get", "tasks/1", "--url", server.url, "--token", "nonsense")
        refused(6, "token", "list", "--url", server.url, "--token", plain)
        refused(6, "space", "create", "x", "--url", server.url, "--token", plain)
        refused(4, "get", "tasks/1", "--url", server.url, "--token", plain)


@test
def a_revoked_token_ends_at_once(folder):
    data = make_directory(folder)
    made = must("token", "create", "--actor", "ada", "--data", data, "--json").json
    with Server(folder) as server:
        env = {"STET_URL": server.url, "STET_TOKEN": made["token"]}
        must("put", "tasks/1", "{}", env=env)
        must("token", "revoke", made["id"], "--data", server.data)
        refused(6, "get", "tasks/1", env=env)
        must("get", "tasks/1", "--data", server.data)


@test
def what_makes_no_sense_is_said_before_anything_is_done(folder):
    for line in (["fetch"], ["get"], ["put", "a/1"], ["get", "a/1", "--nope"], ["token"], ["space", "burn"],
                 ["put", "a/1", "{}", "--base", "1", "--create"], ["list", "a", "--limit", "0x10"],
                 ["get", "a/1@2", "--version", "2"], ["help", "nothing"]):
        ran = refused(2, *line, cwd=folder)
        check(ran.out == "" and ran.err.startswith("stet: "), ran)


@test
def help_explains_every_command(folder):
    overview = must("help").out
    check(must().out == overview and must("--help").out == overview)
    names = [line[2:20].strip() for line in overview.split("Commands:\n")[1].split("\n\n")[0].splitlines()]
    check(len(names) >= 19, names)
    for name in names:
        text = must("help", *name.split()).out
        check(text.startswith(f"stet {name}"), text)
        check(must(*name.split(), "--help").out == text)
    check_has(must("help", "token").out, "token create.*token list.*token revoke")
    check_has(must("version").out, r"^stet \d+\.\d+\.\d+\n$")
    check(must("--version").out == must("version").out)


@test
def a_data_directory_is_made_once(folder):
    data = os.path.join(folder, "data")
    made = must("init", "--data", data, "--actor", "root", "--json").json
    check(made["actor"] == "root" and made["admin"] is True and made["token"], made)
    again = refused(1, "init", "--data", data)
    check_has(again.err, "already.*token create")
    held = os.path.join(folder, "file")
    with open(held, "w", encoding="utf-8"):
        pass
    refused(1, "init", "--data", os.path.join(held, "x"))


@test
def two_commands_on_one_directory_take_turns(folder):
    data = make_directory(folder)
    running = [subprocess.Popen([PROGRAM, "put", f"a/{number}", "{}", "--data", data], env=environment(),
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for number in range(4)]
    for process in running:
        _, err = process.communicate(timeout=100)
        check(process.returncode == 0, err)
    check(len(must("list", "a", "--data", data, "--json").json["records"]) == 4)


@test
def a_missing_libcurl_is_named_with_its_package(folder):
    for name in ("libcurl.so.4", "libcurl-gnutls.so.4"):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write("not a library")
    ran = refused(5, "get", "a/1", "--url", "http://127.0.0.1:1", env={"LD_LIBRARY_PATH": folder})
    check_has(ran.err, "needs libcurl.*libcurl4")
    must("version", env={"LD_LIBRARY_PATH": folder})


@test
def nothing_from_a_record_reaches_the_terminal_raw(folder):
    data = make_directory(folder)
    must("put", "a/1", '{"x":"\\u001b[31m\u009b31m\u007f"}', "--data", data)
    must("put", "a/1", '{"x":1}', "--base", "1", "--data", data)
    shown = refused(3, "put", "a/1", '{"x":2}', "--base", "1", "--data", data).err
    shown += must("get", "a/1@1", "--data", data).out + must("history", "a/1", "--with-data", "--data", data).out
    check(not [c for c in shown if ord(c) < 32 and c != "\n" or 127 <= ord(c) < 160], repr(shown))
    raw = must("get", "a/1@1", "--raw", "--data", data).out
    check(raw == '{"x":"\\u001b[31m\u009b31m\u007f"}\n', repr(raw))


@test
def colors_are_for_terminals_that_want_them(folder):
    data = make_directory(folder)
    must("put", "a/1", '{"x":1}', "--data", data)

    def in_a_terminal(**extra):
        ours, theirs = pty.openpty()
        done = subprocess.run([PROGRAM, "get", "a/1", "--data", data], stdout=theirs, env=environment(
            {"TERM": "xterm", **extra}), check=True)
        os.close(theirs)
        shown = os.read(ours, 65536).decode()
        os.close(ours)
        check(done.returncode == 0)
        return shown

    check("\033[34m\"data\"\033[0m" in in_a_terminal())
    check("\033" not in in_a_terminal(NO_COLOR="1"))
    check("\033" not in in_a_terminal(TERM="dumb"))
    check("\033" not in must("get", "a/1", "--data", data).out)


@test
def output_that_cannot_be_written_is_a_failure(folder):
    data = make_directory(folder)
    must("put", "a/1", "{}", "--data", data)
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run([PROGRAM, "get", "a/1", "--data", data], stdout=full, stderr=subprocess.PIPE,
                              env=environment(), check=False)
    check(done.returncode == 1 and b"could not write" in done.stderr, done)


main()
