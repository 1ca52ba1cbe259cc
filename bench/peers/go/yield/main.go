// 64 goroutines yield in turn. As bench/yield.c.
package main

import (
	"runtime"
	"sync"
	"sync/atomic"

	"peers/bench"
)

const tasks = 64

var firstDone atomic.Int64

func turns(n uint64, counted *uint64, all *sync.WaitGroup) {
	var i uint64
	for i < n {
		runtime.Gosched()
		i++
	}
	*counted = i
	firstDone.CompareAndSwap(0, bench.Now())
	all.Done()
}

func yield(ops uint64) int64 {
	var counted [tasks * 8]uint64
	var all sync.WaitGroup
	var sum uint64
	firstDone.Store(0)
	start := bench.Now()
	for i := 0; i < tasks; i++ {
		all.Add(1)
		go turns(ops/tasks, &counted[i*8], &all)
	}
	all.Wait()
	took := bench.Now() - start
	for i := 0; i < tasks; i++ {
		sum += counted[i*8]
	}
	bench.Check("yields", sum, ops)
	if firstDone.Load()-start < took/4 {
		bench.Check("the first goroutine ended at ns", uint64(firstDone.Load()-start), uint64(took))
	}
	return took
}

func main() {
	bench.Main(bench.Row{Name: "yield", Unit: "ns/yield", Ops: 6400000, Rounds: 3, Round: yield})
}
