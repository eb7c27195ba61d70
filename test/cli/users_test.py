#!/usr/bin/env python3
"""`stet user`: who can log in, by an administrator on the command line.

    users_test.py STET [FUNCTION...]
"""
import json
import os
import pty
import re
import select
import signal
import subprocess
import termios
import urllib.error
import urllib.request

from harness import PROGRAM, WAIT_S, Server, check, check_has, environment, main, make_directory, must, refused, test

PASSWORD = "correct horse battery"


def call(server, path, body):
    """(status, document) of a POST as nobody."""
    request = urllib.request.Request(server.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def log_in(server, user, password=PASSWORD, space="main"):
    return call(server, f"/v1/{space}/session", {"user": user, "password": password, "token": True})


@test
def users_are_added_and_listed(folder):
    with Server(folder) as server:
        at = ("--data", server.data)
        check_has(must("user", "add", "Ann", "--role", "sales", "--role", "support", "--name", "Ann Example", "--password-stdin", *at,
                       stdin=PASSWORD + "\n").out, "^user ann added\n$")
        must("user", "add", "ben", "--password-stdin", *at, stdin=PASSWORD)
        refused(3, "user", "add", "ann", "--password-stdin", *at, stdin=PASSWORD)
        check_has(must("user", "list", *at).out, r"LOGIN.*ann +enabled +set .*sales, support +Ann Example.*ben +enabled")
        users = must("user", "list", "--json", *at).json["users"]
        check([user["id"] for user in users] == ["ann", "ben"], users)
        check(log_in(server, "ann")[0] == 201, "with the password, without its line's end")
        for bad in ("", "\n", "short\n", "\xff\n", "x" * 2000 + "\n"):
            ran = subprocess.run([PROGRAM, "user", "add", "eve", "--password-stdin", *at], input=bad.encode("latin-1"),
                                 capture_output=True, env=environment(), timeout=WAIT_S, check=False)
            check(ran.returncode != 0 and b"x" * 100 not in ran.stderr, f"{bad[:10]!r}: {ran}")
        ran = refused(2, "user", "add", "eve", *at, stdin="")
        check_has(ran.err, "--password-stdin")


@test
def users_change_and_are_kept_out(folder):
    with Server(folder) as server:
        at = ("--data", server.data)
        must("user", "add", "ann", "--password-stdin", *at, stdin=PASSWORD)
        _, session = log_in(server, "ann")
        check_has(must("user", "sessions", "ann", *at).out, r"ID.*" + session["session"])
        check_has(must("user", "sessions", "ann", "--revoke", *at).out, "^1 sessions ended\n$")
        check(must("user", "sessions", "ann", "--json", *at).json["sessions"] == [], "none is left")
        check_has(must("user", "role", "ann", "sales", "support", *at).out, "user ann has the roles: sales, support")
        check_has(must("user", "role", "ann", *at).out, "none, so is a member")
        must("user", "passwd", "ann", "--password-stdin", *at, stdin="staple horse\n")
        check(log_in(server, "ann")[0] == 401 and log_in(server, "ann", "staple horse")[0] == 201, "the new one")
        must("user", "disable", "ann", *at)
        check(log_in(server, "ann", "staple horse")[0] == 401, "disabled")
        must("user", "enable", "ann", *at)
        check(log_in(server, "ann", "staple horse")[0] == 201, "enabled")
        refused(4, "user", "disable", "nobody", *at)


@test
def links_are_printed_once(folder):
    with Server(folder) as server:
        at = ("--data", server.data)

        def redeem(out, space="main", **members):
            found = re.fullmatch(re.escape(server.url) + rf"/#/link/{space}/(\S+)\n", out)
            check(found, out)
            return call(server, f"/v1/{space}/session/link", {"link": found.group(1), "password": PASSWORD, "token": True, **members})

        status, session = redeem(must("user", "add", "ann", "--role", "sales", "--link", *at).out)
        check((status, session["user"], session["roles"]) == (201, "ann", ["sales"]), session)
        status, session = redeem(must("user", "invite", "--name", "the new one", "--expires", "1h", *at).out, user="ben")
        check((status, session["user"]) == (201, "ben"), session)
        first = must("user", "passwd", "ben", "--link", *at).out
        second = must("user", "passwd", "ben", "--link", "--replace", *at).out
        check(redeem(first)[0] == 410 and redeem(second)[0] == 201, "the second replaced the first")
        status, session = redeem(must("user", "add", "root", "--space", "stet", "--role", "admin", "--link", *at).out, space="stet")
        check(status == 201 and session["admin"], session)
        refused(2, "user", "invite", "--expires", "soon", *at)


@test
def without_a_server_it_works_on_the_folder(folder):
    data = make_directory(folder)
    must("user", "add", "ann", "--password-stdin", "--data", data, stdin=PASSWORD)
    with Server(folder) as server:
        check(log_in(server, "ann")[0] == 201, "the server knows ann")


@test
def tokens_have_roles_and_scopes(folder):
    with Server(folder) as server:
        made = must("token", "create", "--actor", "bot", "--role", "sales", "--scope", "read", "--scope", "operate", "--json",
                    "--data", server.data).json
        check(made["roles"] == ["sales"] and sorted(made["scopes"]) == ["operate", "read"], made)
        refused(1, "token", "create", "--actor", "bot", "--scope", "fly", "--data", server.data)


class Terminal:
    """The command with a terminal; what it shows is what a person would see."""

    def __init__(self, *arguments):
        self.outer, inner = pty.openpty()
        self.process = subprocess.Popen([PROGRAM, *arguments], stdin=inner, stdout=inner, stderr=inner, env=environment(),
                                        start_new_session=True, preexec_fn=lambda: __import__("fcntl").ioctl(0, termios.TIOCSCTTY, 0))
        self.inner, self.seen = inner, ""

    def expect(self, words):
        while words not in self.seen:
            ready, _, _ = select.select([self.outer], [], [], WAIT_S)
            check(ready, f"{words!r} does not come: {self.seen!r}")
            self.seen += os.read(self.outer, 4096).decode()

    def type(self, text):
        os.write(self.outer, text.encode())

    def hidden(self):
        return not termios.tcgetattr(self.inner)[3] & termios.ECHO

    def end(self):
        code = self.process.wait(WAIT_S)
        check(not self.hidden(), "the terminal shows what is typed again")
        while select.select([self.outer], [], [], 0)[0]:
            self.seen += os.read(self.outer, 4096).decode()
        os.close(self.outer)
        os.close(self.inner)
        return code


@test
def a_password_is_typed_unseen_and_twice(folder):
    with Server(folder) as server:
        ask = ("user", "add", "ann", "--data", server.data)
        terminal = Terminal(*ask)
        terminal.expect("Password: ")
        check(terminal.hidden(), "what is typed is shown")
        terminal.type(PASSWORD + "\n")
        terminal.expect("Again: ")
        terminal.type(PASSWORD + "\n")
        terminal.expect("user ann added")
        check(terminal.end() == 0 and PASSWORD not in terminal.seen, terminal.seen)
        check(log_in(server, "ann")[0] == 201, "and it is the one")

        terminal = Terminal("user", "passwd", "ann", "--data", server.data)
        terminal.expect("Password: ")
        terminal.type("one password\n")
        terminal.expect("Again: ")
        terminal.type("another password\n")
        terminal.expect("not the same")
        check(terminal.end() == 2, terminal.seen)

        terminal = Terminal("user", "passwd", "ann", "--data", server.data)
        terminal.expect("Password: ")
        terminal.process.send_signal(signal.SIGINT)
        check(terminal.end() != 0, "cancelled")
        check(log_in(server, "ann")[0] == 201, "nothing was changed")


main()
