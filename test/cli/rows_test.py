#!/usr/bin/env python3
"""stet import of other programs' files: CSV, JSON arrays and lines, maps, bad rows, updates, resuming."""
import csv
import http.server
import json
import os
import pty
import re
import signal
import subprocess
import threading
import urllib.error
import urllib.request

from harness import PROGRAM, WAIT_S, Server, check, check_has, environment, main, make_directory, must, refused, stet, test, wait_for


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "wb") as file:
        file.write(text if isinstance(text, bytes) else text.encode())
    return path


def data_of(data, address):
    return must("get", address, "--data", data, "--json").json["data"]


MAP = {"type": "customers", "id": "No", "empty": "skip", "constants": {"/source": {"system": "old"}},
       "fields": {"Name": "/name", "Town": "/address/town", "Since": {"to": "/since", "as": "date(dd.mm.yyyy)"},
                  "Credit": "/credit:number(.,)", "Tags": {"to": "/tags", "as": "list(|)"}, "VIP": "/vip:boolean(ja/nein)"}}
CUSTOMERS = ('No;Name;Town;Since;Credit;Tags;VIP;Remark\r\n'
             'K-1;"Müller; ""Ann""";Bern;03.11.2019;1.234,50;new|large;ja;"two\r\nlines"\r\n'
             'K-2;Bob;;;;;nein;\r\n')


@test
def a_table_becomes_records_as_its_map_says(folder):
    data = make_directory(folder)
    path, rules = write(folder, "c.csv", CUSTOMERS), write(folder, "map.json", json.dumps(MAP))
    ran = must("import", path, "--map", rules, "--separator", ";", "--data", data)
    check_has(ran.out, "^2 imported, 0 there already, 0 failed")
    check(data_of(data, "customers/K-1") == {"name": 'Müller; "Ann"', "address": {"town": "Bern"}, "since": "2019-11-03", "credit": 1234.50,
                                            "tags": ["new", "large"], "vip": True, "source": {"system": "old"}}, data_of(data, "customers/K-1"))
    check(data_of(data, "customers/K-2") == {"name": "Bob", "vip": False, "source": {"system": "old"}})
    # The same in latin1, and said by options: nothing is new.
    path = write(folder, "latin.csv", CUSTOMERS.encode("latin1"))
    options = ["--type", "customers", "--id-from", "No", "--field", "Name=/name", "--field", "Town=/address/town",
               "--field", "Since=/since:date(dd.mm.yyyy)", "--field", "Credit=/credit:number(.,)", "--field", "Tags=/tags:list(|)",
               "--field", "VIP=/vip:boolean(ja/nein)", "--separator", ";", "--data", data]
    # A constant that is an object is for maps.
    with open(rules, "w", encoding="utf-8") as file:
        json.dump({"constants": MAP["constants"]}, file)
    check_has(must("import", path, *options, "--map", rules, "--encoding", "latin1").out, "^0 imported, 2 there already, 0 failed")


@test
def a_file_loaded_twice_changes_nothing_and_changed_rows_only_when_asked(folder):
    with Server(folder) as server:
        data = server.data
        path = write(folder, "c.csv", "id,name,note\n1,Ann,x\n2,Bob,\n3,Eve,y\n")
        run = ("import", path, "--type", "c", "--data", data)
        check(must(*run, "--json").json["imported"] == 3)
        again = must(*run, "--json").json
        check((again["imported"], again["unchanged"], again["kept"], again["failed"]) == (0, 3, 0, 0), again)
        # Somebody changes one record, and adds to another what the file knows nothing of.
        must("patch", "c/1", '{"phone":"1"}', "--base", "1", "--data", data)
        write(folder, "c.csv", "id,name,note\n1,Ann,x\n2,Robert,\n3,Eve,\n4,New,\n")
        left = must(*run)
        check_has(left.out, "^1 imported, 0 there already, 0 failed\n3 there with other data")
        check(data_of(data, "c/2")["name"] == "Bob")
        updated = must(*run, "--update", "--json").json
        check((updated["updated"], updated["unchanged"], updated["imported"]) == (1, 3, 0), updated)
        check(data_of(data, "c/1") == {"id": "1", "name": "Ann", "note": "x", "phone": "1"})
        check(data_of(data, "c/2") == {"id": "2", "name": "Robert"})
        check(data_of(data, "c/3")["note"] == "y", "an empty cell is no change")
        check(must(*run, "--update", "--empty", "remove", "--json").json["updated"] == 1)
        check("note" not in data_of(data, "c/3"))
        check(must(*run, "--update", "--empty", "remove", "--json").json["updated"] == 0)
        # What was there once comes back: a file is what it says, not when it was first seen.
        write(folder, "c.csv", "id,name\n2,Bob\n")
        check(must(*run, "--update", "--json").json["updated"] == 1)
        check(data_of(data, "c/2")["name"] == "Bob")
        # What was deleted stays so, and the row says it.
        must("delete", "c/4", "--base", "1", "--data", data)
        write(folder, "c.csv", "id,name\n4,New\n")
        check_has(refused(1, *run, "--update").err, r"line 2: .*\(DELETED\)")


