#!/usr/bin/env python3
"""stet export and stet import: what goes out comes in again, whole, also when it is interrupted."""
import fcntl
import http.server
import json
import os
import pty
import re
import socket
import subprocess
import threading
import urllib.request

from harness import PROGRAM, WAIT_S, Server, check, check_has, environment, main, make_directory, must, refused, test


def lines_of(path):
    with open(path, encoding="utf-8") as file:
        return file.read().splitlines()


def bare(path):
    """The records' lines, without their positions, which are the space's; in the order of the records."""
    return sorted(re.sub(r'^\{"seq":\d+(,"transaction":\d+)?,', "{", line)
                  for line in lines_of(path) if '"stet_export"' not in line)


def own_lines(path):
    return [json.loads(line)["stet_export"] for line in lines_of(path) if line.startswith('{"stet_export":')]


def fill(folder, run, count=300):
    """Records of two types with some history: edits, deletes, a move, a tree, a fork, a merge, a transaction."""
    path = os.path.join(folder, "fill.ndjson")
    with open(path, "w", encoding="utf-8") as file:
        for number in range(count):
            file.write(json.dumps({"type": "notes", "id": str(number), "data": {"n": number, "ä": "\u2028" * 20}}) + "\n")
    run("import", path)
    run("put", "tasks/1", '{"n":1.10}')
    run("put", "tasks/1", '{"n":2}', "--base", "1", "--actor", "ben")
    run("put", "tasks/child", "{}", "--parent", "tasks/1")
    run("put", "tasks/1", '{"n":3}', "--base", "2")  # The parent now stands behind its child.
    run("put", "tasks/2", "{}")
    run("delete", "tasks/2", "--base", "1", "--actor", "ann")
    run("put", "tasks/2", '{"again":1}')
    run("delete", "tasks/2", "--base", "3")
    run("fork", "tasks/1", "copy")
    run("patch", "tasks/copy", '{"m":1}', "--base", "1")
    run("patch", "tasks/1", '{"late":1}', "--base", "1", "--on-conflict", "last_writer_wins")
    run("delete", "notes/7", "--base", "1")


class Pair:
    """A server with a filled space and an empty one."""

    def __init__(self, folder):
        self.folder = folder
        self.server = Server(folder, "--no-auth")
        fill(folder, self.run)
        self.run("space", "create", "other")

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.server.__exit__(kind, value, trace)

    def run(self, *arguments, **options):
        return must(*arguments, "--url", self.server.url, **options)

    def no(self, code, *arguments, **options):
        return refused(code, *arguments, "--url", self.server.url, **options)

    def file(self, name):
        return os.path.join(self.folder, name)


@test
def a_space_with_its_history_goes_there_and_back(folder):
    with Pair(folder) as pair:
        first, second = pair.file("first"), pair.file("second")
        out = pair.run("export", first, "--history").out
        head, end = own_lines(first)
        check(head["history"] is True and end["end"] is True and end["lines"] == len(lines_of(first)) - 2)
        check_has(out, rf"^{end['lines']} versions as of position {end['seq']} in {first}$")
        check(not os.path.exists(first + ".part"))
        ran = pair.run("import", first, "--space", "other", "--actor", "importer")
        check_has(ran.out, rf"^{end['lines']} imported, 0 there already, 0 failed$")
        check(not os.path.exists(first + ".import"))
        pair.run("export", second, "--history", "--space", "other")
        check(bare(first) == bare(second))
        check_has(pair.run("check", "--space", "other").out, "sound")
        for address in ("tasks/1", "tasks/child", "tasks/copy", "notes/3"):
            ours, theirs = (pair.run("get", address, "--json", *more).json for more in ((), ("--space", "other")))
            for member in ("version", "created_at", "created_by", "updated_at", "updated_by", "data", "parent", "forked_from"):
                check(ours.get(member) == theirs.get(member), (address, member, ours, theirs))
        check_has(pair.no(4, "get", "tasks/2", "--space", "other").err, "DELETED")
        versions = pair.run("history", "tasks/2", "--space", "other", "--json").json["changes"]
        check([change["op"] for change in versions] == ["delete", "create", "delete", "create"], versions)
        check(versions[0]["by"] == "importer" and versions[2]["origin"]["updated_by"] == "ann", versions)
        # Once more changes nothing, and what is not the same is said.
        again = pair.run("import", first, "--space", "other").out
        check_has(again, rf"^0 imported, {end['lines']} there already, 0 failed$")
        pair.run("patch", "notes/5", '{"here":1}', "--base", "1", "--space", "other")
        pair.run("patch", "notes/5", '{"there":1}', "--base", "1")
        third = pair.file("third")
        pair.run("export", third, "--history", "--type", "notes")
        check_has(pair.no(1, "import", third, "--space", "other").err, r"line \d+: .*another one.*ALREADY_EXISTS")


