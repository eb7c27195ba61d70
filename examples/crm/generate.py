#!/usr/bin/env python3
"""Writes the records of a small company, Lumbre Lighting, as lines for `stet import`: always the same ones for the same arguments.

    generate.py > crm.ndjson
    generate.py --monday 2026-11-23 --seed 7 --scale 0.1

--monday is the week around which dates are laid: meetings from four weeks before it to eight weeks after, deals that close within
the year. --scale makes more or fewer of everything but people and resources.
"""
import argparse
import datetime
import json
import random
import sys

SALES = ["ana", "ben"]
PEOPLE = ["marta", "ana", "ben", "noor", "olga"]

FIRST = ["Adela", "Bruno", "Carmen", "Dimitri", "Elena", "Farid", "Greta", "Hugo", "Ines", "Jonas", "Katya", "Leo", "Maren", "Nils",
         "Oriol", "Paula", "Quim", "Rosa", "Samir", "Teresa", "Ulla", "Victor", "Wanda", "Xavi", "Yara", "Zoe"]
LAST = ["Acosta", "Berg", "Castell", "Dupont", "Eriksen", "Ferrer", "Greco", "Haas", "Ibarra", "Jansen", "Kowalski", "Lindholm",
        "Moreno", "Novak", "Ortega", "Petit", "Quiroga", "Rossi", "Soler", "Tanaka", "Urban", "Vidal", "Weiss", "Ziegler"]
TRADE = ["Hotel", "Bakery", "Theatre", "Clinic", "Winery", "Print Shop", "School", "Museum", "Garage", "Café", "Bookshop",
         "Architects", "Logistics", "Dairy", "Gallery", "Pharmacy", "Library", "Brewery", "Shipyard", "Nursery"]
PLACE = [("Madrid", "28", "ES"), ("Barcelona", "08", "ES"), ("Valencia", "46", "ES"), ("Lisboa", "11", "PT"), ("Lyon", "69", "FR"),
         ("Toulouse", "31", "FR"), ("Torino", "10", "IT"), ("Graz", "80", "AT"), ("Köln", "50", "DE"), ("Gent", "90", "BE")]
STREET = ["Calle Mayor", "Rua das Flores", "Rue du Port", "Via Roma", "Hauptstraße", "Carrer Nou", "Avenida del Sol", "Kerkstraat"]
TAG = ["indoor", "outdoor", "retrofit", "design", "emergency", "key-account", "partner", "newsletter", "fair-2026", "slow-payer"]
GOODS = [("LMP-010", "Pendant lamp, brass", 189.0), ("LMP-024", "Wall washer, 24 W", 142.5), ("LMP-031", "Track spot, 3000 K", 96.0),
         ("LMP-055", "Emergency exit sign", 74.9), ("CTL-002", "Dimmer module, four channels", 228.0),
         ("CTL-009", "Daylight sensor", 58.0), ("SRV-001", "Lighting plan, hour", 85.0), ("SRV-004", "Mounting, hour", 62.0)]
WORK = ["Relighting of the foyer", "Facade lighting", "Emergency lighting", "New showroom", "LED retrofit", "Stage lighting",
        "Warehouse, second hall", "Garden and paths", "Reading room", "Production line 3"]
TALK = ["First meeting", "Site visit", "Presentation of the plan", "Price talk", "Handover", "Review", "Lunch", "Measuring", "Call"]
NOTE = ["Asked for samples.", "Prefers warm white.", "The board decides at the end of the month.", "Wants one contact only.",
        "Budget is fixed until spring.", "Has an offer from a competitor.", "Call after ten.", "Very satisfied with the last project."]
ROOMS = [("room-sol", "Sol", 12), ("room-luna", "Luna", 8), ("room-venus", "Venus", 4), ("room-marte", "Marte", 4),
         ("room-studio", "Light studio", 6)]
THINGS = [("van-1", "Van 1"), ("van-2", "Van 2"), ("lift", "Scissor lift"), ("projector", "Projector"), ("luxmeter", "Luxmeter")]


