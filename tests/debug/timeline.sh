#!/bin/sh
# timeline.sh: weft-timeline draws a real trace as well-formed SVG and HTML, and names what is wrong with a bad one.
# Usage: timeline.sh WEFT-TIMELINE EXAMPLE
set -u
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
bad=0
fail() { echo "failed: $1"; bad=1; }

WEFT_TRACE=$T/trace.json "$2" >/dev/null || fail 'the example'
"$1" "$T/trace.json" -o "$T/a.svg" --title '<&>' || fail 'draw'
python3 -c 'import sys, xml.dom.minidom as m
d = m.parse(sys.argv[1])
assert len(d.getElementsByTagName("rect")) + len(d.getElementsByTagName("path")) > 10
text = [t.firstChild.data for t in d.getElementsByTagName("text") if t.firstChild]
assert "<&>" in text and "main #1" in text and any(t.startswith("worker ") for t in text), text
assert any(t.startswith("Waited: ") for t in text), text' "$T/a.svg" || fail 'the SVG'
"$1" "$T/trace.json" >"$T/b.svg" || fail 'standard output'
[ "$(grep -c '<rect' "$T/a.svg")" = "$(grep -c '<rect' "$T/b.svg")" ] || fail 'the same picture on standard output'
"$1" "$T/trace.json" -o "$T/a.html" || fail 'a page'
grep -q '<h3>Waits</h3>' "$T/a.html" || fail 'the summary'
for text in '' '{' '[]' '{"traceEvents":[{}]}' '{"traceEvents":7}'; do
    printf %s "$text" >"$T/bad.json"
    out=$("$1" "$T/bad.json" 2>&1 >/dev/null) && fail "accepted: $text"
    case $out in *"bad.json: this is no trace of weft"*) ;; *) fail "message for '$text': $out" ;; esac
done
out=$("$1" "$T/nothing" 2>&1) && fail 'a file that is not there'
[ "$out" = "weft-timeline: $T/nothing: No such file or directory" ] || fail "message: $out"
printf '{"traceEvents":[]}' >"$T/empty.json"
"$1" "$T/empty.json" >"$T/empty.svg" || fail 'an empty trace'
[ $bad -eq 0 ] && echo "weft-timeline: all passed"
exit $bad
