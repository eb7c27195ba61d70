#!/usr/bin/env python3
"""Backups as an operator meets them: made under load, damaged, restored, scheduled, killed."""
import hashlib
import http.client
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import threading
import time
import urllib.parse

from harness import (PROGRAM, SLOW, WAIT_S, Server, check, check_has, environment, main, must, refused, stet, test,
                     wait_for)

SEED = int(os.environ.get("STET_SEED", random.randrange(1 << 32)))


class Client:
    """One connection that keeps going."""

    def __init__(self, url):
        self.connection = http.client.HTTPConnection(urllib.parse.urlparse(url).netloc, timeout=WAIT_S)

    def call(self, method, path, body=None, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            headers["Content-Type"] = "application/json"
        self.connection.request(method, path, body=None if body is None else json.dumps(body), headers=headers)
        answer = self.connection.getresponse()
        text = answer.read()
        self.headers = dict(answer.getheaders())
        return answer.status, json.loads(text) if text[:1] in (b"{", b"[") else text


def fill(server, count=5, space="main", kind="task"):
    client = Client(server.url)
    for number in range(count):
        status, _ = client.call("PUT", f"/v1/{space}/records/{kind}/{number}", {"n": number, "text": "x" * 300})
        check(status == 201, status)


def back_up(folder, *arguments, name="backups"):
    return must("backup", os.path.join(folder, name), "--json", *arguments).json["backup"]


def restored(folder, backup, name="restored"):
    data = os.path.join(folder, name)
    must("restore", backup, "--data", data)
    return data


def data_of(folder, records=5):
    """A data directory that nobody serves, with some records in two spaces."""
    with Server(folder, "--no-auth") as server:
        must("space", "create", "other", "--url", server.url)
        fill(server, records)
        fill(server, 3, "other", "note")
        return server.data


@test
def a_backup_holds_all_spaces_and_says_so(folder):
    data = data_of(folder)
    ran = must("backup", os.path.join(folder, "b"), "--data", data)
    check_has(ran.out, r"backed up to .*/b/stet-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ\n  3 spaces, 9 records, 9 changes, \d+ bytes\n")
    check_has(ran.out, r"main +5 records +5 changes +up to position 5\n")
    check_has(ran.out, r"other +3 records +3 changes +up to position 3\n")
    [name] = os.listdir(os.path.join(folder, "b"))
    backup = os.path.join(folder, "b", name)
    check(os.stat(backup).st_mode & 0o777 == 0o700, "a backup is its owner's")
    files = sorted(os.listdir(backup))
    check(files[0] == "SHA256SUMS" and "manifest.json" in files and len(files) == 5, files)
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=backup, check=True)
    with open(os.path.join(backup, "manifest.json"), encoding="utf-8") as file:
        manifest = json.load(file)
    check(manifest["format"] == 1 and manifest["scheduled"] is False, manifest)
    for space in manifest["spaces"]:
        with open(os.path.join(backup, space["file"]), "rb") as file:
            content = file.read()
        check(len(content) == space["bytes"] and hashlib.sha256(content).hexdigest() == space["sha256"], space)
        size = space["piece_bytes"]
        check([hashlib.sha256(content[at:at + size]).hexdigest() for at in range(0, len(content), size)]
              == space["pieces"], space)
    check_has(must("backup", "--verify", backup).out, r"verified .*3 hashes verified")
    check(must("restore", backup, "--dry-run", "--json").json["hashes_verified"] == 3)


@test
def a_restored_directory_is_served_with_all_it_had(folder):
    data = data_of(folder)
    backup = back_up(folder, "--data", data)
    ran = must("restore", backup, "--data", os.path.join(folder, "r"))
    check_has(ran.out, r"restored into .*3 spaces, 9 records, 9 changes.*3 hashes verified\n.*main +5 records"
                       r".*up to position 5\n.*counts compared, and every space checked")
    restored_data = os.path.join(folder, "r")
    check(sorted(os.listdir(restored_data)) == ["main.db", "spaces", "stet.db", "stet.lock"], os.listdir(restored_data))
    must("check", "--data", restored_data)
    for number in range(5):
        record = must("get", f"task/{number}", "--data", restored_data, "--json").json
        check(record["version"] == 1 and record["data"]["n"] == number, record)
    check(len(must("list", "note", "--space", "other", "--data", restored_data, "--json").json["records"]) == 3)


