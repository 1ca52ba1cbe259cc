#!/bin/sh
# options.sh: `weft run`: results, JSON, tags, the terminal, stopped jobs, slots, machine load. Usage: options.sh PROGRAM
. "$(dirname "$0")/lib.sh"
tab=$(printf '\t') esc=$(printf '\033')

# ---- tags ----
is '--tagstring' "<1:x>${tab}a
<1:x>${tab}b
<2:y>${tab}a
<2:y>${tab}b" "$("$W" run -k --tagstring '<{#}:{/}>' --shell 'echo a; echo b' ::: d/x d/y)"
is '--tagstring without placeholder' "T${tab}x" "$("$W" run --tagstring T echo ::: x)"
is '--tagstring, a value that is not there' '1 0' "$("$W" run --tagstring '{2}' echo ::: x >o 2>/dev/null; echo "$? $(wc -c <o | tr -d ' ')")"
is '--tag masks control characters' "a\\x1B[1m\\x0Ab${tab}hi" "$(printf 'a\033[1m\nb\0' | "$W" run -0 --tag --shell 'echo hi')"

# ---- JSON ----
is '--json' '{"seq":1,"value":"a","command":"echo a","slot":1,"tries":1,T,"exit":0,"signal":0,"timeout":false,"stdout":"a\n","stderr":""}' \
    "$("$W" run --json echo ::: a | sed 's/"start".*"exit"/T,"exit"/')"
is '--json escapes' '"value":"a\"\\\n\u001b","stdout":"a\"\\\n\u001b"' \
    "$(printf 'a"\\\n\033\0' | "$W" run -0 --json printf %s | sed 's/.*\("value":.*\),"command.*\("stdout":.*\),"stderr.*/\1,\2/')"
is '--json, no UTF-8' '"value_base64":"//4=","stdout_base64":"//4=","stderr":""}' \
    "$(printf '\377\376\0' | "$W" run -0 --json printf %s | sed 's/.*\("value_base64":[^,]*\).*\("stdout_base64.*\)/\1,\2/')"
is '--json, much output' '300000' "$("$W" run --json --shell 'head -c 300000 /dev/zero | tr "\0" x' ::: 1 | sed 's/.*"stdout":"//; s/".*//' | tr -d '\n' | wc -c | tr -d ' ')"
is '--json, a job that fails' '"exit":-1,"signal":9,"timeout":false,"stdout":"o","stderr":"e"}' "$("$W" run --json --shell 'printf o; printf e >&2; kill -9 $$' ::: 1 | sed 's/.*"exit"/"exit"/')"
is '--json -q' 'false}' "$("$W" run --json -q echo ::: a | sed 's/.*://')"

# ---- results ----
is '--results' 'a echo a|b echo b|' "$("$W" run -q --results r --shell 'echo {}; echo e >&2' ::: 'a' 'b'; for n in 1 2; do printf '%s echo %s|' "$(cat r/$n/stdout)" "$(sed 's/echo //; s/;.*//' r/$n/command)"; done)"
is '--results, stderr' e "$(cat r/2/stderr)"
is '--results, existing' 125 "$("$W" run --results r echo ::: a >/dev/null 2>&1; echo $?)"
is '--results --force' 'z z' "$("$W" run --results r --force echo ::: z) $(cat r/1/stdout)"
is '--results with --lb' 'x x' "$("$W" run --results r2 --lb echo ::: x) $(cat r2/1/stdout)"
ln -s /etc r3
rm -r r/1/stdout
ln -s "$T/victim" r/1/stdout
is '--results follows no link' '125 no' "$("$W" run --results r --force echo ::: a >/dev/null 2>&1; echo "$? $([ -e victim ] && echo yes || echo no)")"
is '--results, names are numbers' '1 2' "$("$W" run -q --results r4 echo ::: ../../x /etc/y; ls r4 | tr '\n' ' ' | sed 's/ $//')"

