#!/usr/bin/env python3
"""stet conflicts, stet inbox: what waits for a person is found, looked at, settled and opened again."""
import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time

from harness import PROGRAM, WAIT_S, Server, check, check_has, environment, main, must, refused, test, wait_for

PROMPT = r"\[q\]uit\? $"
FIRST = {"stage": "new", "amount": 10, "owner": "x", "notes": "a"}


class Desk:
    """A server with a type whose conflicts wait, and everybody's commands."""

    def __init__(self, folder, ask=None):
        self.server = Server(folder, "--no-auth")
        path = os.path.join(folder, "type.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"on_conflict": "ask", "ask": ask or {"deadline_s": 3600}}, file)
        must("types", "put", "deals", path, "--url", self.server.url)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.server.__exit__(kind, value, trace)

    def where(self, actor):
        return ("--url", self.server.url, "--actor", actor)

    def run(self, actor, *arguments, **options):
        return must(*arguments, *self.where(actor), **options)

    def no(self, code, actor, *arguments, **options):
        return refused(code, *arguments, *self.where(actor), **options)

    def data(self, address):
        return self.run("ann", "get", address, "--json").json["data"]

    def park(self, address, theirs=None, wanted=None):
        """Ann and ben both change a record; ben's write waits. Its id."""
        self.run("ann", "put", address, json.dumps(FIRST))
        self.run("ann", "patch", address, json.dumps(theirs or {"stage": "won", "amount": 20}), "--base", "1")
        said = self.run("ben", "patch", address, json.dumps(wanted or {"stage": "lost", "amount": 30, "notes": "b"}),
                        "--base", "1").out
        check_has(said, r"waits for somebody to decide, until [-0-9]+ [:0-9]+ \(then server_wins\): conflict \S+")
        return re.search(r"conflict (\S+)", said)[1]


class Dialog:
    """A command in a terminal of its own. Whatever is waited for, is for WAIT_S at most."""

    def __init__(self, *arguments, columns=100, env=None):
        self.terminal, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        self.process = subprocess.Popen([PROGRAM, *arguments], stdin=inner, stdout=inner, stderr=inner,
                                        start_new_session=True,
                                        env=environment({"TERM": "xterm", "NO_COLOR": "1", **(env or {})}))
        os.close(inner)
        self.text = ""
        self.seen = 0  # What was waited for already is no answer to the next question.

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.terminal)

    def read(self, end):
        """More of the output; False at its end."""
        left = end - time.monotonic()
        check(left > 0, f"waited in vain; so far: {self.text}")
        if not select.select([self.terminal], [], [], left)[0]:
            return True
        try:
            chunk = os.read(self.terminal, 65536)
        except OSError:  # Linux says EIO once nobody has the other side open.
            return False
        self.text += chunk.decode(errors="replace").replace("\r", "")
        return bool(chunk)

    def until(self, pattern):
        end = time.monotonic() + WAIT_S
        while not (found := re.search(pattern, self.text[self.seen:], re.S)):
            check(self.read(end), f"it ended without {pattern!r}: {self.text}")
        said = self.text[self.seen:]
        self.seen += found.end()
        return said

    def say(self, line):
        os.write(self.terminal, f"{line}\n".encode())

    def answer(self, line):
        said = self.until(PROMPT)
        self.say(line)
        return said

    def end(self):
        """The rest of the output; the command ends well."""
        end = time.monotonic() + WAIT_S
        while self.read(end):
            pass
        code = self.process.wait(timeout=WAIT_S)
        check(code == 0, f"exit code {code}: {self.text}")
        return self.text[self.seen:]


def script(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"#!/bin/sh\n{text}\n")
    os.chmod(path, 0o755)
    return path