@test
def a_backup_taken_under_load_restores_to_what_was_acknowledged(folder):
    """Writers increment counters of their own with If-Match, so an acknowledged write has one version number."""
    stop = threading.Event()
    acknowledged = {}  # (writer, version) -> seq
    failures = []

    def write(server, writer):
        try:
            client = Client(server.url)
            version = 0
            while not stop.is_set():
                precondition = {"If_None_Match": "*"} if version == 0 else {"If_Match": f'"{version}"'}
                status, record = client.call("PUT", f"/v1/main/records/counter/{writer}", {"n": version + 1}, **precondition)
                if status not in (200, 201):
                    raise AssertionError((status, record))
                version = record["version"]
                acknowledged[writer, version] = record["seq"]
        except Exception as error:  # Told by the test, not by the thread.
            failures.append(error)

    with Server(folder, "--no-auth") as server:
        threads = [threading.Thread(target=write, args=(server, writer)) for writer in range(4)]
        for thread in threads:
            thread.start()
        backups = []
        for round in range(3):
            known = len(acknowledged)
            wait_for(lambda: len(acknowledged) > known + 50 or failures, "writes to go on")
            before = dict(acknowledged)
            backups.append((back_up(folder, "--url", server.url), before))
        stop.set()
        for thread in threads:
            thread.join()
        check(not failures, failures)
        check(must("check", "--url", server.url))
    for number, (backup, before) in enumerate(backups):
        data = restored(folder, backup, f"r{number}")
        must("check", "--data", data)
        with open(os.path.join(backup, "manifest.json"), encoding="utf-8") as file:
            [space] = [space for space in json.load(file)["spaces"] if space["name"] == "main"]
        check(max(before.values()) <= space["seq"], "what was acknowledged before the backup began is in it")
        with Server(folder, "--no-auth", data=f"r{number}") as server:
            client = Client(server.url)
            for writer in range(4):
                versions, path = [], f"/v1/main/records/counter/{writer}/history?data=1&limit=1000"
                while path:
                    _, page = client.call("GET", path)
                    versions += [(change["version"], change["seq"], change["data"]["n"]) for change in page["changes"]]
                    path = None
                    if "next" in page:
                        path = f"/v1/main/records/counter/{writer}/history?data=1&limit=1000&before={page['next']}"
                expected = {version: seq for (who, version), seq in acknowledged.items()
                            if who == writer and seq <= space["seq"]}
                got = {version: seq for version, seq, _ in versions}
                check(all(got.get(version) == seq for version, seq in expected.items()), "an acknowledged write is missing")
                check(sorted(got) == list(range(1, len(got) + 1)), f"versions have gaps: {sorted(got)}")
                check(all(n == version for version, _, n in versions), "counts do not add up")


def damaged(folder, backup, change):
    copy = os.path.join(folder, "damaged")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(backup, copy)
    change(copy)
    return copy


def must_refuse(folder, backup, pattern):
    """Verify and restore say the same, and nothing is left."""
    ran = refused(1, "backup", "--verify", backup)
    check_has(ran.err, pattern)
    data = os.path.join(folder, "never")
    ran = refused(1, "restore", backup, "--data", data)
    check_has(ran.err, pattern)
    check(not os.path.exists(data), f"something is left in {data}")
    os.mkdir(data)
    refused(1, "restore", backup, "--data", data)
    check(os.listdir(data) == [], os.listdir(data))
    os.rmdir(data)


@test
def an_altered_byte_is_refused_with_its_place(folder):
    data = data_of(folder, records=4000)
    backup = back_up(folder, "--data", data)
    sizes = {name: os.path.getsize(os.path.join(backup, name)) for name in sorted(os.listdir(backup))}
    check(sizes["main.db"] > 1 << 20, "the test wants more than one piece")
    chooser = random.Random(SEED)
    print(f"# STET_SEED={SEED}", flush=True)
    places = [("main.db", 0), ("main.db", sizes["main.db"] - 1), ("main.db", (1 << 20) + 5)]
    for _ in range(6):
        name = chooser.choice(list(sizes))
        places.append((name, chooser.randrange(sizes[name])))
    for name, offset in places:
        def flip(copy):
            with open(os.path.join(copy, name), "r+b") as file:
                file.seek(offset)
                byte = file.read(1)[0]
                file.seek(offset)
                file.write(bytes([byte ^ (1 << chooser.randrange(8))]))

        copy = damaged(folder, backup, flip)
        if name.endswith(".db"):
            begin = offset >> 20 << 20
            pattern = rf'"{name}" was altered between byte {begin} and byte {min(begin + (1 << 20), sizes[name])} '
        else:
            pattern = r'"(manifest\.json|SHA256SUMS)"'
        must_refuse(folder, copy, pattern)