# ---- messages ----
is 'messages mask control characters' 0 "$(printf 'a\033[31mb\rc\n' | "$W" run -v true 2>&1 | tr -d '\n' | grep -c "$esc")"
is 'messages are one line' 1 "$("$W" run -C, echo {2} ::: 'a
b' 2>&1 | wc -l | tr -d ' ')"
is 'messages are short' yes "$(head -c 1000000 /dev/zero | tr '\0' x | "$W" run echo 2>err; [ "$(wc -c <err)" -lt 400 ] && echo yes)"
is '-v' 'true a' "$("$W" run -v true ::: a 2>&1)"
is '-q' '' "$("$W" run -q --shell 'echo o; echo e >&2' ::: a 2>&1)"
is 'an unknown option is named' 1 "$("$W" run --frobnicate true 2>&1 | grep -c -- '--frobnicate')"
is 'two lists' 125 "$("$W" run echo ::: a ::: b 2>/dev/null; echo $?)"
is '-a and a list' 125 "$("$W" run -a r4 echo ::: a 2>/dev/null; echo $?)"

for command in '--help' 'run --help' '--version'; do
    is "$command to a full disk" '125 1' "$("$W" $command >/dev/full 2>err; echo "$? $(grep -c 'standard output: No space' err)")"
    is "$command" 0 "$("$W" $command >/dev/null; echo $?)"