@test
def bad_rows_are_named_by_line_and_column(folder):
    data = make_directory(folder)
    text = ('id,n,"a\nb"\n'  # The header is two lines.
            '1,1,x\n'
            '2,"1,000",x\n'        # 4: not a number
            '3,1\n'                # 5: ragged
            '4,1,"x\ny"\n'         # 6, 7
            '"5"x,1,x\n'           # 8: broken
            ',1,x\n'               # 9: no id
            '1,1,y\n'              # 10: twice
            '6,1,1,x\n'            # 11: ragged
            '7,7,x\n')
    path = write(folder, "c.csv", text)
    run = ("import", path, "--type", "c", "--field", "n=/n:number", "--field", "a\nb=/ab", "--data", data)
    ran = refused(1, *run)
    check_has(ran.out, "^3 imported, 0 there already, 6 failed\n$")
    for line, words in ((4, r'column "n": "1,000" is not a number'), (5, "has 2 cells, and the header 3"), (8, "text behind a closing quote"),
                        (9, r'column "id": is empty'), (10, 'the id "1" was that of line 3 already'), (11, "has 4 cells")):
        check_has(ran.err, rf"(?m)^line {line}: [^\n]*{words}")
    check(len(re.findall(r"(?m)^line ", ran.err)) == 6, ran)
    bad = os.path.join(folder, "bad.csv")
    ran = refused(1, *run, "--bad-rows", bad)
    check("line " not in ran.err.replace("lines", ""), ran)
    with open(bad, encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    check(rows[0] == ["line", "column", "reason", "code"] and [row[0] for row in rows[1:]] == ["4", "5", "8", "9", "10", "11"], rows)
    check(rows[1][1] == "n" and rows[4][1] == "id", rows)
    # What the type refuses names the column, too.
    schema = write(folder, "schema.json", json.dumps({"types": {"strict": {"fields": {"/n": {"type": "integer", "maximum": 5}}}}}))
    must("types", "apply", schema, "--data", data)
    ran = refused(1, "import", path, "--type", "strict", "--field", "n=/n:number", "--data", data)
    check_has(ran.err, r'(?m)^line 12: column "n": .*\(INVALID_DATA\)')


@test
def it_stops_when_told(folder):
    data = make_directory(folder)
    path = write(folder, "c.csv", "id,n\n1,1\n2,x\n3,3\n4,x\n5,x\n6,6\n")
    run = ("import", path, "--type", "c", "--field", "n=/n:number", "--data", data)
    ran = refused(1, *run, "--on-error", "stop")
    check_has(ran.out, "^1 imported, 0 there already, 1 failed")
    ran = refused(1, *run, "--max-errors", "2")
    check_has(ran.out, "^1 imported, 1 there already, 2 failed")
    check_has(ran.err, "stopped: 2 failed, and --max-errors is 2")
    check_has(refused(1, *run, "--on-error", "skip").out, "^1 imported, 2 there already, 3 failed")


@test
def a_trial_shows_the_first_rows_and_stores_nothing(folder):
    data = make_directory(folder)
    path = write(folder, "c.csv", "id,n\n" + "".join(f"{n},{n}\n" for n in range(8)))
    run = ("import", path, "--type", "c", "--field", "n=/n:number", "--data", data, "--dry-run")
    ran = must(*run)
    check_has(ran.out, r'^line 2: {"type":"c","id":"0","data":{"n":0}}\n(line \d[^\n]*\n){4}8 would be imported, ')
    shown = must(*run, "--json").json
    check(len(shown["preview"]) == 5 and shown["preview"][4] == {"line": 6, "record": {"type": "c", "id": "4", "data": {"n": 4}}}, shown)
    check(must("list", "c", "--json", "--data", data).json["records"] == [])


@test
def json_arrays_and_lines_are_rows_too(folder):
    data = make_directory(folder)
    path = write(folder, "a.json", '[\n  {"key": {"no": 1}, "n": "2", "more": [1,\n 2]},\n  {"key": {}},\n  7,\n  {"key": {"no": 2}, "n": null}\n]\n')
    ran = refused(1, "import", path, "--type", "a", "--id-from", "/key/no", "--field", "n=/n:number", "--field", "/more=/deep/more", "--data", data)
    check_has(ran.err, r'(?m)^line 4: column "/key/no": is empty')
    check_has(ran.err, r"(?m)^line 5: is not an object")
    check_has(ran.out, "^2 imported")
    check(data_of(data, "a/1") == {"n": 2, "deep": {"more": [1, 2]}})
    check(data_of(data, "a/2") == {"n": None})
    path = write(folder, "b.ndjson", '{"id": 1, "x": 1}\n{"id": 1}\n{"id": 2,\n')
    ran = refused(1, "import", path, "--type", "b", "--data", data)
    check_has(ran.err, r"(?m)^line 2: the id .1. was that of line 1 already\nline 3: ")
    check(data_of(data, "b/1") == {"id": 1, "x": 1})
    check_has(refused(1, "import", "-", "--type", "b", "--format", "json", "--data", data, stdin='[{"id": 3}, {"id": 4').err, "ends in the middle")
    check(stet("get", "b/3", "--data", data).code == 0)


@test
def what_makes_no_sense_is_said_before_anything_is_sent(folder):
    data = make_directory(folder)
    path = write(folder, "c.csv", "id;n\n1;2\n")
    for words, *options in ((r"need a type", ), (r"try --separator", "--type", "c"), (r"no column .Nr.", "--type", "c", "--separator", ";", "--id-from", "Nr"),
                            (r"not .money.", "--type", "c", "--field", "n=/n:money(x)", "--map", write(folder, "m", '{"fields":{"n":{"to":"/n","as":"money"}}}')),
                            (r"one ASCII character", "--type", "c", "--separator", "ab"), (r"utf-8 or latin1", "--type", "c", "--encoding", "x")):
        check_has(stet("import", path, *options, "--data", data).err, words)
    check_has(stet("import", write(folder, "d.csv", "id,a,a\n"), "--type", "c", "--data", data).err, "columns 2 and 3 have the same name")
    check_has(stet("import", write(folder, "u.csv", "id,a\n".encode("utf-16")), "--type", "c", "--data", data).err, "UTF-16")
    ran = refused(1, "import", write(folder, "l.csv", "id,a\n1,ok\n2,M\xfcller\n".encode("latin1")), "--type", "c", "--data", data)
    check_has(ran.err, r"line 3: byte 4 of line 3, 0xFC, is not UTF-8 \(--encoding latin1\?\)")
    check_has(ran.out, "^1 imported")
    check_has(stet("import", write(folder, "what", "id\n1\n"), "--type", "c", "--data", data).err, "--format")
    check_has(stet("import", write(folder, "e.csv", ""), "--type", "c", "--data", data).err, "empty")
    ran = must("import", write(folder, "n.csv", "7,x\n"), "--type", "n", "--no-header", "--id-from", "1", "--field", "2=/name", "--data", data)
    check(data_of(data, "n/7") == {"name": "x"})
    check_has(must("import", write(folder, "t.csv", "a,b\n1,2\n"), "--type", "t", "--id-template", "x/{b}{a}", "--set", "/kind=k=1", "--field", "a=/a",
                   "--data", data).out, "^1 imported")
    check(data_of(data, "t/x%2F21") == {"a": "1", "kind": "k=1"})


@test
def whoever_may_write_may_import_rows(folder):
    with Server(folder) as server:
        token = re.search(r"^stet_\S+|(?m:^\s*(stet\S+)$)", must("token", "create", "--actor", "ann", "--data", server.data).out)
        made = must("token", "create", "--actor", "bob", "--data", server.data, "--json").json["token"]
        check(token is not None or made)
        path = write(folder, "c.csv", "id,n\n1,1\n")
        run = ("--url", server.url, "--token", made)
        check_has(must("import", path, "--type", "c", *run).out, "^1 imported")
        check(must("get", "c/1", *run, "--json").json["created_by"] == "bob")
        line = {"type": "c", "id": "2", "data": {}, "created_by": "zoe"}
        check_has(refused(1, "import", "-", *run, stdin=json.dumps(line)).err, r"line 1: only an administrator .*\(FORBIDDEN\)")


class Cut:
    """Lets so many pieces of an import through, then answers 500, or not at all."""

    def __init__(self, url, pieces, silent=False):
        self.left, self.over = pieces, threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                code, said = 500, b"{}"
                if outer.left > 0:
                    outer.left -= 1
                    request = urllib.request.Request(url + self.path, body, {"Content-Type": "application/x-ndjson"})
                    with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
                        code, said = 200, answer.read()
                elif silent:
                    outer.over.wait(WAIT_S)
                self.send_response(code)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_):
                pass

            def handle_one_request(self):
                try:
                    super().handle_one_request()
                except OSError:
                    self.close_connection = True

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.over.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def long_table(folder, rows=9000):
    """Rows of two lines each; two of them are bad, and the last one has the id of the first."""
    lines = [f'{n},"{n}\nmore {"x" * 300}"\n' for n in range(rows)]
    lines[3] = "3,ragged,row\n\n"
    lines.append("0,again\n")
    return write(folder, "long.csv", "id,text\n" + "".join(lines))


