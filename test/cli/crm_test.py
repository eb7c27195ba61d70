#!/usr/bin/env python3
"""examples/crm: its README, block by block, against `make run example=crm`."""
from harness import main, test
from walkthrough import follow


@test
def five_people_share_a_crm(folder):
    follow(folder, "crm", 11)


main()