@test
def what_is_cut_short_missing_or_added_is_refused_by_name(folder):
    backup = back_up(folder, "--data", data_of(folder))

    def cut(name):
        def change(copy):
            path = os.path.join(copy, name)
            os.truncate(path, os.path.getsize(path) - 1)
        return change

    def longer(copy):
        with open(os.path.join(copy, "main.db"), "ab") as file:
            file.write(b"\0")

    def add(copy):
        with open(os.path.join(copy, "surplus.db"), "wb"):
            pass

    def link(copy):
        os.rename(os.path.join(copy, "main.db"), os.path.join(folder, "elsewhere.db"))
        os.symlink(os.path.join(folder, "elsewhere.db"), os.path.join(copy, "main.db"))

    for change, pattern in (
            (cut("main.db"), r'"main\.db" is cut short: it ends at byte \d+ of \d+'),
            (cut("manifest.json"), r'"manifest\.json"'),
            (cut("SHA256SUMS"), r'"SHA256SUMS"'),
            (longer, r'"main\.db" is too long'),
            (lambda copy: os.remove(os.path.join(copy, "stet.db")), r'"stet\.db" is missing'),
            (lambda copy: os.remove(os.path.join(copy, "manifest.json")), r'"manifest\.json" is missing'),
            (lambda copy: os.remove(os.path.join(copy, "SHA256SUMS")), r'"SHA256SUMS" is missing'),
            (add, r'"surplus\.db" does not belong to the backup'),
            (link, r'"main\.db" is not a file')):
        must_refuse(folder, damaged(folder, backup, change), pattern)
    ran = refused(4, "restore", os.path.dirname(backup), "--data", os.path.join(folder, "never"))
    check_has(ran.err, r'is not a backup but holds some; the newest is "stet-')
    ran = refused(4, "restore", os.path.join(folder, "nowhere"), "--data", os.path.join(folder, "never"))
    check_has(ran.err, "there is no backup")


def reseal(backup, change):
    """Changes a backup as somebody would who knows the format: hashes are made anew."""
    path = os.path.join(backup, "manifest.json")
    with open(path, encoding="utf-8") as file:
        manifest = json.load(file)
    change(manifest)
    for space in manifest["spaces"]:
        with open(os.path.join(backup, space["file"]), "rb") as file:
            content = file.read()
        size = space["piece_bytes"]
        space["bytes"] = len(content)
        space["sha256"] = hashlib.sha256(content).hexdigest()
        space["pieces"] = [hashlib.sha256(content[at:at + size]).hexdigest() for at in range(0, len(content), size)]
    text = json.dumps(manifest).encode()
    with open(path, "wb") as file:
        file.write(text)
    with open(os.path.join(backup, "SHA256SUMS"), "w", encoding="utf-8") as file:
        file.write(f"{hashlib.sha256(text).hexdigest()}  manifest.json\n")
        for space in manifest["spaces"]:
            file.write(f"{space['sha256']}  {space['file']}\n")


def run_sql(path, *statements):
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


@test
def what_the_hashes_allow_is_still_counted_and_checked(folder):
    backup = back_up(folder, "--data", data_of(folder))
    never = os.path.join(folder, "never")

    def refuse(change, pattern, sql=(), code=1):
        copy = damaged(folder, backup, lambda copy: None)
        if sql:
            run_sql(os.path.join(copy, "main.db"), *sql)
        reseal(copy, change)
        ran = refused(code, "restore", copy, "--data", never)
        check_has(ran.err, pattern)
        check(not os.path.exists(never), "something is left")

    def count(key, value):
        def change(manifest):
            manifest["spaces"][0][key] = value
        return change

    refuse(count("changes", 6), r'space "main": 5 changes where the manifest says 6')
    refuse(count("seq", 4), r'space "main": 5 is its position where the manifest says 4')
    refuse(count("live", 4), r'space "main": 5 records where the manifest says 4')
    for file in ("../main.db", "/etc/passwd", "main.db-wal", ".main.db"):
        copy = damaged(folder, backup, lambda copy: None)
        reseal(copy, lambda manifest: None)
        path = os.path.join(copy, "manifest.json")
        with open(path, encoding="utf-8") as opened:
            text = opened.read().replace('"main.db"', json.dumps(file))
        with open(path, "w", encoding="utf-8") as opened:
            opened.write(text)
        sums = os.path.join(copy, "SHA256SUMS")
        with open(sums, encoding="utf-8") as opened:
            lines = opened.read().replace("  main.db", "  " + file).splitlines()
        lines[0] = hashlib.sha256(text.encode()).hexdigest() + "  manifest.json"
        with open(sums, "w", encoding="utf-8") as opened:
            opened.write("\n".join(lines) + "\n")
        check_has(refused(1, "restore", copy, "--data", never).err, r'"manifest\.json" is not the manifest of a backup')
    refuse(lambda manifest: manifest.update(format=2), r"the backup has format 2; this version reads up to 1")
    refuse(lambda manifest: None, r'space "main" is damaged: ', ["UPDATE change SET version = 9 WHERE seq = 3"])
    refuse(lambda manifest: None, r"has format 99; this version reads up to",
           ["UPDATE meta SET value = '99' WHERE name = 'store.format'"])