@test
def an_import_of_rows_goes_on_where_it_was_interrupted(folder):
    with Server(folder, "--no-auth") as server:
        path = long_table(folder)
        run = ("import", path, "--type", "c")
        with Cut(server.url, 2) as cut:
            refused(1, *run, "--url", cut.url)
        with open(path + ".import", encoding="utf-8") as file:
            state = json.load(file)
        check(0 < state["bytes"] < os.path.getsize(path) and state["failed"] == 1, state)
        check_has(refused(2, *run, "--field", "text=/t", "--resume", "--url", server.url).err, "other options")
        with Server(folder, "--no-auth", data="elsewhere") as elsewhere:
            check_has(stet(*run, "--resume", "--url", elsewhere.url).err, "not in this space.*without --resume")
            check(must("list", "c", "--json", "--url", elsewhere.url).json["records"] == [])
        ran = refused(1, *run, "--resume", "--json", "--url", server.url)
        check_has(ran.err, rf"going on at line {state['line']}\n")
        check_has(ran.err, r"line 18002: the id .0. was that of line 2 already")
        check("ragged" not in ran.err and "line 8:" not in ran.err, ran.err)
        check(ran.json["imported"] == 8999 - 4000, ran.json)
        check(not os.path.exists(path + ".import"))
        again = refused(1, *run, "--json", "--url", server.url).json
        check((again["imported"], again["unchanged"], again["failed"]) == (0, 8999, 2), again)