@test
def lists_find_what_waits(folder):
    with Desk(folder) as desk:
        check(desk.run("ann", "conflicts").out == "no conflicts\n")
        first, second = desk.park("deals/1"), desk.park("deals/2", wanted={"stage": "lost"})
        listed = desk.run("ann", "conflicts").out.splitlines()
        check_has(listed[0], r"^ID +STATE +RECORD +FIELDS +BY +UNTIL$")
        check_has(listed[1], rf"^{first}  open   deals/1  /stage /amount  ben  \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d$")
        check_has(listed[2], rf"^{second}  open   deals/2  /stage          ben  ")

        def ids(*filters):
            return [one["id"] for one in desk.run("ann", "conflicts", "--json", *filters).json["conflicts"]]

        check(ids() == [first, second])
        check(ids("--type", "deals") == [first, second] and ids("--type", "tasks") == [])
        check(ids("--record", "deals/2") == [second])
        check(ids("--person", "ben") == [first, second] and ids("--person", "ann") == [])
        check(ids("--older-than", "3600") == [])
        check(ids("--state", "resolved") == [] and sorted(ids("--state", "any")) == sorted([first, second]))
        page = desk.run("ann", "conflicts", "--limit", "1")
        check(first in page.out and second not in page.out)
        cursor = re.fullmatch(r"There is more: --after (\S+)\n", page.err)[1]
        check(ids("--after", cursor) == [second])
        check_has(desk.no(1, "ann", "conflicts", "--state", "bogus").err, "open, resolved, expired")
        check(desk.no(4, "ann", "conflicts", "show", "nothing").err == 'stet: there is no conflict "nothing" (NOT_FOUND)\n')


@test
def a_conflict_is_shown_side_by_side(folder):
    with Desk(folder) as desk:
        conflict = desk.park("deals/1", {"stage": "won", "notes": "n" * 60}, {"stage": "lost", "amount": 30, "notes": "a\tb"})
        shown = desk.run("carl", "conflicts", "show", conflict).out.splitlines()
        check_has(shown[0], r"^deals/1  open until .*, then server_wins$")
        check_has(shown[1], r"^yours: what ben wanted, made from version 1; version 2 is current, by ann at ")
        check_has(shown[2], r"^  FIELD +BASE +NOW +YOURS +WHAT HAPPENED$")
        rows = {line.split()[0]: line for line in shown[3:]}
        check_has(rows["/stage"], r'"new" +"won" +"lost" +both changed it; ann at .* in version 2$')
        check_has(rows["/amount"], r"10 +10 +30 +only ben changed it$")
        check_has(rows["/notes"], r'"a" +"n{38}… +"a\\tb" +both changed it')
        check("/owner" not in rows)
        starts = {line.index("both" if "both" in line else "only") for line in rows.values()}
        check(starts == {shown[2].index("WHAT HAPPENED")}, shown)
        check(desk.run("carl", "conflicts", "show", conflict, "--json").json["resolution_token"])

        # In a terminal the table fits, however narrow it is within reason; colours only where they are wanted.
        for columns in (160, 80, 60):
            with Dialog("conflicts", "show", conflict, *desk.where("carl"), columns=columns) as dialog:
                text = dialog.end()
            table = text[text.index("  FIELD"):]
            below = [line.strip() for line in table.splitlines() if re.match(r" +(both|only) ", line)]
            rows = [line for line in table.splitlines() if line.strip() not in below]
            check(all(len(line) <= columns for line in rows), text)
            check(len(below) == (0 if columns == 160 else 3), text)
            check("\033" not in text)
        with Dialog("conflicts", "show", conflict, *desk.where("carl"), env={"NO_COLOR": ""}) as dialog:
            check_has(dialog.end(), "\033\\[31m/stage\033\\[0m")

        # One that deletes, and what is over.
        desk.run("ann", "put", "deals/2", '{"a/b":1,"same":true}')
        desk.run("ann", "put", "deals/2", '{"a/b":2,"same":true}', "--base", "1")
        gone = re.search(r"conflict (\S+)", desk.run("ben", "delete", "deals/2", "--base", "1").out)[1]
        check_has(desk.run("ann", "conflicts", "show", gone).out,
                  r"yours: what ben wanted, to delete it, made.*FIELD +BASE +NOW +YOURS\n  /a~1b +1 +2 +-\n")
        check_has(desk.run("ann", "conflicts", "resolve", gone, "--choice", "yours").out, r"version 3 \(deleted\)$")
        desk.run("ann", "conflicts", "resolve", conflict, "--choice", "yours")
        check_has(desk.run("ben", "conflicts", "show", conflict).out,
                  r'resolved by ann: yours\nyours: what ben wanted\n  FIELD +BASE +BEFORE +YOURS +RESULT\n'
                  r'  /stage +"new" +"won" +"lost" +"lost"\n')


