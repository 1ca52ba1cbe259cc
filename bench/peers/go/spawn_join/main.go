// A million goroutines, each writes its own word; wait for all. As bench/spawn_join.c.
package main

import (
	"sync"

	"peers/bench"
)

func mark(slot *uint32, all *sync.WaitGroup) {
	*slot++
	all.Done()
}

func spawnJoin(ops uint64) int64 {
	slots := make([]uint32, ops)
	var all sync.WaitGroup
	var marked uint64
	start := bench.Now()
	for i := range slots {
		all.Add(1)
		go mark(&slots[i], &all)
	}
	all.Wait()
	took := bench.Now() - start
	for _, slot := range slots {
		if slot == 1 {
			marked++
		}
	}
	bench.Check("goroutines run once", marked, ops)
	return took
}

func main() {
	bench.Main(bench.Row{Name: "spawn_join", Unit: "ns/task", Ops: 1000000, Rounds: 3, Round: spawnJoin})
}