@test
def an_older_format_is_brought_forward(folder):
    backup = back_up(folder, "--data", data_of(folder))
    for name in [name for name in os.listdir(backup) if name.endswith(".db")]:
        run_sql(os.path.join(backup, name), "ALTER TABLE change DROP COLUMN parent", "ALTER TABLE change DROP COLUMN forked_from",
                "ALTER TABLE change DROP COLUMN hash", "ALTER TABLE change DROP COLUMN parent_record",
                "ALTER TABLE clock DROP COLUMN heads_seq",
                "ALTER TABLE head DROP COLUMN parent", "DROP TABLE entry", "UPDATE meta SET value = '1' WHERE name = 'store.format'")
    reseal(backup, lambda manifest: None)
    data = restored(folder, backup)
    must("check", "--data", data)
    check(must("get", "task/3", "--data", data, "--json").json["version"] == 1)
    must("put", "task/child", "{}", "--parent", "task/3", "--create", "--data", data)


@test
def a_directory_that_is_not_empty_or_is_served_is_left_alone(folder):
    data = data_of(folder)
    backup = back_up(folder, "--data", data)
    before = sorted(os.listdir(data))
    ran = refused(3, "restore", backup, "--data", data)
    check_has(ran.err, r"is not empty: restore into a new folder")
    check(sorted(os.listdir(data)) == before, "it was touched")
    with Server(folder, "--no-auth", data="served") as server:
        ran = refused(5, "restore", backup, "--data", server.data)
        check_has(ran.err, rf"is in use by process {server.process.pid} at http://")
    half = os.path.join(folder, "half")
    os.makedirs(os.path.join(half, "restoring"))
    ran = refused(3, "restore", backup, "--data", half)
    check_has(ran.err, r"holds a restore that was not finished: empty it first")
    ran = refused(1, "serve", "--data", half, "--listen", "127.0.0.1:0")
    check_has(ran.err, r"was not finished: empty the folder and restore again")


def events(url, since, wait_s=0):
    status, page = Client(url).call("GET", f"/v1/main/changes?since={since}&wait_s={wait_s}")
    check(status == 200, page)
    return page


@test
def clients_that_saw_what_was_lost_notice(folder):
    with Server(folder, "--no-auth") as server:
        fill(server, 3)
        backup = back_up(folder, "--url", server.url)
        client = Client(server.url)
        _, lost = client.call("PUT", "/v1/main/records/task/1", {"n": "lost"}, If_Match='"1"')
        _, made = client.call("PUT", "/v1/main/records/task/lost", {"n": 1})
        check((lost["version"], lost["seq"], made["seq"]) == (2, 4, 5), (lost, made))
    restored(folder, backup)
    with Server(folder, "--no-auth", data="restored") as server:
        client = Client(server.url)
        # Positions that both times share go on; one of the lost time is told at once.
        page = events(server.url, 2)
        check([change["seq"] for change in page["changes"]] == [3] and "reset" not in page, page)
        begin = page["next"]
        check(begin > 10 ** 15, page)
        check("reset" in events(server.url, 5), "before anything is written")
        status, mine = client.call("PUT", "/v1/main/records/task/1", {"n": "mine"}, If_Match='"1"')
        check(status == 200, mine)
        check(mine["seq"] > begin and mine["version"] > begin, mine)
        check("reset" in events(server.url, 4) and "reset" in events(server.url, 5), "and afterwards")
        page = events(server.url, 3)
        check([change["seq"] for change in page["changes"]] == [mine["seq"]] and "reset" not in page, page)
        page = events(server.url, begin)
        check([change["seq"] for change in page["changes"]] == [mine["seq"]] and "reset" not in page, page)
        page = events(server.url, mine["seq"])
        check(page["changes"] == [] and "reset" not in page, page)
        # A version of the lost time is nobody's: neither a write nor a read takes it for one of now.
        status, answer = client.call("PUT", "/v1/main/records/task/1", {"n": "stale"}, If_Match='"2"')
        check(status == 412, answer)
        status, _ = client.call("GET", "/v1/main/records/task/1", If_None_Match='"2"')
        check(status == 200, status)
        # Made again, it begins where nobody has seen a version.
        status, again = client.call("PUT", "/v1/main/records/task/lost", {"n": 2})
        check(status == 201 and again["version"] > begin, again)
        # The next version is the next number, and what came before the restore is found.
        status, next_one = client.call("PUT", "/v1/main/records/task/1", {"n": "next"}, If_Match=f'"{mine["version"]}"')
        check(status == 200 and next_one["version"] == mine["version"] + 1, next_one)
        status, old = client.call("GET", "/v1/main/records/task/1?version=1")
        check(status == 200 and old["data"]["n"] == 1, old)
        _, history = client.call("GET", "/v1/main/records/task/1/history")
        check([change["version"] for change in history["changes"]] == [next_one["version"], mine["version"], 1], history)
        must("check", "--url", server.url)
        # Merging from a base of before the restore works across it.
        must("put", "task/0", '{"n": 0, "a": 1}', "--base", "1", "--url", server.url)
        must("patch", "task/0", '{"b": 2}', "--base", "1", "--on-conflict", "merge", "--url", server.url)
        check(must("get", "task/0", "--url", server.url, "--json").json["data"] == {"n": 0, "a": 1, "b": 2})
        backup = back_up(folder, "--url", server.url)
    restored(folder, backup, "again")
    must("check", "--data", os.path.join(folder, "again"))
    record = must("put", "task/1", '{"n": "again"}', "--base", str(next_one["version"]), "--data", os.path.join(folder, "again"),
                  "--json").json
    check(record["version"] > next_one["version"] + 1, record)
    must("check", "--data", os.path.join(folder, "again"))


