#!/usr/bin/env python3
"""The examples of docs/trees.md, run line by line in one shell against one server."""
import os
import re
import shutil
import subprocess

from harness import PROGRAM, TOP, WAIT_S, Server, check, environment, main, must, test


def examples():
    """[(command, expected)] of every sh block, in order."""
    with open(os.path.join(TOP, "docs/trees.md"), encoding="utf-8") as file:
        blocks = re.findall(r"^```sh\n(.*?)^```$", file.read(), re.M | re.S)
    found = []
    for block in blocks:
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, _, expected = part.partition("\n")
            found.append((command, expected))
    return found


def fits(shown, expected):
    pattern = ".*".join(re.escape(piece) for piece in expected.rstrip("\n").split("…"))
    return re.fullmatch(pattern, shown.rstrip("\n"), re.S)


@test
def the_examples_of_the_page_are_true(folder):
    check(len(examples()) > 15)
    if shutil.which("curl") is None:
        print("# no curl here: the page is not checked")
        return
    os.symlink(PROGRAM, os.path.join(folder, "stet"))
    with Server(folder, "--no-auth") as server:
        env = environment({"STET_URL": server.url, "URL": server.url, "STET_ACTOR": "ann",
                           "PATH": folder + ":" + os.environ["PATH"]})
        script = ""
        for command, expected in examples():
            # Variables live on: what sets one is repeated before every later command.
            if re.match(r"[A-Z]+=", command):
                value = subprocess.run(["sh", "-c", command + "; echo \"$" + command.split("=")[0] + "\""], env=env,
                                       capture_output=True, text=True, timeout=WAIT_S, check=True).stdout.strip()
                script += f"{command.split('=')[0]}='{value}'; "
                continue
            ran = subprocess.run(["sh", "-c", script + command], env=env, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True, timeout=WAIT_S, check=False)
            check(fits(ran.stdout, expected), f"{command}\n{ran.stdout}\nwanted:\n{expected}")


@test
def a_tree_is_forked_and_merged_as_a_whole(folder):
    with Server(folder, "--no-auth") as server:
        where = ("--url", server.url)
        must("put", "doc/a", "{}", *where)
        must("put", "doc/b", '{"n":1}', "--parent", "doc/a", *where)
        shown = must("fork", "doc/a", "copy", "--tree", *where).out
        check(shown.count("forked from") == 2, shown)
        node = must("tree", "doc/copy", "--json", *where).json["tree"]["children"][0]["address"]
        must("patch", node, '{"n":2}', "--base", "1", *where)
        check("doc/b  version 2" in must("merge", "doc/copy", "--base", "1", "--tree", *where).out)
        check(must("get", "doc/b", "--raw", *where).out == '{"n":2}\n')


main()
