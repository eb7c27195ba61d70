#!/usr/bin/env python3
"""examples/documents: its README, block by block, against `make run example=documents`."""
from harness import main, test
from walkthrough import follow


@test
def ana_and_ben_go_through_every_way_a_conflict_can_end(folder):
    follow(folder, "documents", 20)


main()
