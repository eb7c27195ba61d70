#!/usr/bin/env python3
"""stet tail: follows what is changed, in a terminal and for programs, over broken connections, until it is stopped."""
import contextlib
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

from harness import PROGRAM, SLOW, WAIT_S, Server, check, check_has, environment, main, make_directory, must, refused, test


class Tail:
    """The command in a terminal; or, with pipe, with its output in a pipe."""

    def __init__(self, *arguments, columns=100, pipe=False, env=None):
        self.terminal, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        self.process = subprocess.Popen([PROGRAM, "tail", *arguments], stdin=inner, stderr=inner,
                                        stdout=subprocess.PIPE if pipe else inner, start_new_session=True,
                                        env=environment({"TERM": "xterm", **(env or {})}))
        os.close(inner)
        self.from_fd = self.process.stdout.fileno() if pipe else self.terminal
        self.text = ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()
        os.close(self.terminal)

    def read(self, end):
        left = end - time.monotonic()
        check(left > 0, f"waited in vain; so far: {self.text!r}")
        if not select.select([self.from_fd], [], [], left)[0]:
            return True
        try:
            chunk = os.read(self.from_fd, 65536)
        except OSError:  # Linux says EIO once nobody has the other side open.
            return False
        self.text += chunk.decode(errors="replace").replace("\r", "")
        return bool(chunk)

    def until(self, pattern):
        end = time.monotonic() + WAIT_S
        while not re.search(pattern, self.text, re.S):
            check(self.read(end), f"it ended without {pattern!r}: {self.text!r}")
        return self.text

    def end(self):
        end = time.monotonic() + WAIT_S
        while self.read(end):
            pass
        self.process.wait(timeout=WAIT_S)
        return self.text

    def stop(self, number=signal.SIGINT):
        self.process.send_signal(number)
        text = self.end()
        check(self.process.returncode == 0, f"exit code {self.process.returncode}: {text!r}")
        return text


class Place:
    def __init__(self, folder, *arguments):
        self.server = Server(folder, "--no-auth", *arguments)

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.server.__exit__(*what)

    def run(self, *arguments):
        return must(*arguments, "--url", self.server.url, "--actor", "ann")

    def tail(self, *arguments, **options):
        return Tail(*arguments, "--url", self.server.url, **options)


@test
def changes_appear_as_they_happen_until_ctrl_c(folder):
    with Place(folder) as place, place.tail("--from-start") as tail:
        place.run("put", "tasks/1", '{"n":1}')
        tail.until(r"\d\d:\d\d:\d\d\x1b\[0m  \x1b\[32mcreate\x1b\[0m  \x1b\[1mtasks/1\x1b\[0m\x1b\[2m@1\x1b\[0m  by \x1b\[34mann")
        place.run("put", "tasks/1", '{"n":2}', "--base", "1")
        place.run("patch", "tasks/1", '{"m":2}', "--base", "1", "--on-conflict", "merge")
        place.run("delete", "tasks/1", "--base", "3")
        text = tail.until(r"delete.*ann.*\n")
        check_has(text, r"\x1b\[33mupdate\x1b\[0m.*@2.*update.*@3.*\(merged\).*\x1b\[31mdelete")
        check(text.count("\n") == 4, text)
        tail.stop()


@test
def it_begins_now_unless_told_otherwise(folder):
    with Place(folder) as place:
        for number in range(5):
            place.run("put", f"tasks/{number}", "{}")
        with place.tail("--since", "3", "--limit", "2", pipe=True) as tail:
            text = tail.end()
            check(tail.process.returncode == 0)
            check(re.findall(r"tasks/\d", text) == ["tasks/3", "tasks/4"], text)
        with place.tail("--json", pipe=True) as tail:
            # What is written before it listens would be missed: write until something is seen.
            end, number = time.monotonic() + WAIT_S, 100
            while not tail.text:
                check(time.monotonic() < end)
                place.run("put", f"tasks/{number}", "{}")
                number += 1
                if select.select([tail.from_fd], [], [], 0.2)[0]:
                    tail.read(end)
            tail.stop(signal.SIGTERM)
            first = json.loads(tail.text.splitlines()[0])
            check(first["seq"] > 5 and first["record"]["id"] >= "100", first)
        check_has(refused(2, "tail", "--since", "1", "--from-start", "--url", place.server.url).err, "not both")


@test
def types_records_and_conditions_choose(folder):
    with Place(folder) as place:
        for address in ("tasks/1", "tasks/a b", "notes/1", "notes/2"):
            place.run("put", address, '{"n":1}')
        place.run("put", "tasks/1", '{"n":2}', "--base", "1")

        def seen(count, *arguments):
            with place.tail("--from-start", "--limit", str(count), "--json", *arguments, pipe=True) as tail:
                changes = [json.loads(line) for line in tail.end().splitlines()]
                check(tail.process.returncode == 0)
                return [(change["record"]["type"] + "/" + change["record"]["id"], change["record"]["version"]) for change in changes]

        check(seen(3, "tasks") == [("tasks/1", 1), ("tasks/a b", 1), ("tasks/1", 2)])
        check(seen(2, "tasks/a b", "notes/2") == [("tasks/a b", 1), ("notes/2", 1)])
        check(seen(1, "--where", "n = 2") == [("tasks/1", 2)])
        check_has(refused(1, "tail", "--where", "n =", "--url", place.server.url).err, "BAD_REQUEST")