@test
def a_word_settles_it_and_the_second_is_told(folder):
    with Desk(folder) as desk:
        conflict = desk.park("deals/1")
        resolve = ("conflicts", "resolve", conflict)
        check_has(desk.no(2, "ann", *resolve, stdin="").err, "nobody to ask: choose with --choice yours, current")
        check_has(desk.no(2, "ann", *resolve, "--choice", "mine").err, "yours, current, merged or custom")
        check_has(desk.no(1, "ann", *resolve, "--choice", "merged").err, "fields are in conflict")
        check(desk.run("ann", *resolve, "--choice", "yours").out == "settled: deals/1 is at version 3\n")
        check(desk.data("deals/1") == {**FIRST, "stage": "lost", "amount": 30, "notes": "b"})
        late = desk.no(3, "ben", *resolve, "--choice", "current").err
        check_has(late, r"^stet: ann settled the conflict already \(ALREADY_RESOLVED\)\n"
                        r"  chosen: yours, at .*; deals/1 was at version 3 then\n$")
        check(desk.no(3, "ben", *resolve, "--choice", "current", "--json").json["code"] == "ALREADY_RESOLVED")
        with Dialog(*resolve, *desk.where("ben")) as dialog:
            dialog.until("ann settled the conflict already")
        check_has(desk.no(3, "ann", "conflicts", "reopen", conflict).err, "ann settled the conflict")
        check_has(desk.run("ben", "history", "deals/1").out, r"3 .* ann +update +2 +resolved \(yours\) onto 2: writer's /stage")
        other = desk.park("deals/2")
        check(desk.run("ben", "conflicts", "resolve", other, "--choice", "current").out
              == "settled: deals/2 stays at version 2\n")


@test
def data_of_ones_own_settles_it(folder):
    with Desk(folder) as desk:
        path = os.path.join(folder, "data.json")
        with open(path, "w", encoding="utf-8") as file:
            file.write('{"own": 1.10}\n')
        ways = (({}, ("@" + path, "--choice", "custom")), ({}, ("@" + path,)), ({"stdin": '{"own": 1.10}'}, ("-",)),
                ({}, ('{"own": 1.10}',)))
        for number, (options, arguments) in enumerate(ways):
            conflict = desk.park(f"deals/{number}")
            desk.run("ann", "conflicts", "resolve", conflict, *arguments, **options)
            check(desk.run("ann", "get", f"deals/{number}", "--raw").out.strip() in ('{"own": 1.10}', '{"own":1.10}'))
        conflict = desk.park("deals/wrong")
        resolve = ("conflicts", "resolve", conflict)
        check_has(desk.no(2, "ann", *resolve, "--choice", "custom").err, "custom needs DATA .*@FILE")
        # --data is the data directory here as everywhere.
        check_has(desk.no(2, "ann", *resolve, "--choice", "custom", "--data", path).err, "custom needs DATA behind the id")
        check_has(desk.no(2, "ann", *resolve, "{}", "--choice", "yours").err, "DATA is for --choice custom")
        check_has(desk.no(2, "ann", *resolve, '{"a":1},"choice":"yours"').err, "DATA is not JSON")
        check_has(desk.no(1, "ann", *resolve, "@" + path + ".no").err, "could not open .*data.json.no")
        desk.no(1, "ann", *resolve, "[1]")
        check(len(desk.run("ann", "conflicts", "--json").json["conflicts"]) == 1)


@test
def a_person_is_asked_field_by_field(folder):
    wanted = {"stage": "lost", "amount": 30, "owner": "ben", "notes": "b"}
    editor = script(folder, "my editor", 'test "$1" = -x || exit 1\nprintf \'["edited", 1.50]\' >"$2"')
    quoted = f"'{editor}' -x"
    with Desk(folder) as desk:
        conflict = desk.park("deals/1", {"stage": "won", "amount": 20, "owner": "ann", "notes": "n"}, wanted)
        with Dialog("conflicts", "resolve", conflict, *desk.where("carl"),
                    env={"EDITOR": quoted, "TMPDIR": folder}) as dialog:
            asked = dialog.answer("y")
            check_has(asked, r'WHAT HAPPENED.*\n/stage\n  base    "new"\n  current "won"\n  yours   "lost"\n'
                             r"\[y\]ours, \[c\]urrent, \[b\]ase, \[e\]dit, \[q\]uit\? $")
            check_has(dialog.answer("current"), r"\n/amount\n  base    10\n")
            dialog.answer("banana")
            check_has(dialog.answer("x" * 200), "that is none of them")  # Nor is what stands behind 64 bytes.
            check_has(dialog.answer("b"), "that is none of them")
            check_has(dialog.answer("e"), r"\n/notes\n")
            check_has(dialog.end(), r"settled: deals/1 is at version 3\n$")
        check(desk.data("deals/1") == {"stage": "lost", "amount": 20, "owner": "x", "notes": ["edited", 1.50]})
        check_has(desk.run("ann", "history", "deals/1").out, r"resolved \(fields\) onto 2")
        check(not [name for name in os.listdir(folder) if name.startswith("stet-edit")])


