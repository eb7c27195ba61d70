#!/usr/bin/env python3
"""stet lock and stet locks: a command runs once at a time under a name."""
import os
import signal
import subprocess
import urllib.request

from harness import PROGRAM, WAIT_S, Server, check, check_has, environment, main, must, refused, test, wait_for


def start(*arguments):
    return subprocess.Popen([PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            env=environment())


@test
def a_command_runs_while_it_holds_the_lock(folder):
    with Server(folder, "--no-auth") as server:
        where = ("--url", server.url, "--actor", "ann")
        shown = must("lock", "nightly", *where, "--note", "the backup", "--", "sh", "-c",
                     f'echo "$STET_LOCK $STET_LOCK_TOKEN"; {PROGRAM} locks --url {server.url}')
        check_has(shown.out, r"^nightly 1\nNAME +HOLDER.*\nnightly +ann +1 +0 .*the backup")
        check(must("locks", *where).out.count("\n") == 1)
        check(must("lock", "nightly", *where, "--", "sh", "-c", "echo $STET_LOCK_TOKEN").out == "3\n")


@test
def its_exit_code_is_the_commands(folder):
    with Server(folder, "--no-auth") as server:
        refused(7, "lock", "x", "--url", server.url, "--", "sh", "-c", "exit 7")
        check_has(refused(127, "lock", "x", "--url", server.url, "--", "no-such-command").err, "could not run")
        refused(128 + signal.SIGKILL, "lock", "x", "--url", server.url, "--", "sh", "-c", "kill -KILL $$")
        must("lock", "x", "--url", server.url, "--", "true")


@test
def one_who_comes_second_is_told_who_is_first_or_waits(folder):
    with Server(folder, "--no-auth") as server:
        go = os.path.join(folder, "go")
        first = start("lock", "x", "--url", server.url, "--actor", "ann", "--", "sh", "-c",
                      f"while [ ! -e {go} ]; do sleep 0.05; done; echo first")
        wait_for(lambda: "ann" in must("locks", "--url", server.url).out, "ann to hold the lock")
        check_has(refused(3, "lock", "x", "--url", server.url, "--actor", "bob", "--", "echo", "no").err,
                  "ann holds the lock")
        second = start("lock", "x", "--url", server.url, "--actor", "bob", "--wait", "60", "--", "echo", "second")
        wait_for(lambda: must("locks", "--url", server.url, "--json").json["locks"][0]["waiting"] == 1, "bob to wait")
        with open(go, "w", encoding="utf-8"):
            pass
        check(first.communicate()[0] == "first\n")
        check(second.communicate()[0] == "second\n")
        check(second.returncode == 0)


@test
def a_long_command_keeps_the_lock_and_a_lost_one_stops_it(folder):
    with Server(folder, "--no-auth") as server:
        def held():
            return must("locks", "--url", server.url, "--json").json["locks"]

        running = start("lock", "x", "--url", server.url, "--actor", "ann", "--ttl", "1", "--", "sleep", "60")
        first = wait_for(held, "the lock")[0]
        wait_for(lambda: held()[0]["expires_at"] > first["expires_at"], "a renewal")
        check(held()[0]["token"] == first["token"])
        breaking = urllib.request.Request(f"{server.url}/v1/main/locks/x?token={first['token']}", method="DELETE")
        with urllib.request.urlopen(breaking, timeout=WAIT_S) as answer:
            check_has(answer.read().decode(), '"released":true')
        _, words = running.communicate()
        check_has(words, "the lock was lost")
        check(running.returncode == 128 + signal.SIGTERM, running.returncode)


main()
