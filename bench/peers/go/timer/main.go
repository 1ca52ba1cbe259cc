// A timer is armed and stopped again, beside 1,000 others that are armed all the while. As bench/timer.c.
package main

import (
	"time"

	"peers/bench"
)

const others = 1000

func late() {}

func timer(ops uint64) int64 {
	var other [others]*time.Timer
	for i := range other {
		other[i] = time.AfterFunc(time.Duration(3600+i)*time.Second, late)
	}
	stopped := uint64(0)
	start := bench.Now()
	for i := uint64(0); i < ops; i++ {
		t := time.AfterFunc(time.Duration(1800+i%7200)*time.Second, late)
		if t.Stop() {
			stopped++
		}
	}
	took := bench.Now() - start
	for _, t := range other {
		t.Stop()
	}
	bench.Check("timers stopped in time", stopped, ops)
	return took
}

func main() {
	bench.Main(bench.Row{Name: "timer", Unit: "ns/arm+stop", Ops: 2000000, Rounds: 3, Round: timer})
}
