#!/bin/sh
# signals.sh: what signals do to `weft run`, and that nothing it started outlives it. Usage: signals.sh PROGRAM
. "$(dirname "$0")/lib.sh"

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

# whoever starts weft may be the one who inherits its children: a first process of a container that waits for nobody but weft
is 'the guard is reaped' '0 none' "$(python3 -c 'import ctypes, os, subprocess, sys
ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER
code = subprocess.call([sys.argv[1], "run", "true", ":::", "1"])
try:
    os.waitpid(-1, 0)
    left = "left"
except ChildProcessError:
    left = "none"
print(code, left)' "$W")"

# ---- stopped jobs ----
"$W" run --shell 'echo $$ >stopped; kill -STOP $$; echo on' ::: 1 >out 2>err &
until_ 'grep -q SIGSTOP err' || echo "not named: $(cat err)"
sleep 1.2 # two looks more: it is named once
kill -CONT "$(cat stopped)"
wait $!
is 'a stopped job is named once, and goes on' '0 1 on' "$? $(wc -l <err | tr -d ' ') $(cat out)"

state() { cut -d' ' -f3 "/proc/$1/stat" 2>/dev/null; }
begin
leader=$(cat pids/1)
kill -TSTP "$weft"
until_ '[ "$(state $weft)" = T ] && [ "$(state $leader)" = T ]'
is 'TSTP stops weft and its jobs' 'T T' "$(state "$weft") $(state "$leader")"
kill -CONT "$weft"
is 'CONT lets both go on, and nothing is said' 'on 0' "$(until_ '[ "$(state $weft)" != T ] && [ "$(state $leader)" != T ]' && echo on) $(wc -c <err | tr -d ' ')"
kill -KILL "$weft"
wait $wait_for 2>/dev/null
is 'KILL while all is well again: nothing is left' yes "$(until_ gone && echo yes)"
begin --kill-after 0.3
kill -STOP $(cat pids/1) $(cat pids/2)
kill -KILL "$weft"
wait $wait_for 2>/dev/null
is 'KILL with stopped jobs: nothing is left' yes "$(until_ gone && echo yes)"

# ---- slots ----
begin
kill -USR1 "$weft"
until_ '[ -s pids/3 ]'
is 'USR1: one slot more' 3 "$(ls pids | grep -vc child)"
for i in 1 2; do
    kill -USR2 "$weft"
    sleep 0.2 # it is read: two that wait at once are one to the kernel
done
kill $(cat pids/1.child)
kill $(cat pids/2.child)
until_ '[ "$(wc -l <out)" = 2 ]'
sleep 0.3 # a wrong fourth job would start in this time
is 'USR2: fewer slots' 3 "$(ls pids | grep -vc child)"
kill $(cat pids/3.child)
until_ '[ -s pids/4 ]'
is 'USR2: never fewer than one' yes "$([ -s pids/4 ] && echo yes)"
kill -TERM "$weft"
wait $wait_for 2>/dev/null

# ---- whatever weft waits for, a signal ends it ----
ends() { # ends NAME SIGNAL WANTED: $! gets the signal once it listens to signals and has had time to wait for what it will
    until_ 'ls -l /proc/$!/fd 2>/dev/null | grep -q signalfd'
    sleep 0.2
    kill "-$2" $!
    begun=$(date +%s%N)
    wait $!
    code=$?
    took=$((($(date +%s%N) - begun) / 1000000))
    is "$1" "$3 yes" "$code $([ $took -lt 4000 ] && echo yes || echo "$took ms")"
}
default='env --default-signal=INT,QUIT'
mkfifo fifo full silent
$default "$W" run -a fifo echo &
ends 'INT while a fifo has no writer' INT 130
exec 7<>silent # a writer that writes nothing
$default "$W" run echo <silent &
ends 'INT while standard input is silent' INT 130
$default "$W" run --delay 60 true ::: 1 2 &
ends 'INT during --delay' INT 130
$default "$W" run --retries 3 --retry-delay 60 --joblog rl false ::: 1 &
ends 'INT between tries' INT 130
is 'INT between tries: the job has failed' 1 "$(tail -1 rl | cut -f7)"
$default "$W" run --joblog ll --shell 'sleep 61 & echo hi' ::: 1 >out &
ends 'TERM, and what a leader has left behind' TERM 143
is 'the leader went well, the rest is gone' '0 0' "$(tail -1 ll | cut -f7) $(pgrep -fc '^sleep 61$')"
"$W" run --kill-after 0.2 --shell 'setsid sleep 62 & echo hi' ::: 1 >out &
ends 'TERM, and one that left the group holds the pipe' TERM 143
pkill -f '^sleep 62$'
$default "$W" run --kill-after 8 --shell 'setsid sleep 62 & echo hi; trap : TERM; while :; do sleep 0.1; done' ::: 1 >out 2>err &
until_ 'ls -l /proc/$!/fd 2>/dev/null | grep -q signalfd'
until_ 'pgrep -f "^sleep 62$" >/dev/null'
kill -TERM $!
ends 'TERM, then QUIT: one second more, whatever --kill-after says' QUIT 143
pkill -f '^sleep 62$'
until_late() { # a deadline that passes while the run is being set up; 100 times, as it takes luck to hit the middle
    n=0 code=124
    while [ $n -lt 100 ] && [ $code = 124 ]; do
        n=$((n + 1))
        timeout -s KILL 10 "$W" run --kill-after 60 --deadline 0.000000001 true <silent 2>/dev/null
        code=$?
    done
    echo $code
}
is 'a deadline at the start, while standard input is silent' 124 "$(until_late)"
for sig in TERM QUIT; do
    sleep 6 <full &
    $default "$W" run --kill-after 0.2 --joblog bl --shell 'head -c 300000 /dev/zero' ::: 1 >full &
    ends "$sig while nobody reads the output" $sig $([ $sig = TERM ] && echo 143 || echo 131)
done
is 'the jobs are in the log all the same' 3 "$(wc -l <bl | tr -d ' ')"

# ---- timeouts ----
begun=$(date +%s%N)
"$W" run --timeout 0.2 --kill-after 0.2 --joblog tl --shell 'sleep 63 & echo hi' ::: 1 >out 2>err
is '--timeout ends what a leader has left behind' '1 124 0 hi' "$? $(tail -1 tl | cut -f7) $(pgrep -fc '^sleep 63$') $(cat out)"
"$W" run --timeout 0.2 --kill-after 0.2 --shell 'setsid sleep 64 & echo hi' ::: 1 >out 2>err
is '--timeout does not wait for one that left the group' '1 hi' "$? $(cat out)"
pkill -f '^sleep 64$'
took=$((($(date +%s%N) - begun) / 1000000))
is '--timeout is in time' yes "$([ $took -lt 6000 ] && echo yes || echo "$took ms")"

finish
