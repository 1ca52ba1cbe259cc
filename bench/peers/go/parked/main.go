// A million goroutines wait on one channel. As bench/parked.c.
package main

import (
	"sync"
	"sync/atomic"
	"time"

	"peers/bench"
)

var arrived, left atomic.Uint64
var rssBefore, pteBefore int64

func waiter(gate chan struct{}, all *sync.WaitGroup) {
	arrived.Add(1)
	if _, open := <-gate; !open {
		left.Add(1)
	}
	all.Done()
}

func parked(ops uint64) int64 {
	var all sync.WaitGroup
	gate := make(chan struct{})
	arrived.Store(0)
	left.Store(0)
	if rssBefore == 0 {
		rssBefore, pteBefore = bench.StatusKiB("VmRSS:"), bench.StatusKiB("VmPTE:")
	}
	start := bench.Now()
	for i := uint64(0); i < ops; i++ {
		all.Add(1)
		go waiter(gate, &all)
	}
	for arrived.Load() < ops {
		time.Sleep(time.Millisecond)
	}
	allParked := bench.Now()
	rss, pte := bench.StatusKiB("VmRSS:"), bench.StatusKiB("VmPTE:")
	opened := bench.Now()
	close(gate)
	all.Wait()
	bench.Note("wake_ns", float64(bench.Now()-opened)/float64(ops))
	bench.Note("park_ns", float64(allParked-start)/float64(ops))
	bench.Note("pte_bytes", float64(pte-pteBefore)*1024/float64(ops))
	bench.Check("goroutines woken", left.Load(), ops)
	return (rss - rssBefore) * 1024
}

func main() {
	bench.Main(bench.Row{Name: "parked", Unit: "bytes/task", Ops: 1000000, Rounds: 1, Round: parked})
}