@test
def an_import_that_was_killed_is_made_whole(folder):
    with Server(folder, "--no-auth") as server:
        path = long_table(folder)
        with Cut(server.url, 2, silent=True) as cut:
            process = subprocess.Popen([PROGRAM, "import", path, "--type", "c", "--url", cut.url], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL, env=environment())
            wait_for(lambda: cut.left == 0, "the second piece")
            process.send_signal(signal.SIGKILL)
            process.wait()
        ran = refused(1, "import", path, "--type", "c", "--resume", "--url", server.url, "--json").json
        check(ran["failed"] >= 1 and ran["imported"] <= 8999, ran)
        again = refused(1, "import", path, "--type", "c", "--json", "--url", server.url).json
        check((again["imported"], again["unchanged"], again["failed"]) == (0, 8999, 2), again)


@test
def a_terminal_shows_a_bar_and_bad_rows_above_it(folder):
    data = make_directory(folder)
    path = write(folder, "c.csv", "id,n\n" + "".join(f"{n},{n}\n" for n in range(500)) + "x\x1b[31m,1,1\n")
    ours, theirs = pty.openpty()
    process = subprocess.Popen([PROGRAM, "import", path, "--type", "c", "--data", data], stdout=subprocess.PIPE, stderr=theirs, env=environment())
    out, _ = process.communicate(timeout=WAIT_S * 3)
    os.close(theirs)
    seen = os.read(ours, 65536).decode()
    os.close(ours)
    check_has(seen, r"line 502: has 3 cells, and the header 2\r\n")
    # On a line of its own, or in the place of a bar that was taken away.
    check_has(seen, r"(\r\n|\r\x1b\[K)Importing: 500 lines in \d:\d\d, [\d,]+/s\r\n$")
    check(out.decode() == "500 imported, 0 there already, 1 failed\n", out)


@test
def what_steers_a_terminal_is_escaped(folder):
    data = make_directory(folder)
    ran = refused(1, "import", write(folder, "c.csv", "id,n\n1,\x1b[31mred\n"), "--type", "c", "--field", "n=/n:number", "--data", data)
    check("\x1b" not in ran.err, ran)


main()
