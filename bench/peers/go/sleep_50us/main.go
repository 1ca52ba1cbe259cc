// How long a sleep of 50 us lasts: the median. As bench/sleep_50us.c.
package main

import (
	"sort"
	"time"

	"peers/bench"
)

func sleep50us(ops uint64) int64 {
	lasted := make([]int64, ops)
	for i := range lasted {
		start := bench.Now()
		time.Sleep(50 * time.Microsecond)
		lasted[i] = bench.Now() - start
	}
	sort.Slice(lasted, func(i, j int) bool { return lasted[i] < lasted[j] })
	if lasted[0] < 50000 {
		bench.Check("the shortest sleep", uint64(lasted[0]), 50000)
	}
	bench.Note("p99_ns", float64(lasted[ops*99/100]))
	return lasted[ops/2] * int64(ops)
}

func main() {
	bench.Main(bench.Row{Name: "sleep_50us", Unit: "ns/sleep, median", Ops: 5000, Rounds: 3, Round: sleep50us})
}