@test
def records_go_without_their_history_and_children_wait_for_parents(folder):
    with Pair(folder) as pair:
        first, second = pair.file("first"), pair.file("second")
        pair.run("export", first)
        order = [json.loads(line).get("id") for line in lines_of(first)]
        check(order.index("child") < order.index("1", order.index("299")), order[-5:])
        pair.run("import", first, "--space", "other")
        pair.run("export", second, "--space", "other")
        check(bare(first) == bare(second))
        tree = pair.run("tree", "tasks/1", "--space", "other", "--json").json
        check(tree["count"] == 2, tree)
        # A parent that is nowhere is an error by line.
        with open(pair.file("orphan"), "w", encoding="utf-8") as file:
            file.write('{"type":"tasks","id":"o","data":{},"parent":"tasks/none"}\n')
        check_has(pair.no(1, "import", pair.file("orphan"), "--space", "other").err, r"line 1: .*parent \(NOT_FOUND\)")


@test
def a_history_whose_parent_comes_late_is_kept_whole(folder):
    with Server(folder, "--no-auth") as server:
        def run(*arguments):
            return must(*arguments, "--url", server.url)

        schema, path = os.path.join(folder, "schema"), os.path.join(folder, "history")
        with open(schema, "w", encoding="utf-8") as file:
            json.dump({"retain": {"versions": 1}}, file)
        run("types", "put", "parents", schema)
        run("space", "create", "other")
        run("put", "parents/p", "{}")
        run("put", "children/c", '{"n":1}', "--parent", "parents/p")
        for version in (1, 2):
            run("put", "parents/p", json.dumps({"n": version}), "--base", str(version))
            run("put", "children/c", json.dumps({"n": version + 1}), "--base", str(version))
        run("export", path, "--history")
        kinds = [json.loads(line).get("type") for line in lines_of(path)]
        check(kinds.index("children") < kinds.index("parents"), kinds)
        check_has(run("import", path, "--space", "other").out, "^4 imported, 0 there already, 0 failed")
        versions = run("history", "children/c", "--space", "other", "--json").json["changes"]
        check([change["version"] for change in versions] == [3, 2, 1], versions)
        check_has(run("check", "--space", "other").out, "sound")


@test
def what_was_restored_goes_out_and_in(folder):
    with Pair(folder) as pair:
        backup = pair.run("backup", pair.file("backups"), "--json").json["backup"]
    must("restore", backup, "--data", pair.file("restored"))
    with Server(folder, "--no-auth", data="restored") as server:
        def run(*arguments):
            return must(*arguments, "--url", server.url)

        run("put", "notes/1", '{"after":1}', "--base", "1")
        run("put", "notes/new", "{}")
        check_has(run("diff", "notes/1").out, "/after")
        for name, arguments in (("history", ("--history",)), ("state", ())):
            path, again = pair.file(name), pair.file(name + ".again")
            run("space", "create", name)
            run("export", path, *arguments)
            check_has(run("import", path, "--space", name).out, " 0 there already, 0 failed")
            run("export", again, "--space", name, *arguments)
            # Of the record whose past stayed behind, the first version there is what makes it.
            went, came = ([re.sub(r'"op":"(create|update)","base_version":\d+,', "", line) for line in bare(one)] for one in (path, again))
            check(went == came, set(went) ^ set(came))
            check_has(run("check", "--space", name).out, "sound")
        # Its positions jump to the time of the restore: they say nothing of how much there is.
        check_has(run("export", pair.file("all"), "--history").err, r"^Exporting: \d{1,3} versions in ")
        check_has(run("export", pair.file("some")).err, r"^Exporting: \d{1,3} records in ")


@test
def types_and_conditions_choose(folder):
    with Pair(folder) as pair:
        def ids(*arguments):
            out = pair.run("export", *arguments, "--json").out.splitlines()
            return [json.loads(line)["id"] for line in out if not line.startswith('{"stet_export"')]

        check(sorted(ids("--type", "tasks")) == ["1", "child", "copy"])
        check(ids("-", "--type", "notes", "--where", "n < 3") == ["0", "1", "2"])
        check(len(ids("--type", "tasks", "--type", "notes")) == 302)
        check_has(pair.no(1, "export", "--where", "n <").err, "BAD_REQUEST")
        check_has(pair.no(6, "export", "--type", "stet.token").err, "FORBIDDEN")