@test
def retention_goes_on_across_a_restore(folder):
    with Server(folder, "--no-auth") as server:
        with open(os.path.join(folder, "type.json"), "w", encoding="utf-8") as file:
            file.write('{"retain": {"versions": 3}}')
        must("types", "put", "note", os.path.join(folder, "type.json"), "--url", server.url)
        for number in range(5):
            must("put", "note/a", json.dumps({"n": number}), "--url", server.url,
                 *(("--base", str(number)) if number else ("--create",)))
        backup = back_up(folder, "--url", server.url)
    data = restored(folder, backup)
    base = 5
    for number in range(5, 10):
        base = must("put", "note/a", json.dumps({"n": number}), "--base", str(base), "--data", data, "--json").json["version"]
        history = must("history", "note/a", "--with-data", "--all", "--json", "--data", data).out.splitlines()
        kept = [json.loads(line) for line in history]
        kept = [change for page in kept for change in page.get("changes", [page])]
        check([change["data"]["n"] for change in kept if "data" in change] == [number, number - 1, number - 2], kept)
    must("check", "--data", data)


@test
def an_index_on_its_way_out_is_no_damage(folder):
    """Its rows stay for a while, and name records that were deleted after the index was let go."""
    with Server(folder, "--no-auth") as server:
        client = Client(server.url)
        check(client.call("PUT", "/v1/main/types/task", {"index": ["/n"]})[0] == 201, "not declared")
        fill(server)
        check(client.call("PUT", "/v1/main/types/task", {"index": []}, If_Match='"1"')[0] == 200, "not redeclared")
        check(client.call("DELETE", "/v1/main/records/task/3", If_Match='"1"')[0] == 200, "not deleted")
        status, found = client.call("GET", "/v1/main/check")
        check(status == 200 and found["ok"], found)
        backup = back_up(folder, "--url", server.url)
    with Server(folder, "--no-auth", data=restored(folder, backup)) as server:
        status, found = Client(server.url).call("GET", "/v1/main/check")
        check(status == 200 and found["ok"], found)


@test
def some_spaces_only_and_the_list_says_so(folder):
    data = data_of(folder)
    with Server(folder, "--no-auth") as server:
        must("space", "create", "third", "--url", server.url)
        backup = back_up(folder, "--space", "other", "--url", server.url)
    check(sorted(name for name in os.listdir(backup) if name.endswith(".db"))[0].startswith("other-"), os.listdir(backup))
    check(len(os.listdir(backup)) == 4, os.listdir(backup))
    ran = must("restore", backup, "--data", os.path.join(folder, "r"))
    check_has(ran.out, r"1 space that the backup does not hold: taken off the list")
    names = must("space", "list", "--data", os.path.join(folder, "r")).out.split()
    check("other" in names and "third" not in names, names)
    must("check", "--data", os.path.join(folder, "r"))
    ran = refused(4, "backup", os.path.join(folder, "b"), "--space", "nosuch", "--data", data)
    check_has(ran.err, r'there is no space "nosuch"')
    check(not os.path.exists(os.path.join(folder, "b")), "nothing is left")


