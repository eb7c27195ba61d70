#!/usr/bin/env python3
"""The manual page and docs/options.md say what the program's table says."""
import json
import os
import re
import subprocess

from harness import PROGRAM, TOP, WAIT_S, Server, check, environment, main, must, test


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as file:
        return file.read()


@test
def the_page_of_options_is_up_to_date(folder):
    check(read("docs/options.md") == must("help", "--markdown").out,
          "run: build/stet help --markdown >docs/options.md")


def commands_of_help():
    listed = must("help").out.split("Commands:\n")[1].split("\n\n")[0]
    return [line[2:20].strip() for line in listed.splitlines()]


@test
def the_manual_page_has_every_command_and_no_other(folder):
    page = read("man/stet.1").split(".Sh COMMANDS")[1].split(".Sh OPTIONS")[0]
    in_page = {}
    for line in re.findall(r"^\.It Cm (.*)$", page, re.M):
        words = re.split(r" (?:Ar|Oo)\b", line, maxsplit=1)
        in_page[words[0]] = " ".join(re.findall(r"Ar (\S+)", line))
    in_help = {}
    for name in commands_of_help():
        first = must("help", *name.split()).out.splitlines()[0][len("stet " + name):]
        in_help[name] = " ".join(first.replace("[", " ").replace("]", " ").split())
    check(in_page == in_help, f"{sorted(in_page.items())} in the page, {sorted(in_help.items())} in the program")


@test
def the_manual_page_has_every_option_and_no_other(folder):
    sections = re.split(r"^\.Ss Of ", read("man/stet.1").split(".Sh OPTIONS")[1].split(".Sh FILES")[0], flags=re.M)[1:]
    in_page = {}
    for section in sections:
        title = section.split("\n", 1)[0]
        for item in re.split(r"^\.It Fl -", section, flags=re.M)[1:]:
            head, text = item.split("\n", 1)
            name, _, argument = head.partition(" Ar ")
            default = re.search(r"^\.Pq default Ql (.*)$", text, re.M)
            variable = re.search(r"^\.Pq Ev (.*)$", text, re.M)
            words = text.split("\n")[0].replace("\\e", "\\")
            in_page[title, name] = (argument, default and default.group(1), variable and variable.group(1), words)
    in_docs = {}
    for section in re.split(r"^## ", must("help", "--markdown").out, flags=re.M)[1:]:
        title = section.split("\n", 1)[0]
        title = "serve" if title == "stet serve" else re.sub(r"^stet ([a-z ]+?)(?: [^a-z].*)?$", r"\1", title)
        title = title.replace("Commands that", "the commands that")
        for option, default, variable, _, words in re.findall(
                r"^\| `--([^`]*)` \|([^|]*)\|([^|]*)\|([^|]*)\| (.*) \|$", section, re.M):
            name, _, argument = option.partition(" ")
            in_docs[title, name] = (argument, default.strip(" `") or None, variable.strip(" `") or None, words)
    for key in sorted(set(in_page) | set(in_docs)):
        check(in_page.get(key) == in_docs.get(key), f"{key}: {in_page.get(key)} in the page, {in_docs.get(key)} in the program")
    check(len(in_docs) > 40, in_docs)


@test
def the_manual_page_has_the_exit_codes(folder):
    page = read("man/stet.1").split(".Sh EXIT STATUS")[1].split(".Sh EXAMPLES")[0]
    in_page = {code: words for code, words in re.findall(r"^\.It (\d)\n(.*)\.$", page, re.M)}
    for code, words in re.findall(r"^\| (\d) \| (.*) \|$", must("help", "--markdown").out, re.M):
        check(in_page.get(code, "").lower() == words.lower(), f"exit code {code}")


@test
def the_readme_names_files_that_exist(folder):
    for path in ("README.md", "docs/cli.md", "examples/tasks/README.md", "examples/embed/README.md", "src/cli/README.md",
                 "examples/documents/README.md", "docs/for-your-users.md", "docs/README.md", "examples/README.md", "docs/operating.md", "ops/README.md"):
        for link in re.findall(r"\]\(([^)#]+)\)", read(path)):
            if "://" not in link:
                check(os.path.exists(os.path.join(TOP, os.path.dirname(path), link)), f"{path} links to {link}")


@test
def what_the_guide_says_to_watch_can_be_watched(folder):
    names = set(re.findall(r"`(stet_\w+)`", read("docs/operating.md")))
    check(len(names) > 10, names)
    explained = set(re.findall(r"`(stet_\w+)`", read("docs/metrics.md")))
    check(names <= explained, f"not in metrics.md: {sorted(names - explained)}")
    variables = set(re.findall(r"`(STET_\w+)[=`]", read("docs/operating.md")))
    known = set(re.findall(r"`(STET_\w+)`", read("docs/options.md")))
    check(variables and variables <= known, f"no such variables: {sorted(variables - known)}")


@test
def the_first_conflict_of_the_readme_is_real(folder):
    text = read("README.md").split("## A first conflict")[1].split("\n## ")[0]
    commands = re.findall(r"```sh\n(.*?)```", text, re.S)
    check(len(commands) == 3, commands)
    promised = json.loads(re.search(r"```json\n(.*?)```", text, re.S).group(1))
    with Server(folder, "--no-auth") as server:
        said = []
        for command in commands:
            command = command.replace("http://127.0.0.1:7838", server.url)
            done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True, timeout=WAIT_S)
            said.append(json.loads(done.stdout))
    check([answer.get("version") for answer in said[:2]] == [1, 2], said)
    for key, value in promised.items():
        if key in ("last_modified_at", "resolution_token"):
            check(key in said[2], said[2])
        elif key == "fields":
            for pointer, field in value.items():
                check(field.items() <= said[2]["fields"][pointer].items(), (pointer, said[2]["fields"]))
        else:
            check(said[2][key] == value, f"{key}: {said[2][key]} in the answer, {value} in the README")


@test
def the_queue_of_the_readme_is_real(folder):
    text = read("README.md").split("## A queue for what takes time")[1].split("\n## ")[0]
    commands = re.search(r"```sh\n(.*?)```", text, re.S).group(1).splitlines()
    check(len(commands) == 3, commands)
    with Server(folder, "--no-auth") as server:
        for command in commands:
            command = command.replace("http://127.0.0.1:7838", server.url).replace("build/stet", PROGRAM)
            done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True, timeout=WAIT_S, cwd=TOP,
                                  env=environment({"PLANNER_PAUSE": "0"}))
    check("a summer party" in done.stdout, done.stdout)


main()