@test
def data_and_differences_are_shown_and_cut_to_the_width(folder):
    with Place(folder) as place:
        place.run("put", "tasks/1", json.dumps({"title": "ä" * 200, "n": 1}, ensure_ascii=False))
        place.run("put", "tasks/1", json.dumps({"title": "ö" * 200, "n": 2}, ensure_ascii=False), "--base", "1")
        with place.tail("--from-start", "--limit", "2", "--diff", "--with-data", columns=60, env={"NO_COLOR": "1"}) as tail:
            lines = tail.end().splitlines()
            check("\x1b" not in tail.text, tail.text)
        check([line[:10] for line in lines].count(" " * 10) == 2, lines)
        check(all(len(line) <= 60 for line in lines), lines)
        check(lines[0].endswith("…") and any(re.fullmatch(r" +/n  1 → 2", line) for line in lines), lines)
        with place.tail("--from-start", "--limit", "1", "--with-data", pipe=True) as tail:
            check("ä" * 200 in tail.end())


@test
def a_broken_connection_is_taken_up(folder):
    with Place(folder) as place, contextlib.ExitStack() as stack:
        tail = stack.enter_context(place.tail("--from-start", env={"NO_COLOR": "1"}))
        place.run("put", "tasks/1", "{}")
        tail.until("tasks/1@1")
        url = place.server.url
        place.server.stop(signal.SIGKILL)
        tail.until(r"the connection broke; going on behind position 1\n")
        place.server.process.returncode = 0
        again = stack.enter_context(Server(folder, "--no-auth", "--listen", url.removeprefix("http://")))
        check(again.url == url)
        place.run("put", "tasks/2", "{}")
        text = tail.until("tasks/2@1")
        check_has(text, r"broke.*connected again\n.*tasks/2@1")
        check(text.count("tasks/1@1") == 1, text)
        tail.stop()


@test
def what_is_no_longer_kept_is_said(folder):
    with Place(folder) as place:
        path = os.path.join(folder, "type")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"retain": {"versions": 1}}, file)
        place.run("types", "put", "tasks", path)
        place.run("put", "tasks/1", "{}")
        for version in range(1, 4):
            place.run("put", "tasks/1", json.dumps({"n": version}), "--base", str(version))
        # A server that runs still has the latest changes in memory.
        place.server.stop()
        place.server = Server(folder, "--no-auth")
        with place.tail("tasks", "--from-start", "--limit", "1", env={"NO_COLOR": "1"}) as tail:
            check_has(tail.end(), r"reset: changes up to position \d+ are no longer kept.*tasks/1@4")
        with place.tail("tasks", "--from-start", "--limit", "1", "--json", pipe=True) as tail:
            check("reset" in json.loads(tail.end().splitlines()[0]))


@test
def a_server_that_counts_anew_is_followed(folder):
    with Place(folder) as place:
        for number in range(5):
            place.run("put", f"tasks/{number}", "{}")
        with place.tail("--from-start", pipe=True) as tail:
            tail.until("tasks/4")
            listen = place.server.url.removeprefix("http://")
            place.server.stop()
            place.server = Server(folder, "--no-auth", "--listen", listen, data="fresh")
            # Positions up to 5 were shown, and these are others; the reset passes over what was there before it.
            for number in range(4):
                place.run("put", f"tasks/anew-{number}", "{}")
                if select.select([tail.from_fd], [], [], 2 * SLOW)[0]:
                    break
            tail.until("tasks/anew-")
            tail.stop()


@test
def conflicts_are_heard_of(folder):
    with Place(folder) as place:
        path = os.path.join(folder, "type")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"on_conflict": "ask"}, file)
        place.run("types", "put", "deals", path)
        place.run("put", "deals/1", '{"n":0}')
        place.run("put", "deals/1", '{"n":1}', "--base", "1")
        place.run("put", "deals/1", '{"n":2}', "--base", "1")
        with place.tail("deals", "--conflicts", "--from-start", "--limit", "3", env={"NO_COLOR": "1"}) as tail:
            check_has(tail.end(), r"create  deals/1@1.*update  deals/1@2.*conflict  deals/1  \S+.*conflict \S+\n")


@test
def without_a_server_there_is_nothing_to_follow(folder):
    check_has(refused(5, "tail", "--data", make_directory(folder)).err, "nobody can change anything")
    check_has(refused(5, "tail", "--url", "http://127.0.0.1:1").err, "failed")


main()
