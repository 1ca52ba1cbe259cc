// 8 goroutines add to one counter under one mutex. As bench/mutex.c.
package main

import (
	"sync"

	"peers/bench"
)

const tasks = 8

var lock sync.Mutex
var counter uint64

func add(turns uint64, all *sync.WaitGroup) {
	for i := uint64(0); i < turns; i++ {
		lock.Lock()
		counter++
		lock.Unlock()
	}
	all.Done()
}

func mutex(ops uint64) int64 {
	var all sync.WaitGroup
	counter = 0
	start := bench.Now()
	for i := 0; i < tasks; i++ {
		all.Add(1)
		go add(ops/tasks, &all)
	}
	all.Wait()
	took := bench.Now() - start
	bench.Check("counter", counter, ops)
	return took
}

func main() {
	bench.Main(bench.Row{Name: "mutex", Unit: "ns/lock+unlock", Ops: 8000000, Rounds: 3, Round: mutex})
}