class Company:
    def __init__(self, seed, monday, scale):
        self.random = random.Random(seed)
        self.monday = monday
        self.scale = scale
        self.taken = {}

    def count(self, number):
        return max(1, round(number * self.scale))

    def day(self, first, last):
        return self.monday + datetime.timedelta(days=self.random.randint(first, last))

    def write(self, type_, id_, by, data, made=None):
        made = made or self.day(-400, -1)
        at = datetime.datetime.combine(made, datetime.time(self.random.randint(8, 17), self.random.randint(0, 59)))
        line = {"type": type_, "id": id_, "created_at": at.isoformat() + "Z", "created_by": by, "data": data}
        sys.stdout.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")

    def person(self):
        return f"{self.random.choice(FIRST)} {self.random.choice(LAST)}"

    def tags(self):
        return sorted(self.random.sample(TAG, self.random.choice([0, 1, 1, 2, 3])))

    def notes(self):
        return "\n".join(self.random.sample(NOTE, self.random.choice([0, 1, 1, 2]))) + "\n"

    def lines(self):
        lines = []
        for sku, description, price in sorted(self.random.sample(GOODS, self.random.randint(1, 5))):
            lines.append({"sku": sku, "description": description, "quantity": self.random.randint(1, 40), "price": price})
        return lines, round(sum(line["quantity"] * line["price"] for line in lines), 2)

    # -- One type after the other -------------------------------------------------------------------------------------------

    def resources(self):
        for id_, name, seats in ROOMS:
            self.write("resources", id_, "olga", {"name": name, "kind": "room", "seats": seats, "place": "Calle Mayor 12", "active": True,
                                                  "notes": ""})
        for id_, name in THINGS:
            self.write("resources", id_, "olga", {"name": name, "kind": "thing", "active": True, "notes": ""})
        for id_ in PEOPLE:
            self.write("resources", id_, "olga", {"name": id_.capitalize(), "kind": "person", "active": True, "notes": ""})

    def customers(self):
        self.customer_ids = []
        for number in range(1, self.count(600) + 1):
            city, prefix, country = self.random.choice(PLACE)
            name = f"{self.random.choice(TRADE)} {self.random.choice(LAST)}"
            id_ = f"c-{number:04}"
            self.customer_ids.append(id_)
            word = name.lower().replace(" ", "-").replace("é", "e")
            self.write("customers", id_, "olga", {
                "number": f"C{number:05}", "name": name, "vat_id": f"{country}{self.random.randint(10**8, 10**9 - 1)}",
                "email": f"office@{word}.example", "phone": f"+34 {self.random.randint(600, 699)} {self.random.randint(10**5, 10**6 - 1)}",
                "address": {"street": f"{self.random.choice(STREET)} {self.random.randint(1, 140)}",
                            "postcode": f"{prefix}{self.random.randint(1, 999):03}", "city": city, "country": country},
                "owner": self.random.choice(SALES), "segment": self.random.choice(["small", "small", "middle", "large", "public"]),
                "tags": self.tags(), "notes": self.notes(), "credit_limit": self.random.choice([0, 5000, 10000, 25000, 100000])})

    def leads(self):
        for number in range(1, self.count(450) + 1):
            owner = self.random.choice(SALES)
            status = self.random.choice(["new", "new", "contacted", "contacted", "qualified", "lost"])
            self.write("leads", f"l-{number:04}", owner, {
                "name": self.person(), "company": f"{self.random.choice(TRADE)} {self.random.choice(LAST)}",
                "email": f"lead{number}@mail.example", "source": self.random.choice(["web", "fair", "referral", "phone", "partner"]),
                "owner": owner, "status": status, "contacts": 0 if status == "new" else self.random.randint(1, 6),
                "tags": self.tags(), "notes": self.notes()}, self.day(-180, -1))

    def deals(self):
        self.deal_ids = []
        for number in range(1, self.count(700) + 1):
            id_ = f"d-{number:04}"
            owner = self.random.choice(SALES)
            customer = self.random.choice(self.customer_ids)
            stage = self.random.choice(["new", "qualified", "proposal", "proposal", "negotiation", "won", "won", "lost"])
            self.deal_ids.append((id_, customer, owner, stage))
            self.write("deals", id_, owner, {
                "title": self.random.choice(WORK), "customer": f"customers/{customer}", "owner": owner, "stage": stage,
                "amount": self.random.randint(8, 900) * 100, "currency": "EUR", "margin_percent": self.random.randint(8, 45),
                "discount_percent": self.random.choice([0, 0, 0, 5, 10]), "expected_close": self.day(-60, 240).isoformat(),
                "tags": self.tags(), "notes": self.notes()}, self.day(-300, -1))

    def papers(self):
        quotes = []
        for number in range(1, self.count(350) + 1):
            deal, customer, owner, _ = self.random.choice(self.deal_ids)
            lines, total = self.lines()
            status = self.random.choice(["draft", "sent", "sent", "accepted", "expired"])
            quotes.append((f"q-{number:04}", customer, lines, total))
            self.write("quotes", f"q-{number:04}", owner, {
                "number": f"Q{number:05}", "deal": f"deals/{deal}", "status": status, "lines": lines, "total": total,
                "valid_until": self.day(-30, 90).isoformat()}, self.day(-120, -1))
        for number in range(1, self.count(250) + 1):
            deal, _, owner, _ = self.random.choice(self.deal_ids)
            work = self.random.choice(WORK)
            self.write("proposals", f"p-{number:04}", owner, {
                "deal": f"deals/{deal}", "title": f"{work}: our proposal", "owner": owner,
                "body": f"# {work}\n\nWhat we found\n\n{self.random.choice(NOTE)}\n\nWhat we suggest\n\n{self.random.choice(GOODS)[1]}.\n",
                "status": self.random.choice(["draft", "sent", "sent", "accepted", "declined"]),
                "valid_until": self.day(-30, 90).isoformat()}, self.day(-120, -1))
        for number in range(1, self.count(400) + 1):
            quote, customer, lines, total = self.random.choice(quotes)
            status = self.random.choice(["draft", "sent", "sent", "paid", "paid", "paid"])
            issued = self.day(-150, -1)
            self.write("invoices", f"i-{number:04}", "noor", {
                "number": f"2026-{number:04}", "customer": f"customers/{customer}", "quote": f"quotes/{quote}", "status": status,
                "issued": issued.isoformat(), "due": (issued + datetime.timedelta(days=30)).isoformat(), "lines": lines,
                "currency": "EUR", "total": total, "paid": total if status == "paid" else 0, "notes": ""}, issued)

    def projects(self):
        won = [deal for deal in self.deal_ids if deal[3] == "won"]
        for number, (deal, customer, owner, _) in enumerate(self.random.sample(won, min(len(won), self.count(60))), 1):
            starts = self.day(-90, 40)
            members = sorted(self.random.sample(PEOPLE, self.random.randint(1, 3)))
            self.write("projects", f"pr-{number:03}", "marta", {
                "title": self.random.choice(WORK), "customer": f"customers/{customer}", "deal": f"deals/{deal}", "lead": owner,
                "members": members, "status": self.random.choice(["planned", "running", "running", "done"]),
                "budget_hours": self.random.randint(4, 60) * 10,
                "allocations": {member: self.random.randint(1, 12) * 5 for member in members}, "starts": starts.isoformat(),
                "ends": (starts + datetime.timedelta(days=self.random.randint(20, 120))).isoformat(), "notes": ""})

    def is_free(self, names, day, start, end):
        return all(end <= taken[0] or start >= taken[1] for name in names for taken in self.taken.get((name, day), []))

    def event(self, id_, data, day, start, end):
        """Times in minutes of the day. False: somebody or the room is taken."""
        names = ([data["room"]] if data["room"] else []) + data["people"]
        if not self.is_free(names, day, start, end):
            return False
        for name in names:
            self.taken.setdefault((name, day), []).append((start, end))
        data.update({"start": f"{day}T{start // 60:02}:{start % 60:02}", "end": f"{day}T{end // 60:02}:{end % 60:02}",
                     "tz": "Europe/Madrid", "status": "confirmed", "private": False})
        self.write("events", id_, data["organizer"], data, min(day, self.monday) - datetime.timedelta(days=14))
        return True

    def events(self):
        # The team meets every Monday at nine, in the same room; the generator keeps those hours free.
        first = self.monday - datetime.timedelta(days=28)
        for week in range(0, 14):
            day = first + datetime.timedelta(days=7 * week)
            for name in ["room-sol"] + PEOPLE:
                self.taken.setdefault((name, day), []).append((540, 600))
        self.write("events", "team-meeting", "marta", {
            "title": "Team meeting", "room": "room-sol", "people": PEOPLE, "organizer": "marta", "start": f"{first}T09:00",
            "end": f"{first}T10:00", "tz": "Europe/Madrid", "rrule": "FREQ=WEEKLY;BYDAY=MO", "status": "confirmed", "private": False,
            "description": "What happened, what is next, who needs help.\n"}, first - datetime.timedelta(days=30))
        number = 0
        wanted = self.count(900)
        for _ in range(wanted * 20):
            if number == wanted:
                break
            day = self.day(-28, 55)
            if day.weekday() > 4:
                continue
            organizer = self.random.choice(SALES + ["marta", "noor"])
            others = [name for name in PEOPLE if name != organizer]
            people = sorted([organizer] + self.random.sample(others, self.random.choice([0, 0, 1, 1, 2])))
            room = self.random.choice([None, None] + [room for room, _, _ in ROOMS])
            start = self.random.randint(9 * 2, 18 * 2) * 30
            data = {"title": self.random.choice(TALK), "room": room, "people": people, "organizer": organizer,
                    "customer": f"customers/{self.random.choice(self.customer_ids)}", "description": ""}
            number += self.event(f"e-{number + 1:04}", data, day, start, start + self.random.choice([30, 30, 60, 60, 90]))

    def all(self):
        self.resources()
        self.customers()
        self.leads()
        self.deals()
        self.papers()
        self.projects()
        self.events()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=7838)
    parser.add_argument("--monday", type=datetime.date.fromisoformat, default=datetime.date(2026, 11, 23))
    parser.add_argument("--scale", type=float, default=1.0)
    options = parser.parse_args()
    monday = options.monday - datetime.timedelta(days=options.monday.weekday())
    Company(options.seed, monday, options.scale).all()


if __name__ == "__main__":
    main()