@test
def spaces_that_come_and_go_make_no_broken_set(folder):
    stop = threading.Event()
    failures = []

    def churn(server):
        try:
            client = Client(server.url)
            number = 0
            while not stop.is_set():
                name = f"s{number % 3}"
                status, answer = client.call("PUT", f"/v1/{name}")
                if status not in (200, 201):
                    raise AssertionError((status, answer))
                client.call("PUT", f"/v1/{name}/records/note/1", {"n": number})
                client.call("DELETE", f"/v1/{name}")
                number += 1
        except Exception as error:
            failures.append(error)

    made = []
    with Server(folder, "--no-auth") as server:
        thread = threading.Thread(target=churn, args=(server,))
        thread.start()
        for _ in range(6):
            ran = stet("backup", os.path.join(folder, "b"), "--url", server.url, "--json")
            # Told to come again is an answer, too; a broken set is not.
            check(ran.code in (0, 5), ran)
            if ran.code == 0:
                made.append(ran.json["backup"])
        stop.set()
        thread.join()
        check(not failures, failures)
        made.append(back_up(folder, "--url", server.url, name="b"))
    for number, backup in enumerate(made):
        data = restored(folder, backup, f"r{number}")
        with open(os.path.join(backup, "manifest.json"), encoding="utf-8") as file:
            held = {space["name"] for space in json.load(file)["spaces"]}
        check(set(must("space", "list", "--data", data).out.split()) == held, (held, number))
        must("check", "--data", data)


def temporary_files(data):
    path = os.path.join(data, "tmp")
    return os.listdir(path) if os.path.exists(path) else []


def make_large(server, records=6000):
    lines = "".join(json.dumps({"type": "big", "id": str(number), "data": {"text": os.urandom(1500).hex()}}) + "\n"
                    for number in range(records))
    must("import", "-", "--url", server.url, stdin=lines)


@test
def a_killed_server_leaves_no_half_copy(folder):
    server = Server(folder, "--no-auth")
    make_large(server)
    path = os.path.join(folder, "b")
    process = subprocess.Popen([PROGRAM, "backup", path, "--url", server.url], stderr=subprocess.DEVNULL, env=environment())
    wait_for(lambda: temporary_files(server.data), "a copy to be made")
    server.process.kill()
    server.process.wait()
    check(process.wait(WAIT_S) != 0, "the backup must fail")
    check(not os.path.exists(path), "nothing is left")
    check(temporary_files(server.data), "the test was too late")
    with Server(folder, "--no-auth") as server:
        check(temporary_files(server.data) == [], "the next start removes it")
        must("check", "--url", server.url)


@test
def a_client_that_leaves_ends_the_copy(folder):
    with Server(folder, "--no-auth") as server:
        make_large(server)
        connection = http.client.HTTPConnection(urllib.parse.urlparse(server.url).netloc, timeout=WAIT_S)
        connection.request("GET", "/v1/main/backup")
        wait_for(lambda: temporary_files(server.data), "a copy to be made")
        connection.close()
        wait_for(lambda: not temporary_files(server.data), "the copy to be given up")
        # One that is being sent has no name any more.
        connection = http.client.HTTPConnection(urllib.parse.urlparse(server.url).netloc, timeout=WAIT_S)
        connection.request("GET", "/v1/main/backup")
        answer = connection.getresponse()
        check(answer.status == 200 and answer.getheader("Repr-Digest").startswith("sha-256=:"), answer.getheaders())
        check(len(answer.read(1000)) == 1000 and temporary_files(server.data) == [], "the file has a name")
        connection.close()

        def open_copies():
            links = [f"/proc/{server.process.pid}/fd/{fd}" for fd in os.listdir(f"/proc/{server.process.pid}/fd")]
            return [link for link in links if os.path.islink(link) and "/tmp/" in os.readlink(link)
                    and "(deleted)" in os.readlink(link) and server.data in os.readlink(link)]

        wait_for(lambda: not open_copies(), "the server to let go of the copy")
        must("check", "--url", server.url)


@test
def a_killed_backup_leaves_no_backup_and_the_next_one_tidies_up(folder):
    path = os.path.join(folder, "b")
    with Server(folder, "--no-auth") as server:
        make_large(server)
        process = subprocess.Popen([PROGRAM, "backup", path, "--url", server.url], stderr=subprocess.DEVNULL,
                                   env=environment())
        wait_for(lambda: os.path.exists(path) and os.listdir(path), "the backup to begin")
        process.kill()
        process.wait()
        left = os.listdir(path)
        check(left and all(name.startswith(".stet-making-") for name in left), left)
        # Stopped by a signal it tidies up by itself.
        process = subprocess.Popen([PROGRAM, "backup", path, "--url", server.url], stderr=subprocess.PIPE, text=True,
                                   env=environment())
        wait_for(lambda: [name for name in os.listdir(path) if name not in left], "the next to begin")
        check(not os.path.exists(os.path.join(path, left[0])), "the first one's folder is still there")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=WAIT_S)
        check(process.returncode == 1, (process.returncode, err))
        check_has(err, "stopped; nothing of it is left")
        check(os.listdir(path) == [], os.listdir(path))


