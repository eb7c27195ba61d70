#!/usr/bin/env python3
"""stet types: one definition, a schema from a file, and what stands in the way."""
import json
import os

from harness import Server, check, check_has, main, must, refused, test

DEALS = {"title": "Deals", "fields": {"/amount": {"type": "number"}}, "index": ["/stage"]}


def write(folder, name, value):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file)
    return path


@test
def a_schema_is_loaded_and_loading_it_again_changes_nothing(folder):
    schema = write(folder, "schema.json", {"types": {"deals": DEALS, "tasks": {}}})
    with Server(folder, "--no-auth") as server:
        where = ["--url", server.url]
        check_has(must("types", "apply", schema, "--dry-run", *where).out, r"created +deals(.|\n)*nothing was stored")
        check("deals" not in must("types", "list", *where).out)
        check_has(must("types", "apply", schema, *where).out, r"created +deals *\ncreated +tasks")
        check(must("types", "apply", schema, *where).out == "2 unchanged\n")
        check_has(must("types", "list", *where).out, r"deals +1 +reject +1 +- +1 +Deals")
        check(json.loads(must("types", "show", "deals", *where).out) == DEALS)
        check(must("types", "show", "deals", "--json", *where).json["version"] == 1)
        changed = write(folder, "changed.json", {"types": {"deals": {**DEALS, "title": "Offers"}}})
        said = must("types", "apply", changed, "--prune", *where).out
        check_has(said, r'changed +deals +\["/title"\]\ndeleted +tasks')
        check(must("types", "apply", changed, "--json", *where).json["types"]["deals"]["change"] == "unchanged")


@test
def records_in_the_way_are_shown(folder):
    bounded = write(folder, "bounded.json", {"fields": {"/amount": {"minimum": 2}}})
    unique = write(folder, "unique.json", {"unique": ["/stage"]})
    with Server(folder, "--no-auth") as server:
        where = ["--url", server.url]
        must("put", "deals/1", '{"amount":1,"stage":"x"}', *where)
        must("put", "deals/2", '{"amount":2,"stage":"x"}', *where)
        said = refused(3, "types", "put", "deals", bounded, *where).err
        check_has(said, r"TYPE_VIOLATED(.|\n)*deals/1 +/amount +must be at least 2(.|\n)*--force")
        check_has(refused(3, "types", "put", "deals", unique, "--force", *where).err, r"/stage +has the value of deals/\d")
        check_has(must("types", "put", "deals", bounded, "--force", *where).out, r"version 1 +\(forced")
        check_has(refused(1, "types", "put", "deals", bounded, *where, stdin="").err, "--base 1")
        check_has(must("types", "put", "deals", bounded, "--base", "1", *where).out, "unchanged")
        check_has(refused(1, "put", "deals/3", '{"amount":1}', *where).err, r"INVALID_DATA(.|\n)*/amount")
        check_has(must("types", "delete", "deals", "--base", "1", *where).out, "deleted")
        must("put", "deals/3", '{"amount":1}', *where)
        wrong = write(folder, "wrong.json", {"types": {"deals": {"colour": 1}}})
        check_has(refused(1, "types", "apply", wrong, *where).err, r"field: /types/deals/colour")


main()
