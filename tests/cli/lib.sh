# lib.sh: the head of the program's shell tests: the program in $W, an empty folder as the current one, is() and until_().
# Usage: . lib.sh, with the program as $1; at the end: finish.
set -u
W=$(realpath "$1") || exit 1
T=$(mktemp -d) || exit 1
trap 'rm -rf "$T"' EXIT
cd "$T" || exit 1
bad=0 good=0

# is NAME WANTED GOT
is() {
    if [ "$2" = "$3" ]; then
        good=$((good + 1))
    else
        bad=$((bad + 1))
        printf 'FAILED %s\n wanted: %s\n got:    %s\n' "$1" "$2" "$3"
    fi
}

# until_ CONDITION: at most 10 s
until_() {
    n=0
    while ! eval "$1"; do
        n=$((n + 1))
        [ $n -lt 1000 ] || return 1
        sleep 0.01
    done
}

finish() {
    printf '%d passed, %d failed\n' $good $bad
    [ $bad -eq 0 ]
}
