#!/usr/bin/env python3
"""The queue from the command line: submitting, watching, lanes, agents and what becomes of their work."""
import json
import os
import signal
import subprocess
import sys

from harness import PROGRAM, TOP, WAIT_S, Server, check, check_has, environment, main, must, refused, stet, test, wait_for

EXAMPLES = os.path.join(TOP, "examples", "agents")


def script(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\n" + text)
    os.chmod(path, 0o755)
    return path


def submit(server, data, *options):
    return must("ops", "submit", json.dumps(data), "--url", server.url, "--json", *options).json["id"]


def show(server, operation):
    return must("ops", "show", operation, "--url", server.url, "--json").json


def run_agent(server, name, command, *options):
    return stet("agent", name, "--url", server.url, "--until-empty", *options, "--", *command)


class Agent:
    """An agent in the background."""

    def __init__(self, server, name, command, *options, env=None):
        self.process = subprocess.Popen([PROGRAM, "agent", name, "--url", server.url, *options, "--", *command],
                                        stderr=subprocess.PIPE, text=True, env=environment(env))

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=WAIT_S)
        return self.process.returncode, said

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


@test
def an_operation_waits_and_is_shown(folder):
    with Server(folder, "--no-auth") as server:
        first = submit(server, {"n": 1}, "--lane", "a")
        second = submit(server, {"n": 2}, "--lane", "a")
        listed = must("ops", "--url", server.url).out
        check_has(listed, f"{first}.*queued.*position 1")
        check_has(listed, f"{second}.*queued.*position 2")
        shown = show(server, second)
        check(shown["status"] == "queued" and shown["ahead"] == 1 and shown["input"] == {"n": 2}, shown)
        check_has(must("lanes", "--url", server.url).out, r"a +open +1 +0 +2 normal +- +-\s")
        check_has(listed, "position 2, wait not known yet")
        check(must("ops", "cancel", second, "--reason", "not needed", "--url", server.url).out.split()[1] == "cancelled")
        check_has(must("ops", "--status", "any", "--url", server.url).out, f"{second}.*cancelled.*not needed")
        check_has(refused(1, "ops", "watch", second, "--url", server.url).err, "not needed")
        check(show(server, second)["status"] == "cancelled")
        refused(3, "ops", "cancel", second, "--url", server.url)
        check(must("ops", "retry", second, "--url", server.url).out.split()[1] == "queued")
        refused(4, "ops", "show", "nothing", "--url", server.url)


@test
def the_same_key_is_the_same_operation(folder):
    with Server(folder, "--no-auth") as server:
        first = submit(server, {"n": 1}, "--key", "once")
        check(submit(server, {"n": 1}, "--key", "once") == first)
        check(len(must("ops", "--url", server.url, "--json").json["operations"]) == 1)


@test
def an_agent_does_what_waits_and_its_changes_come_with_the_completion(folder):
    work = script(folder, "work", """
read asked
echo '{"percent": 50, "message": "half way"}'
echo "for people only"
echo '{"result": {"got": '"$asked"'}, "mutations": [{"op": "create", "type": "done", "id": "'$STET_OPERATION'", "data": {"asked": '"$asked"'}}]}'
""")
    with Server(folder, "--no-auth") as server:
        ids = [submit(server, {"n": n}, "--agent", "worker") for n in range(3)]
        ran = run_agent(server, "worker", [work])
        check(ran.code == 0, ran)
        check(ran.err.count("completed") == 3 and "for people only" in ran.err, ran)
        for n, operation in enumerate(ids):
            shown = show(server, operation)
            check(shown["status"] == "completed" and shown["result"] == {"got": {"n": n}}, shown)
            check(shown["progress"]["percent"] == 100 or shown["progress"]["percent"] == 50, shown)
            record = must("get", f"done/{operation}", "--url", server.url, "--json").json
            check(record["data"] == {"asked": {"n": n}}, record)
        watched = must("ops", "watch", ids[0], "--url", server.url)
        check(json.loads(watched.out[watched.out.index("{"):]) == {"got": {"n": 0}}, watched)


