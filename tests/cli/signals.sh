#!/bin/sh
# signals.sh: what signals do to `weft run`, and that nothing it started outlives it. Usage: signals.sh PROGRAM
set -u
W=$(realpath "$1") || exit 1
T=$(mktemp -d) || exit 1
trap 'rm -rf "$T"' EXIT
cd "$T" || exit 1
bad=0 good=0

is() {
    if [ "$2" = "$3" ]; then
        good=$((good + 1))
    else
        bad=$((bad + 1))
        printf 'FAILED %s\n wanted: %s\n got:    %s\n' "$1" "$2" "$3"
    fi
}

# until CONDITION: at most 10 s
until_() {
    n=0
    while ! eval "$1"; do
        n=$((n + 1))
        [ $n -lt 1000 ] || return 1
        sleep 0.01
    done
}

# Each job writes its pid and its child's to pids/, then waits.
cat >job <<'J'
#!/bin/sh
sleep 100 &
echo $! >"pids/$1.child"
echo $$ >"pids/$1"
wait
echo "end $1"
J
chmod +x job

begin() { # begin [options]: starts weft with two jobs running; its pid is in $weft
    rm -rf pids
    mkdir pids
    # a background process of a script ignores INT; weft would rightly keep that, so give it the default back
    (seq 9 | exec env --default-signal=INT,QUIT "$W" run -j2 "$@" ./job) >out 2>err &
    wait_for=$!
    until_ '[ -s pids/1 ] && [ -s pids/2 ]' || echo "the jobs did not start"
    weft=$(pgrep -P $wait_for -f "$W run" | head -1)
    [ -n "$weft" ] || weft=$wait_for
}
gone() { # no pid in pids/ lives, zombies aside
    for f in pids/*; do
        s=$(cut -d' ' -f3 "/proc/$(cat "$f")/stat" 2>/dev/null) || continue
        [ "$s" = Z ] || return 1
    done
}
release() { kill $(cat pids/*.child) 2>/dev/null; }

begin
kill -INT "$weft"
until_ 'grep -q "no more jobs" err'
release
wait $wait_for
is 'INT once: the running jobs end' '130 end 1 end 2' "$? $(sort out | tr '\n' ' ' | sed 's/ $//')"
is 'INT once: no more are started' 4 "$(ls pids | wc -l | tr -d ' ')"

begin
kill -INT "$weft"
until_ 'grep -q "no more jobs" err'
kill -INT "$weft"
wait $wait_for
is 'INT twice' 130 $?
is 'INT twice: nothing is left' yes "$(until_ gone && echo yes)"

begin
kill -TERM "$weft"
wait $wait_for
is 'TERM' 143 $?
is 'TERM: nothing is left' yes "$(until_ gone && echo yes)"

begin
kill -QUIT "$weft"
wait $wait_for
is 'QUIT' 131 $?
is 'QUIT: nothing is left' yes "$(until_ gone && echo yes)"

begin --kill-after 0.3
kill -KILL "$weft"
wait $wait_for
is 'KILL' 137 $?
is 'KILL: nothing is left' yes "$(until_ gone && echo yes)"

begin --joblog log
kill -TERM "$weft"
wait $wait_for
is 'killed jobs are in the log' '-1 15
-1 15' "$(sed 1d log | cut -f7,8 | tr '\t' ' ')"

is 'an ignored INT stays ignored' 0 "$( (trap '' INT; seq 2 | "$W" run --shell 'kill -INT $PPID; exit 0'); echo $?)"

printf '%d passed, %d failed\n' $good $bad
[ $bad -eq 0 ]
