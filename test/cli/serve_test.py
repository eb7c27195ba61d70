#!/usr/bin/env python3
"""Starting, stopping and configuring a server."""
import json
import os
import pty
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.request

from harness import (PROGRAM, WAIT_S, Server, check, check_has, environment, main, make_directory, must, refused, test,
                     wait_for)


def files_with(folder, text):
    found = []
    for path, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(path, name), "rb") as file:
                if text.encode() in file.read():
                    found.append(name)
    return found


@test
def the_first_start_shows_a_token_once_and_keeps_only_its_hash(folder):
    server = Server(folder)
    url = server.url
    check(url.startswith("http://127.0.0.1:"), url)
    token = server.read_token()
    check(len(token) >= 32, token)
    check(files_with(folder, token) == [], "the token is stored")
    with Server(folder) as server:
        must("space", "create", "mine", "--url", server.url, "--token", token)
        check(files_with(folder, token) == [], "the token is stored")
        check(server.stop() == "", "the second start prints something")
    check(token not in server.log())


@test
def init_keeps_only_the_hash_too(folder):
    data = os.path.join(folder, "data")
    token = must("init", "--data", data, "--json").json["token"]
    check(files_with(folder, token) == [])
    with Server(folder) as server:
        must("token", "list", "--url", server.url, "--token", token)
        check(server.stop() == "")


@test
def a_deadline_passes_also_where_nobody_looks(folder):
    schema = os.path.join(folder, "schema.json")
    with open(schema, "w", encoding="utf-8") as file:
        json.dump({"types": {"deals": {"on_conflict": "ask", "ask": {"deadline_s": 3, "fallback": "last_writer_wins"}}}}, file)
    with Server(folder, "--no-auth") as server:
        must("space", "create", "team", "--data", server.data)
        for space in ("main", "team"):
            at = ("--space", space, "--data", server.data)
            must("types", "apply", schema, *at)
            must("put", "deals/1", '{"n":0}', *at)
            must("put", "deals/1", '{"n":1}', "--base", "1", *at)
        for space in ("main", "team"):
            must("put", "deals/1", '{"n":2}', "--base", "1", "--space", space, "--data", server.data)
    with Server(folder, "--no-auth") as server:
        for space in ("main", "team"):
            def expired():
                with urllib.request.urlopen(server.url + "/metrics") as answer:
                    return f'stet_conflicts_expired_total{{space="{space}"}} 1' in answer.read().decode()
            wait_for(expired, f"the deadline in {space}")


@test
def a_second_server_names_the_first(folder):
    with Server(folder) as server:
        second = refused(5, "serve", "--data", server.data, "--listen", "127.0.0.1:0")
        check(str(server.process.pid) in second.err and server.url in second.err, second)
        check_has(refused(5, "init", "--data", server.data).err, str(server.process.pid))
        must("put", "a/1", "{}", "--data", server.data)


@test
def a_port_in_use_is_said(folder):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        ran = refused(1, "serve", "--data", os.path.join(folder, "data"), "--listen", listen)
        check(listen in ran.err and "in use" in ran.err, ran)


@test
def no_authentication_only_on_loopback(folder):
    data = os.path.join(folder, "data")
    for listen in ("0.0.0.0:0", "[::]:0", "192.0.2.1:7838"):
        ran = refused(2, "serve", "--data", data, "--listen", listen, "--no-auth")
        check_has(ran.err, "loopback")
    check(not os.path.exists(data))
    with Server(folder, "--no-auth") as server:
        must("put", "a/1", "{}", "--url", server.url, "--actor", "ada")
        must("put", "a/2", "{}", "--url", server.url)
        by = [must("get", f"a/{n}", "--url", server.url, "--json").json["created_by"] for n in (1, 2)]
        check(by == ["ada", "anonymous"], by)
        check(server.stop() == "", "no token is needed, and none is made")


@test
def options_that_contradict_are_refused(folder):
    data = os.path.join(folder, "data")
    check_has(refused(2, "serve", "--data", data, "--tls-cert", "x").err, "belong together")
    refused(2, "serve", "--data", data, "--log-level", "loud")
    refused(2, "serve", "--data", data, "--io-threads", "many")
    refused(2, "serve", "--data", data, "--config", "/nowhere")
    for listen in ("nonsense", "127.0.0.1:99999", "127.0.0.1"):
        check(refused(2, "serve", "--data", data, "--listen", listen).err.startswith("stet: "))


