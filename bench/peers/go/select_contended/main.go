// 4 goroutines select to send, 4 to receive, all over the same 2 unbuffered channels. As bench/select_contended.c.
package main

import (
	"sync"
	"sync/atomic"

	"peers/bench"
)

const tasks = 4

var received atomic.Uint64

func sends(a, b chan uint64, n uint64, all *sync.WaitGroup) {
	for v := uint64(1); v <= n; v++ {
		select {
		case a <- v:
		case b <- v:
		}
	}
	all.Done()
}

func receives(a, b chan uint64, n uint64, all *sync.WaitGroup) {
	sum := uint64(0)
	for i := uint64(0); i < n; i++ {
		select {
		case v := <-a:
			sum += v
		case v := <-b:
			sum += v
		}
	}
	received.Add(sum)
	all.Done()
}

func selectContended(ops uint64) int64 {
	a, b := make(chan uint64), make(chan uint64)
	each := ops / tasks
	received.Store(0)
	var all sync.WaitGroup
	start := bench.Now()
	for i := 0; i < tasks; i++ {
		all.Add(2)
		go sends(a, b, each, &all)
		go receives(a, b, each, &all)
	}
	all.Wait()
	took := bench.Now() - start
	bench.Check("sum", received.Load(), tasks*(each*(each+1)/2))
	return took
}

func main() {
	bench.Main(bench.Row{Name: "select_contended", Unit: "ns/value", Ops: 1000000, Rounds: 3, Round: selectContended})
}