@test
def a_program_that_fails_fails_its_operation(folder):
    with Server(folder, "--no-auth") as server:
        failing = submit(server, 1)
        ran = run_agent(server, "worker", ["/bin/sh", "-c", "echo it went wrong >&2; exit 3"])
        check(ran.code == 1, ran)
        shown = show(server, failing)
        check(shown["status"] == "failed" and "it went wrong" in shown["error"], shown)
        watched = refused(1, "ops", "watch", failing, "--url", server.url)
        check_has(watched.err, "it went wrong")
        waiting = submit(server, 1)
        ran = run_agent(server, "worker", [os.path.join(folder, "not-there")])
        check(ran.code == 1 and "could not run" in ran.err, ran)
        check(show(server, waiting)["status"] == "queued", "it was given back")


@test
def one_that_is_to_be_tried_again_is(folder):
    work = script(folder, "work", f"""
if mkdir {folder}/second 2>/dev/null; then exit 75; fi
echo '{{"result": "the second time"}}'
""")
    with Server(folder, "--no-auth") as server:
        operation = submit(server, 1)
        with Agent(server, "worker", [work]):
            shown = wait_for(lambda: show(server, operation)["status"] == "completed" and show(server, operation), "its end")
        check(shown["result"] == "the second time" and shown["retries"] >= 1, shown)


@test
def a_conflict_runs_the_program_again(folder):
    work = script(folder, "work", f"""
version=$({PROGRAM} get stock/bolts --url $STET_URL --json | sed 's/.*"version":\\([0-9]*\\).*/\\1/')
count=$({PROGRAM} get stock/bolts --url $STET_URL --raw | sed 's/[^0-9]//g')
if [ "$STET_RUN" = 1 ]; then {PROGRAM} patch stock/bolts '{{"count": 100}}' --base $version --url $STET_URL >&2; fi
echo '{{"mutations": [{{"op": "patch", "type": "stock", "id": "bolts", "base_version": '$version', "patch": {{"count": '$((count + 1))'}}}}]}}'
""")
    with Server(folder, "--no-auth") as server:
        must("put", "stock/bolts", '{"count": 1}', "--url", server.url)
        operation = submit(server, 1)
        ran = run_agent(server, "worker", [work])
        check(ran.code == 0 and "somebody was faster" in ran.err, ran)
        check(must("get", "stock/bolts", "--url", server.url, "--json").json["data"] == {"count": 101})
        shown = show(server, operation)
        check(shown["status"] == "completed" and shown["retries"] == 1, shown)


@test
def a_cancelled_operation_stops_its_program(folder):
    with Server(folder, "--no-auth") as server:
        operation = submit(server, 1)
        with Agent(server, "worker", ["sleep", "1000"], "--ttl", "1", "--once") as agent:
            wait_for(lambda: show(server, operation)["status"] == "running", "the start")
            must("ops", "cancel", operation, "--url", server.url)
            _, said = agent.process.communicate(timeout=WAIT_S)
            check("stopped" in said, said)
        check(show(server, operation)["status"] == "cancelled")


@test
def a_killed_agent_s_work_goes_to_another(folder):
    with Server(folder, "--no-auth") as server:
        operation = submit(server, 1)
        with Agent(server, "worker", ["sleep", "1000"], "--ttl", "1") as agent:
            wait_for(lambda: show(server, operation)["status"] == "running", "the start")
            agent.process.kill()
            wait_for(lambda: show(server, operation)["status"] == "queued", "the end of the lease")
        ran = run_agent(server, "worker", ["true"])
        check(ran.code == 0, ran)
        shown = show(server, operation)
        check(shown["status"] == "completed" and shown["attempts"] == 1, shown)


