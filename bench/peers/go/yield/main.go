// 64 goroutines yield in turn. As bench/yield.c.
package main

import (
	"os"
	"runtime"
	"sync"

	"peers/bench"
)

const tasks = 64

type turner struct {
	turns uint64
	ended int64
	_     [48]byte
}

func takeTurns(t *turner, gate chan struct{}, all *sync.WaitGroup) {
	var n uint64
	<-gate
	for n < t.turns {
		runtime.Gosched()
		n++
	}
	t.turns = n
	t.ended = bench.Now()
	all.Done()
}

func yield(ops uint64) int64 {
	var turners [tasks]turner
	var all sync.WaitGroup
	var sum, early uint64
	gate := make(chan struct{})
	for i := range turners {
		turners[i].turns = ops / tasks
		all.Add(1)
		go takeTurns(&turners[i], gate, &all)
	}
	start := bench.Now()
	close(gate)
	all.Wait()
	took := bench.Now() - start
	for i := range turners {
		sum += turners[i].turns
		if turners[i].ended-start < took/4 {
			early++
		}
	}
	bench.Check("yields", sum, ops)
	if early > tasks/8 {
		println("goroutines that ended in a quarter of the time:", early)
		os.Exit(1)
	}
	return took
}

func main() {
	bench.Main(bench.Row{Name: "yield", Unit: "ns/yield", Ops: 6400000, Rounds: 3, Round: yield})
}
