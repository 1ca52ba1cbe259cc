#!/usr/bin/env python3
"""trace_check: is a trace sound? Usage: trace_check FILE [WHAT=COUNT...], WHAT: a name of events, COUNT how many at least;
"counter NAME" is one of that name, whatever its object.

Per thread and per task, slices of one kind do not overlap; a task runs on one thread at a time, and whenever a thread's slice says
that it runs a task, that task's own row says that it runs."""
import collections
import json
import sys

data = json.load(open(sys.argv[1], encoding="utf-8"))
rows = collections.defaultdict(list)
names = collections.Counter()
ns = lambda us: round(us * 1000)
for e in data["traceEvents"]:
    names[e["name"]] += 1
    if e["ph"] == "C":
        names["counter " + e["name"].split(" 0x")[0]] += 1
    if e["ph"] == "X":
        assert e["dur"] >= 0, e
        rows[e["pid"], e["tid"]].append((ns(e["ts"]), ns(e["ts"]) + ns(e["dur"]), e["name"], e["cat"], e["args"].get("task")))
named = {(e["pid"], e["tid"]) for e in data["traceEvents"] if e["name"] == "thread_name"}
for row, slices in rows.items():
    assert row in named, "row %s has no name" % (row,)
    slices.sort()
    for a, b in zip(slices, slices[1:]):
        assert a[1] <= b[0], "row %s: %s overlaps %s" % (row, a, b)
    if row[0] == 2:
        for a, b in zip(slices, slices[1:]):
            assert a[1] == b[0], "task %d: nothing is known between %s and %s" % (row[1], a, b)
runs = {tid: [s for s in slices if s[3] == "run"] for (pid, tid), slices in rows.items() if pid == 2}
if data["otherData"]["overwritten"] == 0:
    on_threads = collections.defaultdict(int)
    for (pid, tid), slices in rows.items():
        for s in slices if pid == 1 else []:
            if s[3] == "run":
                on_threads[s[4]] += s[1] - s[0]
    for task, spans in runs.items():
        own = sum(b - a for a, b, *_ in spans)
        assert own <= on_threads[task], "task %d ran %d ns, on threads %d ns" % (task, own, on_threads[task])
for wanted in sys.argv[2:]:
    what, count = wanted.rsplit("=", 1)
    assert names[what] >= int(count), "%s: %d of %s" % (what, names[what], count)