done
is 'a wrong verb masks control characters' '125 weft: \x1B[31mx is no verb; see weft --help' "$("$W" "${esc}[31mx" 2>err; echo "$? $(cat err)")"
is 'a long verb is cut' yes "$("$W" "$(head -c 100000 /dev/zero | tr '\0' x)" 2>err; [ "$(wc -c <err)" -lt 400 ] && echo yes)"
is 'a --window that memory has no room for is named' '125 1' "$("$W" run -k --window 4000000000 true ::: 1 2>err; echo "$? $(grep -c -- '--window 4000000000: ' err)")"

# ---- jobs that cannot be made ----
is 'an unmade job is logged and counted' '1 2 125' "$("$W" run -j1 --joblog u -C, echo {2} ::: a,b c d,e >/dev/null 2>&1; echo "$? $(awk -F'\t' '$7 == 125 { print $1, $7 }' u)")"
is 'an unmade job is skipped by --resume' '0 4' "$("$W" run -j1 --joblog u --resume -C, echo {2} ::: a,b c d,e >/dev/null 2>&1; echo "$? $(wc -l <u | tr -d ' ')")"
is 'an unmade job counts for --halt' '125 b' "$("$W" run -j1 --halt now,fail=1 -C, echo {2} ::: a,b c d,e 2>/dev/null >o; echo "$? $(cat o)")"
is 'an unmade job keeps its turn' 'b
e' "$("$W" run -k -j1 -C, echo {2} ::: a,b c d,e 2>/dev/null)"
is '-C with --resume is compared before any job starts' '125 0' "$("$W" run --joblog c -C, echo {2} ::: a,b c,d >/dev/null; "$W" run --joblog c --resume -C, echo {2} ::: n,m c,x >o 2>/dev/null; echo "$? $(wc -c <o | tr -d ' ')")"

# ---- exit codes of xargs ----
for row in '1 123' '255 124'; do
    is "--exit xargs, ${row% *}" "${row#* } 1" "$("$W" run -j1 --exit xargs --joblog x --shell "exit ${row% *}" ::: 1 2>/dev/null; echo "$? $(sed 1d x | wc -l | tr -d ' ')"; rm -f x)"
done
is '--exit xargs, 255 starts nothing more' '124 2' "$(seq 5 | "$W" run -j1 --exit xargs --joblog x --shell 'exit $((253 + {}))' 2>/dev/null; echo "$? $(sed 1d x | wc -l | tr -d ' ')")"
is '--exit xargs, a signal' 125 "$("$W" run -j1 --exit xargs --shell 'kill -9 $$' ::: 1 2 2>/dev/null; echo $?)"
is '--exit xargs, missing' 127 "$("$W" run --exit xargs nosuch ::: 1 2>/dev/null; echo $?)"
is 'missing: said once, nothing else started' '127 1' "$(seq 9 | "$W" run -j4 nosuch 2>err; echo "$? $(wc -l <err | tr -d ' ')")"
is 'missing, but not the first: goes on' '1 2' "$("$W" run -j2 --joblog m {} ::: true nosuch true 2>/dev/null; echo "$? $(awk -F'\t' '$7 == 0' m | wc -l | tr -d ' ')")"

# ---- bar ----
is '--bar, no terminal: the summary only' 1 "$(seq 3 | "$W" run --bar true 2>&1 | wc -l | tr -d ' ')"
is '--bar=always' 1 "$(seq 3 | "$W" run --bar=always true 2>&1 | grep -c '3 of 3 jobs')"
is '--bar, no input' 1 "$("$W" run --bar=always true </dev/null 2>&1 | grep -c '0 of 0 jobs')"
is '--bar, the total is not known before the end' yes "$( (echo 1; sleep 1.3; echo 2) | "$W" run --eta --bar=always true 2>&1 | grep -q '1 of ? jobs.*? s left' && echo yes)"

# ---- load ----
is '--load, --mem-free: there is room' ok "$("$W" run --load 100000 --mem-free 1K echo ::: ok)"
is '--mem-free: there is none' 124 "$("$W" run --deadline 0.3 --mem-free 1000000G echo ::: never 2>/dev/null; echo $?)"

# ---- closed descriptors ----
is 'closed stdout' '125 1 0' "$("$W" run --joblog cl echo ::: hi >&- 2>err; echo "$? $(wc -l <err | tr -d ' ') $(grep -c '^hi' cl)")"
is 'closed stdin' 125 "$("$W" run echo <&- 2>/dev/null; echo $?)"
is 'closed stderr' '0 x' "$("$W" run echo ::: x 2>&- >o; echo "$? $(cat o)")"

is 'an ignored SIGCHLD' '2 3' "$(env --ignore-signal=CHLD "$W" run --joblog ch --shell 'exit 3' ::: 1 2; echo "$? $(tail -1 ch | cut -f7)")"
is '--dry-run writes no log' no "$("$W" run --dry-run --joblog dry true ::: 1 >/dev/null; [ -e dry ] && echo yes || echo no)"

"$W" run --joblog old true ::: 1 2
printf '3\t:\ttorn' >>old
cp old kept
is '--dry-run --resume makes no log' 'true 1 no' "$("$W" run --dry-run --resume --joblog dry true ::: 1 | tr '\n' ' '; [ -e dry ] && echo yes || echo no)"
is '--dry-run --resume changes no log' 'true 3 same' "$("$W" run --dry-run --resume --joblog old true ::: 1 2 3 | tr '\n' ' '; cmp -s old kept && echo same)"

# ---- limits of the machine ----
is 'few descriptors' '0 200 0' "$( (ulimit -n 40; seq 200 | "$W" run -j100 --shell 'sleep 0.01; echo {}' >o 2>err); echo "$? $(wc -l <o | tr -d ' ') $(wc -l <err | tr -d ' ')")"
is '-j0' '0 200' "$( (ulimit -n 64; seq 200 | "$W" run -j0 echo >o); echo "$? $(wc -l <o | tr -d ' ')")"
is 'a word that exec does not take' '1 small' "$( (head -c 20000000 /dev/zero | tr '\0' x; echo; echo small) | "$W" run echo 2>/dev/null >o; echo "$? $(cat o)")"
is 'many words: WEFT_ARG gives way' '0 588895' "$(seq 100000 | "$W" run -n 100000 echo >o; echo "$? $(wc -c <o | tr -d ' ')")"
is '--lb, a long line is not cut' '2 400002' "$("$W" run -j2 --lb --shell 'head -c 200000 /dev/zero | tr "\0" {}; echo' ::: a b >o; echo "$(grep -cE '^(a{1,}|b{1,})$' o) $(wc -c <o | tr -d ' ')")"
mkdir small
if mount -t tmpfs -o size=64k none small 2>/dev/null; then
    is 'full TMPDIR' '125 1' "$(TMPDIR=$T/small "$W" run --shell 'head -c 300000 /dev/zero' ::: 1 2>err >/dev/null; echo "$? $(grep -c 'TMPDIR' err)")"
    is 'full --joblog' '125 1' "$(seq 2000 | "$W" run --joblog small/log true 2>err; echo "$? $(wc -l <err | tr -d ' ')")"
    rm small/log
    is 'full --results' 125 "$("$W" run -q --results small/r --shell 'head -c 100000 /dev/zero' ::: 1 2>/dev/null; echo $?)"
    umount small
fi

# ---- memory is flat ----
rss() { # rss N [options]: KiB at the most, N jobs
    jobs=$1
    shift
    seq "$jobs" | "$W" run "$@" true >/dev/null &
    pid=$! peak=0
    while now=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' /proc/$pid/status 2>/dev/null) && [ -n "$now" ]; do
        peak=$now
        sleep 0.02
    done
    echo "$peak"
}
if ! grep -q __asan_init "$W"; then # ASan keeps freed memory
    is 'memory is flat, a million' yes "$(a=$(rss 10000 --dry-run) b=$(rss 1000000 --dry-run); [ $((b - a)) -lt 4096 ] && echo yes || echo "$a $b")"
    is 'memory is flat, jobs that run' yes "$(a=$(rss 200) b=$(rss 4000); [ $((b - a)) -lt 4096 ] && echo yes || echo "$a $b")"
fi

# ---- the terminal ----
is '-o without a terminal' 125 "$(setsid "$W" run -o true ::: 1 </dev/null 2>/dev/null; echo $?)"
if command -v script >/dev/null; then
    tty() { timeout 20 script -qec "$1" /dev/null | tr -d '\r'; } # what is typed comes on standard input
    is '-o: jobs read the terminal, one by one' 'got one 1
got two 2' "$( (printf 'one\n'; until_ '[ -e first ]'; printf 'two\n'; until_ '[ -e second ]') | tty "$W run -o --shell 'read x; echo got \$x {}; [ -e first ] && touch second; touch first' ::: 1 2" | grep got)"
    # the job says so itself once the terminal listens to it: field 8 of its stat
    mine='until [ "$(cut -d" " -f8 /proc/$$/stat)" = $$ ]; do sleep 0.01; done'
    export mine
    is '-o: Ctrl-C ends the job and the run' '130
no' "$(rm -f begun; (until_ '[ -e begun ]'; printf '\003'; until_ '[ -s code ]') | tty "$W run -o --shell 'eval \"\$mine\"; touch begun; sleep 60; touch late' ::: 1 2; echo \$? >code" >/dev/null; cat code; [ -e late ] && echo yes || echo no)"
    rm -f code begun
    stopped() { [ "$(cut -d' ' -f3 "/proc/$(cat begun)/stat" 2>/dev/null)" = "$1" ]; }
    is '-o: Ctrl-Z stops weft with the job, CONT gives it the terminal again' 'got line 0' "$( (until_ '[ -s begun ]'; printf '\032'; until_ 'stopped T'; kill -CONT "$(cat begun)"; printf 'line\n'; until_ '[ -s code ]') |
        tty "$W run -o --shell 'eval \"\$mine\"; echo \$PPID >begun; read x; echo got \$x >got' ::: 1; echo \$? >code" >/dev/null; echo "$(cat got) $(cat code)")"
    rm -f code
    is 'without -o, a job that wants the terminal is named' 1 "$(tty "$W run --deadline 5 --kill-after 0.1 --shell 'read x </dev/tty' ::: 1" </dev/null | grep -c 'SIGTTIN.*-o')"
fi

finish
