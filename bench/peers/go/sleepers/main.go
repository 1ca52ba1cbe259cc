// 100,000 goroutines sleep at once, each ten times one millisecond. As bench/sleepers.c.
package main

import (
	"sync"
	"sync/atomic"
	"time"

	"peers/bench"
)

const sleeps = 10

var slept atomic.Uint64

func sleeper(all *sync.WaitGroup) {
	start := bench.Now()
	for i := 0; i < sleeps; i++ {
		time.Sleep(time.Millisecond)
	}
	if bench.Now()-start >= sleeps*int64(time.Millisecond) {
		slept.Add(sleeps)
	}
	all.Done()
}

func sleepers(ops uint64) int64 {
	var all sync.WaitGroup
	slept.Store(0)
	start := bench.Now()
	for i := uint64(0); i < ops/sleeps; i++ {
		all.Add(1)
		go sleeper(&all)
	}
	all.Wait()
	took := bench.Now() - start
	bench.Check("sleeps of full length", slept.Load(), ops)
	return took
}

func main() {
	bench.Main(bench.Row{Name: "sleepers", Unit: "ns/sleep", Ops: 1000000, Rounds: 3, Round: sleepers})
}
