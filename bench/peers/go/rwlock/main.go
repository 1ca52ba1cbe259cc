// 4 goroutines under one RWMutex; one turn in 100 writes, the others read. As bench/rwlock.c.
package main

import (
	"sync"
	"sync/atomic"

	"peers/bench"
)

const tasks, writeEvery = 4, 100

var lock sync.RWMutex
var a, b uint64
var torn atomic.Uint64

func readMostly(turns uint64, all *sync.WaitGroup) {
	var tornHere uint64
	for i := uint64(1); i <= turns; i++ {
		if i%writeEvery == 0 {
			lock.Lock()
			a++
			b++
			lock.Unlock()
		} else {
			lock.RLock()
			if a != b {
				tornHere++
			}
			lock.RUnlock()
		}
	}
	torn.Add(tornHere)
	all.Done()
}

func rwlock(ops uint64) int64 {
	var all sync.WaitGroup
	a, b = 0, 0
	torn.Store(0)
	turns := ops / tasks
	start := bench.Now()
	for i := 0; i < tasks; i++ {
		all.Add(1)
		go readMostly(turns, &all)
	}
	all.Wait()
	took := bench.Now() - start
	bench.Check("torn reads", torn.Load(), 0)
	bench.Check("writes", a, turns/writeEvery*tasks)
	bench.Check("writes", b, turns/writeEvery*tasks)
	return took
}

func main() {
	bench.Main(bench.Row{Name: "rwlock", Unit: "ns/lock+unlock", Ops: 8000000, Rounds: 3, Round: rwlock})
}