@test
def the_command_line_wins_over_environment_and_file(folder):
    config = os.path.join(folder, "stet.conf")

    def start(*arguments, env=None, **lines):
        with open(config, "w", encoding="utf-8") as file:
            file.write("# a comment\n\n" + "".join(f"{key} = {text}\n" for key, text in lines.items()))
        return Server(folder, "--config", config, *arguments, env=env)

    with start("--base-path", "/line", base_path="/file", env={"STET_BASE_PATH": "/environment"}) as server:
        check(server.url.endswith("/line"), server.url)
    with start(base_path="/file", env={"STET_BASE_PATH": "/environment"}) as server:
        check(server.url.endswith("/environment"), server.url)
    with start(base_path="/file", access_log="true") as server:
        check(server.url.endswith("/file"), server.url)
        must("put", "a/1", "{}", "--data", server.data)
        wait_for(lambda: re.search(r"method=PUT", server.log()), "the access log")
    with start(base_path="/file", env={"STET_BASE_PATH": ""}) as server:
        check(server.url.endswith("/file"), server.url)
    with open(config, "w", encoding="utf-8") as file:
        file.write("listn = x\n")
    check_has(refused(2, "serve", "--config", config).err, "line 1.*listn")


@test
def a_base_path_stands_before_everything(folder):
    with Server(folder, "--base-path", "/deep/stet") as server:
        check(server.url.endswith("/deep/stet"), server.url)
        must("put", "a/1", "{}", "--data", server.data)
        with urllib.request.urlopen(f"{server.url}/healthz", timeout=WAIT_S) as answer:
            check(answer.status == 200)


@test
def https_works_for_clients_and_for_the_owner(folder):
    key, cert = os.path.join(folder, "key.pem"), os.path.join(folder, "cert.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", cert],
                   check=True, capture_output=True)
    token = Server(folder).read_token()
    with Server(folder, "--tls-cert", cert, "--tls-key", key) as server:
        check(server.url.startswith("https://"), server.url)
        must("put", "a/1", "{}", "--data", server.data)
        must("get", "a/1", "--url", server.url, "--token", token, "--ca-file", cert)
        refused(5, "get", "a/1", "--url", server.url, "--token", token)


@test
def signals_stop_it_cleanly(folder):
    data = make_directory(folder)
    for number, name in ((signal.SIGINT, "Interrupt"), (signal.SIGTERM, "Terminated"), (signal.SIGHUP, "Hangup")):
        with Server(folder) as server:
            must("put", f"a/{int(number)}", "{}", "--data", data)
            server.stop(number)
            check(server.code == 0, server.log())
            check_has(server.log(), f"stopping.*{name}.*stopped")
            check(not os.path.exists(server.url_file))
    check(len(must("list", "a", "--data", data, "--json").json["records"]) == 3)


@test
def a_second_signal_stops_at_once(folder):
    server = Server(folder, "--no-auth")
    host, port = server.url[7:].split(":")
    # A long poll that would run for a minute: a graceful stop ends it, or the second signal everything.
    with socket.create_connection((host, int(port))) as waiting:
        waiting.sendall(f"GET /v1/main/changes?since=0&wait_s=60 HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
        time.sleep(0.1)
        started = time.monotonic()
        server.process.send_signal(signal.SIGINT)
        wait_for(lambda: "stopping" in server.log(), "the first signal to arrive")
        server.process.send_signal(signal.SIGINT)
        server.process.wait(timeout=WAIT_S)
        check(time.monotonic() - started < 5, "it took its time")
    check(server.process.returncode in (0, 128 + signal.SIGINT), server.process.returncode)
    server.process.stdout.close()
    must("list", "a", "--data", server.data)


@test
def control_c_in_a_terminal_loses_nothing(folder):
    data = make_directory(folder)
    url_file = os.path.join(folder, "url")
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(PROGRAM, [PROGRAM, "serve", "--data", data, "--listen", "127.0.0.1:0", "--url-file", url_file],
                  environment())
    seen = []

    def read():
        try:
            while chunk := os.read(terminal, 4096):
                seen.append(chunk)
        except OSError:
            pass  # The other side of the terminal is gone.

    reader = threading.Thread(target=read)
    reader.start()
    wait_for(lambda: os.path.exists(url_file), "the server to listen")
    acknowledged = []
    with open(url_file, encoding="utf-8") as file:
        url = file.read()
    token = must("token", "create", "--actor", "ada", "--data", data).out.strip()

    def write():
        number = 0
        while True:
            request = urllib.request.Request(f"{url}/v1/main/records/a/{number}", method="PUT", data=b"{}",
                                             headers={"Authorization": f"Bearer {token}",
                                                      "Content-Type": "application/json"})
            try:
                with urllib.request.urlopen(request, timeout=WAIT_S):
                    acknowledged.append(number)
            except OSError:
                return
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    wait_for(lambda: len(acknowledged) > 50, "some writes")
    os.write(terminal, b"\x03")
    _, status = os.waitpid(pid, 0)
    writer.join()
    reader.join()
    os.close(terminal)
    check(os.waitstatus_to_exitcode(status) == 0, b"".join(seen))
    there = {int(json.loads(line)["id"]) for line in
             must("list", "a", "--all", "--json", "--data", data).out.splitlines()}
    check(set(acknowledged) <= there, sorted(set(acknowledged) - there))
    must("check", "--data", data)


@test
def the_log_can_be_quiet(folder):
    with Server(folder, "--log-level", "error") as server:
        must("put", "a/1", "{}", "--data", server.data)
        check(server.log() == "", server.log())


main()
