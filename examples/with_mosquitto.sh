#!/bin/sh
# with_mosquitto.sh: run a program beside an MQTT broker of its own, on a free port that it finds in MQTT_PORT.
# Usage: with_mosquitto.sh BROKER PROGRAM [ARGUMENT...]
set -u
broker=$1
shift
dir=$(mktemp -d) || exit 1
pid=
trap '[ -z "$pid" ] || kill "$pid"; wait; rm -rf "$dir"' EXIT
try=0
while [ $try -lt 10 ]; do # a port that another has taken: the next one
    MQTT_PORT=$((20000 + ($$ * 7 + try * 131) % 20000))
    "$broker" -p "$MQTT_PORT" >"$dir/log" 2>&1 &
    pid=$!
    waits=0
    while kill -0 "$pid" 2>/dev/null && [ $waits -lt 100 ]; do
        grep -q running "$dir/log" && break 2
        sleep 0.1
        waits=$((waits + 1))
    done
    try=$((try + 1))
done
grep -q running "$dir/log" || { cat "$dir/log"; exit 1; }
export MQTT_PORT
"$@"
