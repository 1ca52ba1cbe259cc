#!/bin/sh
# check.sh: run a program and compare its lines, in any order, with those expected. A last line `#time MIN MAX` in the
# expectation bounds the run in milliseconds. Usage: check.sh EXPECTED COMMAND...
expected=$1
shift
start=$(date +%s%N)
out=$("$@") || { echo "exit $?"; exit 1; }
out=$(printf "%s\n" "$out" | sed "s/^Worker [0-9]* /Worker N /") # which worker takes which job is chance
took=$((($(date +%s%N) - start) / 1000000))
if [ "$(printf '%s\n' "$out" | sort)" != "$(grep -v '^#time' "$expected" | sort)" ]; then
    echo "the output differs from $expected:"
    printf '%s\n' "$out"
    exit 1
fi
set -- $(sed -n 's/^#time//p' "$expected")
if [ $# -eq 2 ] && { [ "$took" -lt "$1" ] || [ "$took" -gt "$2" ]; }; then
    echo "took $took ms, not $1 to $2"
    exit 1
fi
