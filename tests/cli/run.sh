#!/bin/sh
# run.sh: `weft run` end to end: input, quoting, order, exit codes, retries, halt, log. Usage: run.sh PROGRAM
. "$(dirname "$0")/lib.sh"

start=$(date +%s%N)
out=$(seq 5 | "$W" run -j3 --shell 'sleep 1; echo $(({} * 2))' | sort -n | tr '\n' ' ')
took=$((($(date +%s%N) - start) / 1000000))
is 'the example' '2 4 6 8 10 ' "$out"
is 'the example takes about 2 s' yes "$([ $took -ge 1950 ] && [ $took -lt 4000 ] && echo yes || echo "$took ms")"
is 'in order with -k' '2 4 6 8 10 ' "$(seq 5 | "$W" run -k -j3 --shell 'sleep 0.$((6 - {})); echo $(({} * 2))' | tr '\n' ' ')"

# hostile names go through whole and are never run
hostile() { printf '%s\0' 'a b' "it's" '"q"' '$(touch pwned)' '`touch pwned`' '; touch pwned' '-n' '--help' '*' '~' '' 'x
y' '\' '{}' 'a=b'; }
wanted=$(hostile | xargs -0 -n1 printf '<%s>')
is 'hostile, argv' "$wanted" "$(hostile | "$W" run -0k -- printf '<%s>' {})"
is 'hostile, appended' "$wanted" "$(hostile | "$W" run -0k -- printf '<%s>')"
is 'hostile, shell' "$wanted" "$(hostile | "$W" run -0k --shell "printf '<%s>' {}")"
is 'hostile, $1' "$wanted" "$(hostile | "$W" run -0k --shell "printf '<%s>' \"\$1\"")"
is 'hostile, dry run runs nothing' no "$(hostile | "$W" run -0 --dry-run echo >/dev/null; [ -e pwned ] && echo yes || echo no)"
is 'dry run can be pasted' "$(hostile | xargs -0 -n1 printf '<%s>\n')" "$(hostile | "$W" run -0 --dry-run -- printf '<%s>\n' | sh)"
is 'arithmetic takes numbers only' '3 1' "$(printf '%s\n' 2 'a[$(touch pwned)]' | "$W" run -k --shell 'echo $(({} + 1))' 2>/dev/null | tr -d '\n'; echo " $([ -e pwned ] && echo pwned || echo 1)")"
printed='cat v n s | tr "\n" " "'
is 'a number before a redirection is an argument' '5 1 1 ' "$("$W" run --shell "echo {}>v; echo {#}>n; echo {%}>s; $printed" ::: 5)"
is 'the same where a backslash joins the lines' '6 1 1 ' "$("$W" run --shell "echo {}\\
>v; echo {#}\\
>n; echo {%}\\
>s; $printed" ::: 6)"
is 'a number before > and < in $(( ))' '1 0 1' "$("$W" run --shell 'echo $(({}>2)) $(({#}>2)) $(({%}<<0))' ::: 5)"
for text in 'echo "{}"' "echo '{}'" 'echo `{}`' 'echo ${x:-{}}' 'echo x # {}' 'echo \{}' 'cat <<E
{}
E' 'echo "$(echo {})"'; do
    is "refused: $text" 125 "$("$W" run --shell "$text" ::: x >/dev/null 2>&1; echo $?)"
done

is placeholders 'd/a.b.c d/a.b a.b.c d a.b 1 1' "$("$W" run -j1 echo {} {.} {/} {//} {/.} {#} {%} ::: d/a.b.c)"
is 'no slash, no dot' 'x x x . x {}' "$("$W" run echo {} {.} {/} {//} {/.} {{}} ::: x)"
is 'inside a word' 'x-a b-y' "$("$W" run echo x-{}-y ::: 'a b')"
is '-n' '1 2 3|4 5|' "$(seq 5 | "$W" run -k -n3 echo | tr '\n' '|')"
is '-n with {2}' '2 1' "$("$W" run -n2 echo {2} {1} ::: 1 2)"
is '-n in a longer word' 125 "$("$W" run -n2 echo a{} ::: 1 2 2>/dev/null; echo $?)"
is '-C' 'b a a,b' "$("$W" run -C , echo {2} {1} {} ::: a,b)"
is '-I' 'a {}' "$("$W" run -I @ echo @ {} ::: a)"
is '-d' 'a|b|' "$(printf 'a:b' | "$W" run -k -d : echo | tr '\n' '|')"
printf '1\n\n2' >list
is '-a, empty lines, no last newline' '1|2|' "$("$W" run -k -a list echo | tr '\n' '|')"
is 'a NUL in a line' 125 "$(printf 'a\0b\n' | "$W" run echo 2>/dev/null; echo $?)"
is 'no input' 0 "$("$W" run false </dev/null; echo $?)"
is 'missing file' 125 "$("$W" run -a nowhere echo 2>/dev/null; echo $?)"
is 'input is lazy' 1 "$( (echo 1; sleep 5) | timeout 3 "$W" run --halt now,done=1 echo)"

is 'environment' '1 1 1 a' "$("$W" run --shell 'echo $WEFT_SEQ $WEFT_SLOT $WEFT_TRY $WEFT_ARG' ::: a)"
is 'stdin of jobs' '' "$(echo x | "$W" run cat /dev/stdin ::: a 2>/dev/null | cat)"
is '--tag' 'a	hi
b	hi' "$("$W" run -k --tag --shell 'echo hi' ::: a b)"
is '--line-buffer' '1
2' "$("$W" run --line-buffer --shell 'echo 1; echo 2' ::: a)"
is '-u' 'x' "$("$W" run -u echo ::: x)"
is 'stderr stays apart' 'e' "$("$W" run --shell 'echo o; echo e >&2' ::: a 2>&1 >/dev/null)"
is 'big output is whole' '4 200000' "$("$W" run -j4 --shell 'i={}; yes "$i" | head -50000' ::: 1 2 3 4 | tee big | uniq | wc -l) $(wc -l <big)"

is 'exit: failures are counted' 3 "$(seq 5 | "$W" run --shell '[ {} -gt 3 ]'; echo $?)"
is 'exit: 100' 100 "$(seq 100 | "$W" run false; echo $?)"
is 'exit: more' 101 "$(seq 150 | "$W" run false; echo $?)"
is 'exit: xargs' 123 "$(seq 150 | "$W" run --exit xargs false; echo $?)"
is 'exit: missing' 127 "$(seq 5 | "$W" run ./nosuch 2>/dev/null; echo $?)"
is 'exit: forbidden' 126 "$(seq 5 | "$W" run ./list 2>/dev/null; echo $?)"
ln -s loop loop
for command in ./list/x ./loop ./loop/x; do
    is "exit: $command, said once" '126 1' "$(seq 5 | "$W" run --joblog none $command 2>err; echo "$? $(wc -l <err | tr -d ' ')")"
done
is 'exit: an empty command is named' '127 1' "$("$W" run '' ::: a 2>err; echo "$? $(grep -c 'an empty command: ' err)")"
is 'a command that is not there leaves no line' '127 0' "$("$W" run --joblog latelog ./later ::: a b 2>/dev/null; echo "$? $(sed 1d latelog | wc -l | tr -d ' ')")"
printf '#!/bin/sh\necho "$1"\n' >later
chmod +x later
is 'and is run, once it is there' '0 a b' "$("$W" run -k --joblog latelog --resume ./later ::: a b >o; echo "$? $(tr '\n' ' ' <o | sed 's/ $//')")"
is 'a line of shell gets a hint' 1 "$("$W" run 'echo hi there' ::: 1 2>&1 | grep -c -- --shell)"
is 'exit: usage' 125 "$("$W" run --nosuch 2>/dev/null; echo $?)"
is 'exit: full disk' 125 "$(seq 5 | "$W" run echo >/dev/full 2>/dev/null; echo $?)"
is 'exit: closed pipe, silent' '141 ' "$( (seq 100000 | "$W" run echo; echo $? >code) 2>err | head -1 >/dev/null; cat code | tr '\n' ' '; cat err)"
is 'full TMPDIR' 125 "$(TMPDIR=/proc "$W" run --shell 'head -c 100000 /dev/zero' ::: 1 2>/dev/null >/dev/null; echo $?)"

is '--retries' 'try 3 1' "$("$W" run --retries 2 --shell 'echo try $WEFT_TRY; false' ::: a) $("$W" run --retries 2 false ::: a; echo $?)"
is '--retries stops when it went well' 'try 2' "$("$W" run --retries 5 --shell 'echo try $WEFT_TRY; [ $WEFT_TRY = 2 ]' ::: a)"
is '--halt now,fail=1' '9 2' "$(seq 100 | "$W" run -j1 --halt now,fail=1 --shell '[ {} != 3 ] || exit 9; echo {}' >o; echo "$? $(wc -l <o)")"
is '--halt now,success=1' 0 "$("$W" run -j1 --halt now,success=1 --shell 'exit {}' ::: 1 0 1; echo $?)"
is '--halt soon,fail=1' 1 "$(seq 9 | "$W" run -j1 --halt soon,fail=1 false; echo $?)"
is '--halt 50%' 3 "$(seq 9 | "$W" run -j1 --halt soon,fail=50% false; echo $?)"
is '--timeout' '1 124' "$("$W" run --timeout 0.2 --kill-after 0.2 --joblog tl --shell 'trap "" TERM; (sleep 50 & sleep 50); sleep 50' ::: 1 2>/dev/null; echo "$? $(tail -1 tl | cut -f7)")"
is '--deadline' 124 "$("$W" run --deadline 0.2 sleep ::: 50 2>/dev/null; echo $?)"
start=$(date +%s%N)
seq 5 | "$W" run -j9 --rate 20/s true
took=$((($(date +%s%N) - start) / 1000000))
is '--rate' yes "$([ $took -ge 195 ] && echo yes || echo "$took ms")"

seq 5 | "$W" run --joblog log --shell '[ {} != 3 ]'
is '--joblog' '6 1' "$(wc -l <log | tr -d ' ') $(cut -f7 log | grep -c '^1$')"
is '--resume' '0 0 6' "$(seq 5 | "$W" run --joblog log --resume --shell '[ {} != 3 ]' >o; echo "$? $(wc -c <o | tr -d ' ') $(wc -l <log | tr -d ' ')")"
is '--resume-failed' '1 7' "$(seq 5 | "$W" run --joblog log --resume-failed --shell '[ {} != 3 ]'; echo "$? $(wc -l <log | tr -d ' ')")"
is '--resume, other input' 125 "$(seq 6 10 | "$W" run --joblog log --resume --shell '[ {} != 3 ]' 2>/dev/null; echo $?)"
is '--resume, a later row differs: nothing starts' '125 0' "$(printf '1\n2\nx\n' | "$W" run --joblog log --resume-failed --shell 'echo {}' >o 2>/dev/null; echo "$? $(wc -c <o | tr -d ' ')")"
is '--resume with -k' '3' "$(seq 5 | "$W" run -k --joblog kl --shell 'echo {}; [ {} != 3 ]' >/dev/null; seq 5 | "$W" run -k --joblog kl --resume-failed --shell 'echo {}; [ {} != 3 ]')"
printf '9\t:\tunfinish' >>log
is 'an unfinished line is cut' '0 7' "$(seq 5 | "$W" run --joblog log --resume --shell '[ {} != 3 ]'; echo "$? $(wc -l <log | tr -d ' ')")"
echo rubbish >>log
is 'a bad row is named' 1 "$(seq 5 | "$W" run --joblog log --resume true 2>&1 | grep -c 'row 8')"
printf precious >precious
is 'a file that is no job log is left alone' '125 1 precious' "$("$W" run --joblog precious true ::: 1 2>err; echo "$? $(grep -c 'is no job log.*name a new file' err) $(cat precious)")"
head -1 log >claim
printf '9000000000000000000\t:\t0\t0\t0\t0\t0\t0\ttrue 1\n' >>claim
is 'a row that claims jobs without end: nothing is read, nothing waits' '125 1' "$(yes | timeout 10 "$W" run --joblog claim --resume true 2>err; echo "$? $(grep -c 'row 2' err)")"
cat >gap <<'J'
#!/bin/sh
[ -e again ] && exit 0
[ "$1" -le 19 ] && exec sleep 60
[ "$1" = 40 ] && kill -KILL $PPID
exit 0
J
chmod +x gap
(seq 40 | "$W" run -j20 --joblog gaps ./gap; :) 2>/dev/null
touch again
is 'a killed run leaves gaps in the log; --resume fills them' '20 0 40' "$(sed 1d gaps | wc -l | tr -d ' ') $(seq 40 | "$W" run --joblog gaps --resume ./gap; echo $?) $(sed 1d gaps | cut -f1 | sort -n | uniq | wc -l | tr -d ' ')"
ln -s log link
is 'a symlink is not followed' 125 "$(seq 5 | "$W" run --joblog link true 2>/dev/null; echo $?)"
is 'many jobs, all there' 3000 "$(seq 3000 | "$W" run -k -j8 echo | sort -n | uniq | wc -l | tr -d ' ')"

finish
