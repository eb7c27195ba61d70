#!/usr/bin/env python3
"""stet purge: what was erased is nowhere: not in answers, the feed, the database, its log or a new backup."""
import glob
import json
import os
import signal
import urllib.error
import urllib.request

from harness import Server, check, check_has, main, must, refused, stet, test, wait_for

SECRET = "Marker-7f3a9c"


def files_with(folder, words):
    """Which files below a folder hold these bytes."""
    found = []
    for path in glob.glob(os.path.join(folder, "**"), recursive=True):
        if os.path.isfile(path):
            with open(path, "rb") as file:
                if words.encode() in file.read():
                    found.append(os.path.relpath(path, folder))
    return found


def ask(server, path, body=None, method=None):
    request = urllib.request.Request(server.url + path, None if body is None else json.dumps(body).encode(),
                                     {"Content-Type": "application/json", "Stet-Actor": "admin"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as refusal:
        return refusal.code, json.loads(refusal.read() or b"{}")


def fill(url, big=0):
    """A record whose versions all say the secret, among others that do not; large ones take pages of their own."""
    filler = "z" * big
    for number in range(1, 6):
        data = json.dumps({"note": f"{SECRET} {number} {filler}", "n": number})
        base = ["--base", str(number - 1)] if number > 1 else []
        must("put", "people/1", data, *base, "--url", url)
        must("put", f"people/other-{number}", json.dumps({"note": "harmless"}), "--url", url)


@test
def what_was_erased_is_in_no_file(folder):
    for big in (0, 20000):
        with Server(folder, "--no-auth", data=f"data-{big}") as server:
            schema = os.path.join(folder, "schema.json")
            with open(schema, "w", encoding="utf-8") as file:
                json.dump({"types": {"people": {"index": [["/note"]] if not big else []}}}, file)
            must("types", "apply", schema, "--url", server.url)
            fill(server.url, big)
            check(files_with(server.data, SECRET), "it was never there")
            ran = must("purge", "people/1", "--reason", "asked to be forgotten", "--url", server.url)
            check_has(ran.out, r"^people/1: erased, 5 versions\n$")
            wait_for(lambda: not files_with(server.data, SECRET), f"it to go from {files_with(server.data, SECRET)}")
            backup = os.path.join(folder, f"backup-{big}")
            must("backup", backup, "--data", server.data)
            check(not files_with(backup, SECRET), files_with(backup, SECRET))
            check_has(must("check", "--url", server.url).out, "sound")
            ran = refused(4, "get", "people/1", "--url", server.url)
            check("PURGED" in ran.err or "erased" in ran.err, ran)
            history = must("history", "people/1", "--url", server.url, "--json").json["changes"]
            check([one["op"] for one in history] == ["purge"] + ["update"] * 4 + ["create"], history)
            check(history[0]["reason"] == "asked to be forgotten" and all(one["pruned"] for one in history[1:]), history)
            export = must("export", "--history", "--url", server.url).out
            check(SECRET not in export)
        # After a restart it is as gone, and the name can be used again.
        with Server(folder, "--no-auth", data=f"data-{big}") as server:
            check(ask(server, "/v1/main/records/people/1")[1]["code"] == "PURGED")
            check(must("put", "people/1", "{}", "--create", "--url", server.url, "--json").json["version"] == 7)
            check(not files_with(server.data, SECRET))


@test
def the_feed_says_so_and_shows_nothing_old(folder):
    with Server(folder, "--no-auth") as server:
        fill(server.url)
        must("purge", "people/1", "--reason", "r", "--url", server.url)
        status, page = ask(server, "/v1/main/changes?since=0")
        check(SECRET not in json.dumps(page), page)
        status, page = ask(server, "/v1/main/changes?since=10")
        check(status == 200 and page["changes"][-1]["op"] == "purge" and page["changes"][-1]["reason"] == "r", page)
        for version in range(1, 6):
            status, problem = ask(server, f"/v1/main/records/people/1?version={version}")
            check(status in (404, 410) and SECRET not in json.dumps(problem), problem)
        check(SECRET not in json.dumps(ask(server, "/v1/main/records/people")[1]))


@test
def conflicts_about_it_say_nothing_any_more(folder):
    with Server(folder, "--no-auth") as server:
        schema = os.path.join(folder, "schema.json")
        with open(schema, "w", encoding="utf-8") as file:
            json.dump({"types": {"people": {"on_conflict": "ask"}}}, file)
        must("types", "apply", schema, "--url", server.url)
        must("put", "people/1", '{"note":"a"}', "--url", server.url)
        must("put", "people/1", '{"note":"b"}', "--base", "1", "--url", server.url)
        must("put", "people/1", json.dumps({"note": SECRET}), "--base", "1", "--url", server.url)
        check(ask(server, "/v1/main/conflicts")[1]["conflicts"])
        gone = must("purge", "people/1", "--reason", "r", "--url", server.url, "--json").json
        check(gone["erased_beside"] == 1, gone)
        check(ask(server, "/v1/main/conflicts")[1]["conflicts"] == [])
        wait_for(lambda: not files_with(server.data, SECRET), "the conflict's words to go")
        check_has(must("check", "--url", server.url).out, "sound")


@test
def operations_about_it_are_forgotten_or_named(folder):
    with Server(folder, "--no-auth") as server:
        must("put", "people/1", "{}", "--url", server.url)
        status, over = ask(server, "/v1/main/operations", {"agent": "a", "target": "people/1", "input": {"note": SECRET + "x" * 3000}})
        check(status == 202, over)
        check(ask(server, f"/v1/main/operations/{over['id']}/cancel", {})[0] == 200)
        _, waits = ask(server, "/v1/main/operations", {"agent": "a", "target": "people/1"})
        gone = must("purge", "people/1", "--reason", "r", "--url", server.url, "--json").json
        check(gone["kept"] == [f"stet.operation/{waits['id']}"], gone)
        check(ask(server, f"/v1/main/operations/{over['id']}")[0] == 404)
        wait_for(lambda: not files_with(server.data, SECRET), "the input to go")


@test
def what_cannot_be_erased_is_said(folder):
    with Server(folder, "--no-auth") as server:
        must("put", "people/1", "{}", "--url", server.url)
        must("put", "people/2", "{}", "--parent", "people/1", "--url", server.url)
        check_has(stet("purge", "people/1", "--reason", "r", "--url", server.url).err, "HAS_CHILDREN|stand below|children")
        check(stet("purge", "people/1", "--url", server.url).code == 2)
        refused(4, "purge", "people/none", "--reason", "r", "--url", server.url)
        check(ask(server, "/v1/main/records/stet.type/x/purge", {"reason": "r"})[0] == 403)
        # A deleted record still has its history: that can go, too.
        must("put", "people/3", json.dumps({"note": SECRET}), "--url", server.url)
        must("delete", "people/3", "--base", "1", "--url", server.url)
        check(must("purge", "people/3", "--reason", "r", "--url", server.url, "--json").json["versions"] == 2)
        wait_for(lambda: not files_with(server.data, SECRET), "the deleted record's words to go")
        check_has(must("check", "--url", server.url).out, "sound")


@test
def a_purge_is_whole_or_not_at_all_when_the_server_is_killed(folder):
    for pause in range(3):
        data = f"data-{pause}"
        server = Server(folder, "--no-auth", data=data)
        fill(server.url)
        request = urllib.request.Request(server.url + "/v1/main/records/people/1/purge", b'{"reason":"r"}',
                                         {"Content-Type": "application/json", "Stet-Actor": "admin"})
        if pause > 0:
            urllib.request.urlopen(request, timeout=30).read()
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
        with Server(folder, "--no-auth", data=data) as server:
            status, body = ask(server, "/v1/main/records/people/1")
            check((status, body.get("code")) == ((410, "PURGED") if pause else (200, None)), body)
            check_has(must("check", "--url", server.url).out, "sound")
            if pause:
                check(not files_with(server.data, SECRET), files_with(server.data, SECRET))


main()