@test
def a_disk_that_is_too_small_is_told_before_and_while(folder):
    data = data_of(folder, records=3000)
    path = os.path.join(folder, "b")
    command = f'ulimit -f 600; exec "$0" backup {path} --data {data}'
    done = subprocess.run(["bash", "-c", "trap '' XFSZ; " + command, PROGRAM], capture_output=True, text=True,
                          env=environment(), check=False)
    check(done.returncode != 0, done)
    check(not os.path.exists(path), "nothing is left")
    check(temporary_files(data) == [], "a copy is left")
    must("check", "--data", data)
    backup = back_up(folder, "--data", data)
    done = subprocess.run(["bash", "-c", f'trap "" XFSZ; ulimit -f 600; exec "$0" restore {backup} --data {folder}/r', PROGRAM],
                          capture_output=True, text=True, env=environment(), check=False)
    check(done.returncode != 0 and not os.path.exists(os.path.join(folder, "r")), done)


@test
def only_administrators_may(folder):
    with Server(folder) as server:
        token = must("token", "create", "--actor", "ann", "--data", server.data).out.strip()
        status, answer = Client(server.url).call("GET", "/v1/main/backup", Authorization=f"Bearer {token}")
        check(status == 403, answer)
        status, _ = Client(server.url).call("GET", "/v1/main/backup")
        check(status == 401, status)
        ran = refused(6, "backup", os.path.join(folder, "b"), "--url", server.url, "--token", token)
        check_has(ran.err, "administrator")
        check(not os.path.exists(os.path.join(folder, "b")), "nothing is left")
        os.mkdir(os.path.join(folder, "b"))
        refused(6, "backup", os.path.join(folder, "b"), "--url", server.url, "--token", token)
        check(os.listdir(os.path.join(folder, "b")) == [], "what was there before stays")
        admin = must("token", "create", "--actor", "root", "--admin", "--data", server.data).out.strip()
        backup = back_up(folder, "--url", server.url, "--token", admin)
    restored(folder, backup)
    with Server(folder, data="restored") as server:
        must("space", "list", "--url", server.url, "--token", admin)


@test
def a_backup_lies_in_a_folder_of_its_own(folder):
    data = data_of(folder)
    os.symlink(os.path.join(data, "spaces"), os.path.join(folder, "link"))
    backup = back_up(folder, "--data", data)
    before = sorted(os.listdir(data)), sorted(os.listdir(os.path.join(data, "spaces")))
    for path, words in ((data, "is a data directory"), (data + "/spaces", "among the files"), (data + "/spaces/x", "among the files"),
                        (data + "/spaces/../spaces/x", "among the files"), (os.path.join(folder, "link", "x"), "among the files"),
                        (backup, "in one, which"), (os.path.join(backup, "x"), "in one, which")):
        check_has(refused(1, "backup", path, "--data", data).err, words)
        check_has(refused(2, "serve", "--data", data, "--listen", "127.0.0.1:0", "--backup-dir", path).err, words)
    must("backup", "--verify", backup)
    check(before == (sorted(os.listdir(data)), sorted(os.listdir(os.path.join(data, "spaces")))), os.listdir(data))
    # Directly in the data directory is no good place either, but nobody touches it there.
    backup = back_up(data, "--data", data)
    with Server(folder, "--no-auth", "--backup-dir", os.path.join(data, "backups"), "--backup-every", "1h"):
        wait_for(lambda: len(backups_in(os.path.join(data, "backups"))) == 2, "one more")
    must("check", "--data", data)
    must("backup", "--verify", backup)


def backups_in(path):
    return sorted(name for name in os.listdir(path) if name.startswith("stet-")) if os.path.exists(path) else []


@test
def backups_are_made_by_themselves_and_old_ones_go(folder):
    path = os.path.join(folder, "nightly")
    with Server(folder, "--no-auth") as server:
        fill(server)
        by_hand = back_up(folder, "--url", server.url, name="nightly")
        foreign = back_up(folder, "--data", make_other(folder), name="nightly")
    os.mkdir(os.path.join(path, "stet-2020-01-01T00-00-00Z"))
    strangers = {os.path.basename(by_hand), os.path.basename(foreign), "stet-2020-01-01T00-00-00Z"}
    seen = set()
    with Server(folder, "--no-auth", "--backup-dir", path, "--backup-every", "1s", "--backup-keep", "2") as server:
        def enough():
            seen.update(set(backups_in(path)) - strangers)
            return len(seen) >= 5
        wait_for(enough, "five backups")
        def metric(name):
            _, text = Client(server.url).call("GET", "/metrics")
            [line] = [line for line in text.decode().splitlines() if line.startswith(name + " ")]
            return float(line.split()[1])
        check(metric("stet_backups_total") >= 4, "counted")
        check(metric("stet_backup_failures_total") == 0, "none failed")
        check(abs(metric("stet_backup_last_success_timestamp_seconds") - time.time()) < WAIT_S, "the time of the last")
        check(metric("stet_backup_last_bytes") > 1000, "its size")
    check(server.process.returncode == 0)
    kept = set(backups_in(path)) - strangers
    check(2 <= len(kept) <= 3, kept)  # Stopped between making one and removing the oldest, there are three.
    check(strangers <= set(backups_in(path)), "what the schedule did not make was removed")
    check([name for name in os.listdir(path) if name.startswith(".")] == [], os.listdir(path))
    check_has(server.log(), r'backed up 2 spaces, \d+ bytes, in ')
    must("backup", "--verify", os.path.join(path, max(kept)))