@test
def a_bound_agent_s_work_goes_back_although_its_program_lives_on(folder):
    with Server(folder, "--no-auth") as server:
        operation = submit(server, 1)
        held = os.path.join(folder, "held")
        os.mkfifo(held)
        work = script(folder, "work", f"ls /proc/self/fd | grep -c . >{folder}/open; exec cat {held}\n")
        with Agent(server, "worker", [work], "--ttl", "3600", "--bind") as agent:
            wait_for(lambda: os.path.exists(f"{folder}/open") and open(f"{folder}/open", encoding="utf-8").read(), "the program")
            agent.process.kill()
            wait_for(lambda: show(server, operation)["status"] == "queued", "the end of the connection")
        open(held, "w", encoding="utf-8").close()  # Ends the program.


@test
def ctrl_c_lets_the_work_finish_and_a_second_one_gives_it_back(folder):
    with Server(folder, "--no-auth") as server:
        first = submit(server, 1)
        begun, go = os.path.join(folder, "begun"), os.path.join(folder, "go")
        work = script(folder, "work", f"touch {begun}; while [ ! -e {go} ]; do sleep 0.02; done\n")
        with Agent(server, "worker", [work]) as agent:
            wait_for(lambda: os.path.exists(begun), "the program")
            agent.process.send_signal(signal.SIGINT)
            open(go, "w", encoding="utf-8").close()
            code, said = agent.process.wait(timeout=WAIT_S), agent.process.stderr.read()
            check(code == 0 and "finished first" in said, said)
        check(show(server, first)["status"] == "completed")
        second = submit(server, 1)
        with Agent(server, "worker", ["sleep", "1000"]) as agent:
            wait_for(lambda: show(server, second)["status"] == "running", "the start")
            agent.process.send_signal(signal.SIGINT)
            check_has(agent.process.stderr.readline() + agent.process.stderr.readline(), "finished first")
            agent.process.send_signal(signal.SIGINT)
            agent.process.wait(timeout=WAIT_S)
        check(show(server, second)["status"] == "queued", show(server, second))


@test
def the_examples_work(folder):
    with Server(folder, "--no-auth") as server:
        with Agent(server, "planner", [os.path.join(EXAMPLES, "planner.sh")], "--lane", "agents", env={"PLANNER_PAUSE": "0"}):
            ran = must("ops", "submit", '{"what": "a summer party"}', "--lane", "agents", "--agent", "planner", "--watch",
                       "--url", server.url)
            check_has(ran.out, '"plan": "plans/')
        ids = [submit(server, {"item": "bolts", "add": n}, "--lane", "stock", "--agent", "counter") for n in (5, 7)]
        done = subprocess.run([sys.executable, os.path.join(EXAMPLES, "counter.py"), "--lane", "stock", "--until-empty"],
                              capture_output=True, text=True, env=environment({"STET_URL": server.url}), timeout=WAIT_S,
                              check=False)
        check(done.returncode == 0, done)
        check([show(server, one)["result"] for one in ids] == [{"count": 5}, {"count": 12}], done)
        check(must("get", "stock/bolts", "--url", server.url, "--json").json["data"] == {"count": 12})


@test
def lanes_are_set_paused_and_drained(folder):
    with Server(folder, "--no-auth") as server:
        must("lanes", "set", "slow", '{"width": 3, "max_queued": 1}', "--url", server.url)
        submit(server, 1, "--lane", "slow")
        refused(5, "ops", "submit", "2", "--lane", "slow", "--url", server.url)
        must("lanes", "pause", "slow", "--url", server.url)
        check(run_agent(server, "worker", ["true"], "--lane", "slow").code == 0)
        check(must("lanes", "show", "slow", "--url", server.url, "--json").json["paused"])
        must("lanes", "resume", "slow", "--url", server.url)
        must("lanes", "drain", "slow", "--url", server.url)
        check("draining" in must("lanes", "--url", server.url).out)
        ran = run_agent(server, "worker", ["true"], "--lane", "slow")
        check("completed" in ran.err, ran)
        refused(2, "ops", "submit", "not json", "--url", server.url)
        check(stet("lanes", "set", "slow", '{"width": -1}', "--url", server.url).code != 0)


main()
