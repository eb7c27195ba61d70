#!/bin/sh
# An agent in shell: makes a plan of what it is asked for. Run it with
#
#     stet agent planner --lane agents -- ./planner.sh
#
# The input is on standard input; lines of JSON on standard output are progress, and in the end what is left behind. The
# result and the record are stored together with the operation's completion, or not at all.
set -eu

asked=$(tr '\n' ' ')
for step in 1 2 3; do
    echo "{\"percent\": $((step * 30)), \"message\": \"step $step of 3\"}"
    sleep "${PLANNER_PAUSE:-1}"
done

cat <<END
{"result": {"plan": "plans/$STET_OPERATION"}, "mutations": [{"op": "create", "type": "plans", "id": "$STET_OPERATION", "data": {"asked": $asked, "steps": ["look", "think", "do"]}}]}
END
