#!/usr/bin/env python3
"""scripts/run, which is `make run`: what it prints works, and it keeps the data."""
import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import time

from harness import PROGRAM, TOP, WAIT_S, check, check_has, environment, main, must, test


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Run:
    """scripts/run in a terminal, until it says how to stop it and what to try."""

    def __init__(self, folder, port, until=r"Waiting since"):
        env = environment({"PORT": str(port), "STET_PROGRAM": PROGRAM, "STET_DATA": os.path.join(folder, "tasks"),
                           "TMPDIR": folder})
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            # Whoever started the tests may ignore it; here the end of the server must end what waits for it.
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
            script = os.path.join(TOP, "scripts", "run")
            os.execve(script, [script], env)
        self.text = ""
        end = time.monotonic() + WAIT_S * 2
        while not re.search(until + r".*\n", self.text):
            check(time.monotonic() < end, f"waited in vain: {self.text}")
            if not self.read():
                break

    def read(self):
        if not select.select([self.terminal], [], [], 0.2)[0]:
            return True
        try:
            chunk = os.read(self.terminal, 65536)
        except OSError:
            return False
        self.text += chunk.decode().replace("\r\n", "\n")
        return bool(chunk)

    def commands(self):
        return re.findall(r"^  (curl .*)$", self.text, re.M)

    def stop(self):
        os.write(self.terminal, b"\x03")
        return self.wait()

    def wait(self):
        while self.read():
            pass
        _, status = os.waitpid(self.pid, 0)
        os.close(self.terminal)
        return os.waitstatus_to_exitcode(status)


def paste(command):
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=WAIT_S, check=True)
    return json.loads(done.stdout)


@test
def it_runs_twice_keeps_the_data_and_its_commands_do_what_they_say(folder):
    port = free_port()
    last = 0
    for start in range(2):
        run = Run(folder, port)
        check_has(run.text, rf"http://127\.0\.0\.1:{port}\n.*data:  {re.escape(folder)}/tasks .*Ctrl-C")
        check_has(run.text, rf"\n  http://127\.0\.0\.1:{port}/#/link/stet/\S+\n")
        read, change, again = run.commands()
        task = paste(read)
        check(task["data"]["title"] == "Print the posters for the open day", task)
        check(task["version"] == last + 1 if start == 0 else task["version"] == last, (task, last))
        changed = paste(change)
        check(changed["version"] == task["version"] + 1 and changed["updated_by"] == "demo", changed)
        told = paste(again)
        check(told["code"] == "CONCURRENT_MODIFICATION" and told["status"] == 412, told)
        check(told["last_modified_by"] == "demo" and told["current_version"] == changed["version"], told)
        notes = told["fields"]["/notes"]
        check(notes["state"] == "conflict" and notes["by"] == "demo", notes)
        check(notes["base"] == task["data"]["notes"] and notes["current"] == changed["data"]["notes"], notes)
        last = changed["version"]
        check(run.stop() == 0, run.text)
    data = os.path.join(folder, "tasks")
    check(len(must("list", "tasks", "--all", "--json", "--data", data).out.splitlines()) == 25)
    demo = [line for line in must("token", "list", "--data", data).out.splitlines() if " demo" in line]
    check(len(demo) == 1, demo)
    check(must("get", "tasks/1", "--data", data, "--json").json["version"] == last)
    must("check", "--data", data)


@test
def a_port_in_use_is_said(folder):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        run = Run(folder, port, until="in use")
        check(run.wait() != 0)
        check_has(run.text, rf"stet: .*127\.0\.0\.1:{port}.*in use")
        check("curl" not in run.text, run.text)


@test
def an_unknown_example_is_said(folder):
    done = subprocess.run([os.path.join(TOP, "scripts", "run")], capture_output=True, text=True, check=False,
                          env=environment({"example": "none", "STET_PROGRAM": PROGRAM}), timeout=WAIT_S)
    check(done.returncode == 2 and "examples/none/none.ndjson" in done.stderr, done)


main()