@test
def an_editor_that_fails_and_giving_up_change_nothing(folder):
    no_json = script(folder, "nonsense", 'test "${1%.json}" != "$1" && echo "{" >"$1"')
    with Desk(folder) as desk:
        conflict = desk.park("deals/1")
        resolve = ("conflicts", "resolve", conflict, *desk.where("carl"))
        with Dialog(*resolve, env={"EDITOR": "false", "TMPDIR": folder}) as dialog:
            dialog.answer("e")
            check_has(dialog.answer("q"), "the editor failed: nothing was changed")
            check_has(dialog.end(), "nothing was done")
        with Dialog(*resolve, env={"EDITOR": no_json, "TMPDIR": folder}) as dialog:
            dialog.answer("e")
            check_has(dialog.answer("y"), "that is not JSON")
            dialog.until(PROMPT)
            os.write(dialog.terminal, b"\x04")
            check_has(dialog.end(), "nothing was done")
        check(not [name for name in os.listdir(folder) if name.startswith("stet-edit")])
        check(desk.data("deals/1")["stage"] == "won")
        check(desk.run("ann", "conflicts", "show", conflict, "--json").json["state"] == "open")
        check_has(desk.no(2, "ann", "conflicts", "resolve", conflict, "--json").err, "nobody to ask")


@test
def the_record_moves_on_while_somebody_decides(folder):
    with Desk(folder) as desk:
        conflict = desk.park("deals/1", {"stage": "won"}, {"stage": "lost"})
        with Dialog("conflicts", "resolve", conflict, *desk.where("ben")) as dialog:
            check_has(dialog.until(PROMPT), r'current "won"')
            desk.run("ann", "patch", "deals/1", '{"stage":"paid","owner":"ann"}', "--base", "2")
            dialog.say("y")
            again = dialog.answer("y")
            check_has(again, r"the record moved on while you decided, and nothing was written; it is now:.*"
                             r"made from version 1; version 3 is current, by ann.*"
                             r'/owner +"x" +"ann" +"x" +only changed by ann.*current "paid"')
            check_has(dialog.end(), r"settled: deals/1 is at version 4\n$")
        check(desk.data("deals/1") == {**FIRST, "stage": "lost", "owner": "ann"})

        # Both came to the same in the meantime: no field is left to choose, and still somebody is asked.
        conflict = desk.park("deals/2", {"stage": "won"}, {"stage": "lost", "notes": "b"})
        desk.run("ann", "patch", "deals/2", '{"stage":"lost"}', "--base", "2")
        with Dialog("conflicts", "resolve", conflict, *desk.where("ben")) as dialog:
            check_has(dialog.answer("merged"), r"both made the same change.*\[y\]ours, \[c\]urrent, \[m\]erged, \[q\]uit")
            check_has(dialog.end(), r"settled: deals/2 is at version 4\n$")
        check(desk.data("deals/2") == {**FIRST, "stage": "lost", "notes": "b"})

        # Somebody else was faster.
        conflict = desk.park("deals/3")
        with Dialog("conflicts", "resolve", conflict, *desk.where("ben")) as dialog:
            dialog.answer("y")
            dialog.until(PROMPT)
            desk.run("ann", "conflicts", "resolve", conflict, "--choice", "current")
            dialog.say("y")
            dialog.until("ann settled the conflict already .*\n  chosen: current")