@test
def nothing_is_overwritten_and_a_part_is_gone_on_with(folder):
    with Pair(folder) as pair:
        whole, cut = pair.file("whole"), pair.file("cut")
        pair.run("export", whole, "--history")
        before = os.stat(whole)
        check_has(pair.no(1, "export", whole).err, "exists already")
        check(os.stat(whole).st_mtime_ns == before.st_mtime_ns)
        with open(whole, "rb") as file:
            content = file.read()
        for size in (len(content) // 2, len(content) - 3, 20, 0):
            with open(cut + ".part", "wb") as file:
                file.write(content[:size])
            check_has(pair.no(1, "export", cut, "--history").err, "--resume")
            pair.run("put", f"later/{size}", "{}")  # As of the same position all the same.
            if size < 60:
                os.remove(cut + ".part")
                pair.run("export", cut, "--history", "--resume")
            else:
                said = pair.run("export", cut, "--history", "--resume").err
                check_has(said, r"going on behind position \d+")
                with open(cut, "rb") as file:
                    check(file.read() == content)
            os.remove(cut)
        with open(cut + ".part", "wb") as file:
            file.write(content[:len(content) // 2])
        check_has(pair.no(2, "export", cut, "--resume").err, "other options")
        check_has(pair.no(2, "export", "-", "--resume").err, "name of the file")


@test
def a_part_is_gone_on_with_only_from_its_own_space_and_by_one(folder):
    with Pair(folder) as pair:
        whole, cut = pair.file("whole"), pair.file("cut")
        pair.run("export", whole, "--history")
        with open(whole, "rb") as file:
            content = file.read()[:30000]
        with open(cut + ".part", "wb") as file:
            file.write(content)
            file.flush()
            fcntl.flock(file, fcntl.LOCK_EX)
            check_has(pair.no(5, "export", cut, "--history", "--resume").err, "another export is writing")
        with Server(folder, "--no-auth", data="elsewhere") as elsewhere:
            fill(folder, lambda *arguments: must(*arguments, "--url", elsewhere.url))
            check_has(refused(2, "export", cut, "--history", "--resume", "--url", elsewhere.url).err, "another space")
        with open(cut + ".part", "rb") as file:
            check(file.read() == content[:content.rindex(b"\n") + 1])
        check(not os.path.exists(cut))
        pair.run("export", cut, "--history", "--resume")
        with open(cut, "rb") as one, open(whole, "rb") as other:
            check(one.read() == other.read())


class Breaker:
    """Stands before the server and cuts each answer of the export after so many bytes."""

    def __init__(self, url, size, times):
        self.target, self.size, self.left = url, size, times
        self.paths = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.paths.append(self.path)
                with urllib.request.urlopen(outer.target + self.path, timeout=WAIT_S) as answer:
                    body = answer.read()
                self.send_response(200)
                self.send_header("Content-Type", "application/x-ndjson")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if outer.left > 0:
                    outer.left -= 1
                    body = body[:outer.size]
                self.wfile.write(body)
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@test
def a_connection_that_breaks_is_taken_up_where_it_was(folder):
    with Pair(folder) as pair:
        whole, broken = pair.file("whole"), pair.file("broken")
        pair.run("export", whole, "--history")
        with Breaker(pair.server.url, 20000, 3) as breaker:
            must("export", broken, "--history", "--url", breaker.url)
            check(len(breaker.paths) == 4 and "after=" in breaker.paths[3], breaker.paths)
        with open(whole, "rb") as one, open(broken, "rb") as other:
            check(one.read() == other.read())
        # When it never gets anywhere, the part stays, and no file looks whole.
        with Breaker(pair.server.url, 130, 1000) as breaker:
            ran = refused(5, "export", pair.file("never"), "--history", "--url", breaker.url)
            check_has(ran.err, "not whole.*--resume")
        check(not os.path.exists(pair.file("never")) and os.path.exists(pair.file("never.part")))


@test
def a_file_that_was_cut_is_noticed(folder):
    with Pair(folder) as pair:
        whole, cut = pair.file("whole"), pair.file("cut")
        pair.run("export", whole)
        with open(cut, "w", encoding="utf-8") as file:
            file.write("\n".join(lines_of(whole)[:-1]) + "\n")
        check_has(pair.no(1, "import", cut, "--space", "other").err, "not a whole export")


class Interrupted:
    """A file of which a run that was cut off has loaded the beginning: three pieces pass, then the answer is 500."""

    def __init__(self, folder, url, lines):
        self.path = os.path.join(folder, "in")
        with open(self.path, "w", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in lines)
        passed = self.passed = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                code, said = 500, b"{}"
                if len(passed) < 3:
                    passed.append(body)
                    request = urllib.request.Request(url + self.path, body, {"Content-Type": "application/x-ndjson"})
                    with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
                        code, said = 200, answer.read()
                self.send_response(code)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_):
                pass

        proxy = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=proxy.serve_forever)
        thread.start()
        try:
            refused(1, "import", self.path, "--url", f"http://127.0.0.1:{proxy.server_port}")
        finally:
            proxy.shutdown()
            thread.join()
            proxy.server_close()
        check(os.path.exists(self.path + ".import"))


def many(count=6000, bad=-1):
    return ["oops" if number == bad else json.dumps({"type": "t", "id": str(number), "data": {"x": "y" * 1000}})
            for number in range(count)]


@test
def an_import_goes_on_where_it_was_interrupted(folder):
    with Server(folder, "--no-auth") as server:
        interrupted = Interrupted(folder, server.url, many())
        path = interrupted.path
        with open(path + ".import", encoding="utf-8") as file:
            state = json.load(file)
        sent = b"".join(interrupted.passed)
        check(state["bytes"] == len(sent) and state["line"] == sent.count(b"\n") + 1, (state, len(sent)))
        ran = must("import", path, "--resume", "--url", server.url)
        check_has(ran.err, rf"going on at line {state['line']}")
        check_has(ran.out, rf"^{6000 - state['line'] + 1} imported, 0 there already")
        check(not os.path.exists(path + ".import"))
        check(must("list", "t", "--json", "--limit", "1", "--url", server.url).json)
        # A state of another file is not believed.
        with open(path + ".import", "w", encoding="utf-8") as file:
            json.dump({"bytes": 10, "line": 2, "of_bytes": 5}, file)
        check_has(refused(2, "import", path, "--resume", "--url", server.url).err, "another file")


@test
def an_import_is_not_taken_up_where_its_beginning_is_not(folder):
    with Server(folder, "--no-auth") as server:
        must("space", "create", "other", "--url", server.url)
        path = Interrupted(folder, server.url, many()).path
        check_has(refused(2, "import", path, "--resume", "--space", "other", "--url", server.url).err, 'into space "main"')
        with Server(folder, "--no-auth", data="elsewhere") as elsewhere:
            check_has(refused(2, "import", path, "--resume", "--url", elsewhere.url).err, "not in this space.*without --resume")
            check(must("list", "t", "--json", "--url", elsewhere.url).json["records"] == [])
        # A trial leaves the way back alone.
        must("import", path, "--dry-run", "--url", server.url)
        check(os.path.exists(path + ".import"))
        check_has(must("import", path, "--resume", "--url", server.url).err, "going on at line")


@test
def what_was_wrong_before_an_interruption_is_not_forgotten(folder):
    with Server(folder, "--no-auth") as server:
        path = Interrupted(folder, server.url, many(bad=20)).path
        check_has(refused(1, "import", path, "--resume", "--url", server.url).out, "1 failed before it was interrupted")
    with Server(folder, "--no-auth", data="fresh") as server:
        head = '{"stet_export":{"format":1,"space":"main","seq":9,"history":true}}'  # Its lines go one piece after another.
        path = Interrupted(folder, server.url, [head, *many()]).path
        check_has(refused(1, "import", path, "--resume", "--url", server.url).err, "not a whole export")


@test
def one_bad_line_can_stop_it(folder):
    data = make_directory(folder)
    path = os.path.join(folder, "in")
    with open(path, "w", encoding="utf-8") as file:
        for number in range(9000):
            file.write("oops\n" if number == 4999 else json.dumps({"type": "t", "id": str(number), "data": {}}) + "\n")
    ran = refused(1, "import", path, "--on-error", "stop", "--data", data)
    check_has(ran.err, r"line 5000: .*BAD_JSON")
    check_has(ran.out, "^4999 imported, 0 there already, 1 failed")
    ran = refused(1, "import", path, "--on-error", "continue", "--data", data)
    check_has(ran.out, "^4000 imported, 4999 there already, 1 failed")
    check_has(refused(2, "import", path, "--on-error", "explode", "--data", data).err, "continue or stop")


@test
def a_dry_run_stores_nothing(folder):
    with Pair(folder) as pair:
        whole, history = pair.file("whole"), pair.file("history")
        pair.run("export", whole)
        check_has(pair.run("import", whole, "--space", "other", "--dry-run").out, r"^301 would be imported.*1 stand below")
        check(pair.run("list", "notes", "--space", "other", "--json").json["records"] == [])
        pair.run("export", history, "--history")
        check_has(pair.no(2, "import", history, "--space", "other", "--dry-run").err, "cannot be tried out")


@test
def only_administrators_export(folder):
    data = make_directory(folder)
    token = must("token", "create", "--actor", "ann", "--data", data, "--json").json["token"]
    with Server(folder) as server:
        check_has(refused(6, "export", "--url", server.url, "--token", token).err, "FORBIDDEN")
        check_has(must("export", "--data", server.data).out, '"end":true')


@test
def transactions_stay_whole(folder):
    with Server(folder, "--no-auth") as server:
        schema = os.path.join(folder, "schema")
        with open(schema, "w", encoding="utf-8") as file:
            json.dump({"unique": [["/seat"]]}, file)
        must("space", "create", "other", "--url", server.url)
        for space in ("main", "other"):
            must("types", "put", "seats", schema, "--space", space, "--url", server.url)

        def transact(*mutations):
            body = json.dumps({"mutations": mutations}).encode()
            request = urllib.request.Request(server.url + "/v1/main/transactions", body, {"Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
                return json.load(answer)

        transact({"op": "create", "type": "seats", "id": "a", "data": {"seat": 1}},
                 {"op": "create", "type": "seats", "id": "b", "data": {"seat": 2}})
        transact({"op": "put", "type": "seats", "id": "a", "base_version": 1, "data": {"seat": 3}},
                 {"op": "put", "type": "seats", "id": "b", "base_version": 1, "data": {"seat": 1}})
        path = os.path.join(folder, "history")
        must("export", path, "--history", "--type", "seats", "--url", server.url)
        check_has(must("import", path, "--space", "other", "--url", server.url).out, "^4 imported, 0 there already, 0 failed")
        changes = must("history", "seats/a", "--space", "other", "--json", "--url", server.url).json["changes"]
        check(changes[0]["transaction"] == changes[0]["seq"] + 1, changes)


@test
def readers_who_do_not_read_hold_nothing_up(folder):
    with Server(folder, "--no-auth", "--worker-threads", "1", "--io-threads", "1") as server:
        path = os.path.join(folder, "in")
        with open(path, "w", encoding="utf-8") as file:
            for number in range(6000):
                file.write(json.dumps({"type": "t", "id": str(number), "data": {"x": "y" * 4000}}) + "\n")
        must("import", path, "--url", server.url)
        host, port = server.url.removeprefix("http://").split(":")
        idle = []
        try:
            for _ in range(8):
                idle.append(socket.create_connection((host, int(port)), timeout=WAIT_S))
                idle[-1].sendall(f"GET /v1/main/export HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
                begun = idle[-1].recv(12)
                check(begun == b"HTTP/1.1 200", begun)
            # The one worker is free for lists and for another export, while eight wait to be read.
            check(len(must("list", "t", "--json", "--limit", "5", "--url", server.url).json["records"]) == 5)
            whole = os.path.join(folder, "whole")
            must("export", whole, "--url", server.url)
            check(own_lines(whole)[1]["lines"] == 6000)
            # Who goes on reading gets the rest, to the last line.
            idle[0].settimeout(WAIT_S)
            text = b""
            while b'"end":true' not in text[-200:]:
                part = idle[0].recv(1 << 16)
                check(part, "the answer broke off")
                text = text[-200:] + part
        finally:
            for one in idle:
                one.close()
        server.stop()  # Cleanly, though seven left in the middle.
        check(server.code == 0, server.log())


@test
def a_terminal_shows_how_far_it_is(folder):
    with Pair(folder) as pair:
        ours, theirs = pty.openpty()
        process = subprocess.Popen([PROGRAM, "export", pair.file("out"), "--url", pair.server.url], stdout=subprocess.PIPE,
                                   stderr=theirs, env=environment({"TERM": "xterm"}))
        out, _ = process.communicate(timeout=WAIT_S)
        os.close(theirs)
        seen = os.read(ours, 65536).decode()
        os.close(ours)
        check(process.returncode == 0, seen)
        check_has(seen, r"^\r\x1b\[KExporting .*\r\x1b\[KExporting: [\d,]+ changes in \d:\d\d, [\d,]+/s\r\n$")
        check_has(out.decode(), "302 records as of position")


main()
