// 4 goroutines take turns with a semaphore of 2 permits: take one, give way, give it back. As bench/semaphore.c. The semaphore is
// a channel with room for 2, Go's own idiom and faster than golang.org/x/sync/semaphore, which these peers do not need to fetch.
package main

import (
	"runtime"
	"sync"
	"sync/atomic"

	"peers/bench"
)

const tasks, permits = 4, 2

var inside atomic.Int64
var passed atomic.Uint64

func takeTurns(turns uint64, sem chan struct{}, all *sync.WaitGroup) {
	for i := uint64(0); i < turns; i++ {
		sem <- struct{}{}
		if inside.Add(1) > permits {
			panic("more inside than there are permits")
		}
		runtime.Gosched()
		inside.Add(-1)
		<-sem
	}
	passed.Add(turns)
	all.Done()
}

func semaphore(ops uint64) int64 {
	var all sync.WaitGroup
	sem := make(chan struct{}, permits)
	passed.Store(0)
	start := bench.Now()
	for i := 0; i < tasks; i++ {
		all.Add(1)
		go takeTurns(ops/tasks, sem, &all)
	}
	all.Wait()
	took := bench.Now() - start
	bench.Check("turns", passed.Load(), ops)
	return took
}

func main() {
	bench.Main(bench.Row{Name: "semaphore", Unit: "ns/turn", Ops: 1000000, Rounds: 3, Round: semaphore})
}