@test
def what_settled_itself_is_opened_again(folder):
    with Desk(folder, {"deadline_s": 1}) as desk:
        conflict = desk.park("deals/1")
        expired = wait_for(lambda: desk.run("ben", "conflicts", "--state", "expired", "--json").json["conflicts"],
                           "the deadline to pass")
        check(expired[0]["id"] == conflict)
        check_has(desk.run("ben", "inbox").out, rf"{conflict} +expired +deals/1 ")
        check_has(desk.run("ben", "conflicts", "show", conflict).out, r"^deals/1  expired.*\n  /stage .*\"won\"\n")
        check_has(desk.no(3, "ben", "conflicts", "resolve", conflict, "--choice", "current").err, "deadline has passed")
        check_has(desk.no(3, "ben", "conflicts", "reopen", conflict, "--base", "1").err, "has moved on to version 2")
        check_has(desk.run("ben", "conflicts", "reopen", conflict).out, r"^open again: deals/1, until \d{4}-.*\n$")

        # A notice, and an automatic merge by its number in the history.
        desk.run("ann", "put", "notes/1", '{"a":1,"b":1}')
        desk.run("ann", "put", "notes/1", '{"a":2,"b":1}', "--base", "1")
        desk.run("ben", "put", "notes/1", '{"a":3,"b":1}', "--base", "1", "--on-conflict", "last_writer_wins")
        notice = desk.run("ann", "inbox", "--json").json["items"][0]["id"]
        check_has(desk.run("ann", "conflicts", "show", notice).out,
                  r"^notes/1  overwritten by ben\nyours: what ann wanted\n.*\n  /a +1 +2 +2 +3\n$")
        check_has(desk.no(3, "ann", "conflicts", "resolve", notice, "--choice", "yours").err, "reopen it first")
        desk.run("ann", "conflicts", "reopen", notice)
        check_has(desk.no(3, "ann", "conflicts", "reopen", notice).err, "the conflict is open")
        desk.run("ann", "conflicts", "resolve", notice, "--choice", "yours")
        check(desk.data("notes/1") == {"a": 2, "b": 1})
        desk.run("ben", "patch", "notes/1", '{"b":9}', "--base", "3", "--on-conflict", "merge")
        merge = re.search(r"merged 3 onto 4: .* \((seq-\d+)\)\n", desk.run("ben", "history", "notes/1").out)[1]
        check_has(desk.run("ann", "conflicts", "show", merge).out, r"^notes/1  merged\nyours: what ben wanted\n")
        check_has(desk.no(2, "ann", "conflicts", "resolve", merge, "--choice", "yours").err,
                  f"automatic merge.*stet conflicts reopen {merge}")
        desk.run("ann", "conflicts", "reopen", merge)
        desk.run("ann", "conflicts", "resolve", merge, "--choice", "yours")
        check(desk.data("notes/1") == {"a": 3, "b": 9})


@test
def the_inbox_is_read_and_emptied(folder):
    with Desk(folder) as desk:
        check(desk.run("ben", "inbox").out == "your inbox is empty\n")
        first, second, third = desk.park("deals/1"), desk.park("deals/2"), desk.park("deals/3")
        check_has(desk.run("ben", "inbox").out, rf"^ID .*\n{third} +open +deals/3 .*\n{second} .*\n{first} ")
        check(desk.run("ann", "inbox").out == "your inbox is empty\n")
        page = desk.run("ben", "inbox", "--limit", "2")
        cursor = re.fullmatch(r"3 unread: --unread lists them alone\nThere is more: --after (\S+)\n", page.err)[1]
        check([one["id"] for one in desk.run("ben", "inbox", "--after", cursor, "--json").json["items"]] == [first])
        check(desk.run("ben", "inbox", "read", first).out == "marked 1 as read, 2 unread\n")
        check(first not in desk.run("ben", "inbox", "--unread").out)
        with Dialog("inbox", *desk.where("ben"), env={"NO_COLOR": ""}, columns=120) as dialog:
            text = dialog.end()
            check(f"\033[1m{third}\033[0m" in text and f"\033[1m{first}" not in text, text)
        check(desk.run("ben", "inbox", "read").out == "marked 2 as read, 0 unread\n")
        check(desk.run("ben", "inbox", "read", "--json").json["marked"] == 0)
        check(desk.run("ben", "inbox", "--unread").out == "nothing unread\n")
        check_has(desk.no(4, "ann", "inbox", "read", first).err, "there is no conflict")
        check_has(desk.no(6, "ben", "inbox", "dismiss", first).err, "an open conflict is settled, not dismissed")
        desk.run("ann", "conflicts", "resolve", first, "--choice", "current")
        check_has(desk.run("ben", "inbox", "--unread").out, rf"{first} +resolved +deals/1 .* ann +-\n$")
        check(desk.run("ben", "inbox", "dismiss", first).out == "dismissed: deals/1\n")
        check(first not in desk.run("ben", "inbox").out)
        desk.no(4, "ben", "inbox", "dismiss", first)


main()