def make_other(folder):
    data = os.path.join(folder, "elsewhere")
    must("init", "--data", data)
    return data


def date_ahead(path, name, year):
    """A backup as a clock that was wrong would have dated it."""
    dated = re.sub(r"\d{4}", year, name, count=1)
    os.rename(os.path.join(path, name), os.path.join(path, dated))
    manifest, sums = (os.path.join(path, dated, file) for file in ("manifest.json", "SHA256SUMS"))
    with open(manifest, encoding="utf-8") as file:
        text = re.sub(r'"made_at":"\d{4}', f'"made_at":"{year}', file.read(), count=1)
    with open(manifest, "w", encoding="utf-8") as file:
        file.write(text)
    with open(sums, encoding="utf-8") as file:
        lines = file.read().splitlines(keepends=True)
    with open(sums, "w", encoding="utf-8") as file:
        file.writelines([f"{hashlib.sha256(text.encode()).hexdigest()}  manifest.json\n", *lines[1:]])
    return dated


@test
def a_clock_that_was_ahead_does_not_cost_the_new_backups(folder):
    path = os.path.join(folder, "backups")
    arguments = ("--no-auth", "--backup-dir", path, "--backup-every", "1s", "--backup-keep", "2")
    with Server(folder, *arguments):
        wait_for(lambda: os.path.isdir(path) and len(backups_in(path)) >= 2, "two backups")
    ahead = {date_ahead(path, name, "2099") for name in backups_in(path)}
    for name in ahead:
        must("backup", "--verify", os.path.join(path, name))
    with Server(folder, *arguments):
        wait_for(lambda: len(set(backups_in(path)) - ahead) >= 2 and not ahead & set(backups_in(path)), "new ones instead of those")


@test
def the_schedule_goes_on_from_the_newest_backup(folder):
    path = os.path.join(folder, "daily")
    arguments = ("--no-auth", "--backup-dir", path, "--backup-every", "1d")
    with Server(folder, *arguments):
        wait_for(lambda: backups_in(path), "the first")
    for _ in range(2):
        with Server(folder, *arguments) as server:
            fill(server, 1, kind=f"t{_}")
    check(len(backups_in(path)) == 1, backups_in(path))


@test
def a_failed_scheduled_backup_is_told_and_tried_again(folder):
    path = os.path.join(folder, "there")
    with Server(folder, "--no-auth", "--backup-dir", path, "--backup-every", "1s") as server:
        wait_for(lambda: backups_in(path), "the first")
        shutil.rmtree(path)
        with open(path, "w", encoding="utf-8"):
            pass

        def failed():
            _, text = Client(server.url).call("GET", "/metrics")
            return b"stet_backup_failures_total 0\n" not in text
        wait_for(failed, "a failure to be counted")
        os.remove(path)
        wait_for(lambda: backups_in(path), "it to be made after all")
    check_has(server.log(), r"scheduled backup to .* failed: .*tried again at the next time")
    for arguments in (("--backup-every", "1h"), ("--backup-dir", path, "--backup-every", "often"),
                      ("--backup-dir", "/proc/nowhere")):
        ran = stet("serve", "--data", os.path.join(folder, "x"), "--listen", "127.0.0.1:0", *arguments)
        check(ran.code in (1, 2), ran)
        check_has(ran.err, "backup|/proc")


@test
def memory_stays_bounded_while_a_large_space_is_backed_up(folder):
    with Server(folder, "--no-auth") as server:
        make_large(server, 20000)

        def resident():
            with open(f"/proc/{server.process.pid}/status", encoding="ascii") as file:
                [line] = [line for line in file if line.startswith("VmHWM")]
            return int(line.split()[1]) * 1024
        with open(f"/proc/{server.process.pid}/clear_refs", "w", encoding="ascii") as file:
            file.write("5")
        before = resident()
        backup = back_up(folder, "--url", server.url)
        grown = resident() - before
        size = os.path.getsize(os.path.join(backup, "main.db"))
        check(size > 60 << 20, size)
        if SLOW == 1:  # The sanitizers' own memory is not ours.
            check(grown < 24 << 20, f"{grown} bytes more for a copy of {size}")


main()
