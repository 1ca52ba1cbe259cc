// Package bench is what every Go peer shares: the same arguments, rounds, checks and JSON line as bench/measure.h.
package bench

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Row is one program. Round returns the total of one round in the row's unit (ns or bytes).
type Row struct {
	Name, Unit string
	Ops        uint64
	Rounds     int
	Round      func(ops uint64) int64
}

var begin = time.Now()
var noteNames []string
var noteValues = map[string]float64{}

// Now is the monotonic clock in ns.
func Now() int64 { return int64(time.Since(begin)) }

// Note adds a second figure, printed beside the number; the last value counts.
func Note(name string, value float64) {
	if _, known := noteValues[name]; !known {
		noteNames = append(noteNames, name)
	}
	noteValues[name] = value
}

// Check ends the program when a result is wrong: a wrong answer has no time.
func Check(what string, got, want uint64) {
	if got != want {
		fmt.Fprintf(os.Stderr, "%s: got %d, want %d\n", what, got, want)
		os.Exit(1)
	}
}

// StatusKiB is a line of /proc/self/status, such as "VmRSS:".
func StatusKiB(field string) int64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return -1
	}
	for _, line := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(line, field) {
			n, _ := strconv.ParseInt(strings.Fields(line)[1], 10, 64)
			return n
		}
	}
	return -1
}

func cpu() int64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		os.Exit(1)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// Args reads --ops and --rounds into the row.
func Args(r *Row) {
	flag.Uint64Var(&r.Ops, "ops", r.Ops, "operations of one round")
	flag.IntVar(&r.Rounds, "rounds", r.Rounds, "rounds after the first")
	flag.Parse()
}

// Main measures the row: the first round apart, then the others.
func Main(r Row) {
	if !flag.Parsed() {
		Args(&r)
	}
	ops := float64(r.Ops)
	first := r.Round(r.Ops)
	used := cpu()
	steady := make([]string, r.Rounds)
	for i := range steady {
		steady[i] = fmt.Sprintf("%.3f", float64(r.Round(r.Ops))/ops)
	}
	used = cpu() - used
	fmt.Printf("{\"row\":\"%s\",\"peer\":\"go\",\"workers\":%d,\"unit\":\"%s\",\"ops\":%d,\"first\":%.3f,\"steady\":[%s],"+
		"\"cpu_ns\":%.3f,\"peak_rss_kib\":%d", r.Name, runtime.GOMAXPROCS(0), r.Unit, r.Ops, float64(first)/ops,
		strings.Join(steady, ","), float64(used)/ops/float64(r.Rounds), StatusKiB("VmHWM:"))
	for _, name := range noteNames {
		fmt.Printf(",\"%s\":%.3f", name, noteValues[name])
	}
	fmt.Println("}")
}
