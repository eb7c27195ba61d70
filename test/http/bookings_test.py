#!/usr/bin/env python3
"""Bookings over real sockets: who comes at the same time, one of them gets it; and every answer is as docs/openapi.yaml says.

    bookings_test.py STET [TEST]    STET_ROUNDS: how many times a hundred clients want one slot (10)
"""
import http.client
import json
import os
import socket
import sys
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from contract import Contract  # noqa: E402
from harness import Server, check, check_has, main, stet, test  # noqa: E402

ROUNDS = int(os.environ.get("STET_ROUNDS", "10"))
CLIENTS = 100
RECORDS = "/v1/main/records/meetings"
ROOM = {"exclusive": {"resource": "/room", "start": "/start", "end": "/end", "tz": "/tz", "any_of": "/rooms",
                      "unless": "status = 'cancelled'"}}
CONTRACT = Contract()


class Client:
    """One connection that is kept."""

    def __init__(self, server):
        place = urllib.parse.urlsplit(server.url)
        self.http = http.client.HTTPConnection(place.hostname, place.port, timeout=60)

    def call(self, method, target, body=None, **headers):
        given = {name.replace("_", "-").lower(): value for name, value in headers.items()}
        text = b"" if body is None else json.dumps(body).encode()
        if body is not None:
            given["content-type"] = "application/json"
        self.http.request(method, target, text, given)
        answer = self.http.getresponse()
        data = answer.read()
        CONTRACT.check(method, target, (given, text), answer.status,
                       {name.lower(): value for name, value in answer.getheaders()}, data)
        return answer.status, json.loads(data) if data else None


def meeting(room, hour, **more):
    return {"room": room, "start": f"2026-03-02T{hour:02}:00", "end": f"2026-03-02T{hour + 1:02}:00",
            "tz": "Europe/Berlin", **more}


def open_rooms(folder):
    server = Server(folder, "--no-auth")
    client = Client(server)
    status, answer = client.call("PUT", "/v1/main/types/meetings", ROOM)
    check(status in (200, 201), f"{status} {answer}")
    return server, client


@test
def a_taken_slot_says_by_what_and_when_there_is_room(folder):
    server, client = open_rooms(folder)
    with server:
        check(client.call("PUT", f"{RECORDS}/a", meeting("red", 9))[0] == 201)
        status, answer = client.call("PUT", f"{RECORDS}/b", meeting("red", 9))
        check(status == 409 and answer["code"] == "SLOT_TAKEN", answer)
        check(answer["in_the_way"] == [{"address": "meetings/a", "resource": "red", "start": "2026-03-02T08:00:00.000000000Z",
                                        "end": "2026-03-02T09:00:00.000000000Z",
                                        "original_start": "2026-03-02T08:00:00.000000000Z"}], answer)
        check(answer["next_free"][0] == {"resource": "red", "start": "2026-03-02T09:00:00.000000000Z",
                                         "end": "2026-03-02T10:00:00.000000000Z"}, answer)
        status, answer = client.call("POST", "/v1/main/transactions", {"mutations": [
            {"op": "create", "type": "meetings", "id": "c", "data": meeting("blue", 9)},
            {"op": "create", "type": "meetings", "id": "d", "data": meeting("red", 9)}]})
        check(status == 409 and [one["index"] for one in answer["conflicts"]] == [1], answer)
        check(answer["conflicts"][0]["in_the_way"][0]["address"] == "meetings/a", answer)
        check(client.call("GET", f"{RECORDS}/c")[0] == 404, "all or nothing")
        told = stet("put", "meetings/f", json.dumps(meeting("red", 9)), "--url", server.url)
        check(told.code != 0, told)
        check_has(told.err, "taken: meetings/a red  from .* to .* UTC.*free: red  from ")
        status, answer = client.call("PUT", f"{RECORDS}/e", meeting(None, 9, rooms=["red", "blue"]))
        check(status == 201 and answer["data"]["room"] == "blue", answer)


@test
def times_that_are_none_name_their_field(folder):
    server, client = open_rooms(folder)
    with server:
        for more, field in (({"start": "soon"}, "/start"), ({"end": "2126-01-01T00:00"}, "/end"), ({"tz": "Mars/Base"}, "/tz"),
                            ({"end": "2026-03-02T09:00"}, "/end"), ({"end": None}, "/end")):
            status, answer = client.call("PUT", f"{RECORDS}/x", {**meeting("red", 9), **more})
            check(status == 422 and answer["code"] == "INVALID_TIME" and answer["field"] == field, (more, answer))


def send_all(sockets, requests):
    for one, request in zip(sockets, requests):
        one.sendall(request)


def read_answer(one):
    data = b""
    while b"\r\n\r\n" not in data:
        data += one.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    size = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    while len(body) < size:
        body += one.recv(65536)
    return int(head.split(b" ")[1]), json.loads(body)


@test
def a_hundred_clients_want_one_slot_and_one_gets_it(folder):
    server, client = open_rooms(folder)
    with server:
        place = urllib.parse.urlsplit(server.url)
        sockets = [socket.create_connection((place.hostname, place.port), timeout=60) for _ in range(CLIENTS)]
        for number in range(ROUNDS):
            body = json.dumps(meeting(f"room-{number}", 9)).encode()
            send_all(sockets, [b"PUT %s/r%d-c%d HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"
                               b"Content-Length: %d\r\n\r\n%s" % (RECORDS.encode(), number, index, place.netloc.encode(), len(body), body)
                               for index in range(CLIENTS)])
            answers = [read_answer(one) for one in sockets]
            won = [answer["address"] for status, answer in answers if status == 201]
            check(len(won) == 1, f"round {number}: {won} have it")
            lost = [answer for status, answer in answers if status == 409]
            check(len(lost) == CLIENTS - 1 and all(answer["code"] == "SLOT_TAKEN" for answer in lost), f"round {number}: {answers}")
            check(all(answer["in_the_way"][0]["address"] == won[0] for answer in lost), f"round {number}: {won}, {lost[0]}")
        for one in sockets:
            one.close()


main()
