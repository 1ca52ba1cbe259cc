// A million functions with an argument through a channel of 128 to 8 workers. As bench/pool_submit.c.
package main

import (
	"sync"

	"peers/bench"
)

const workers, queue = 8, 128

type job struct {
	fn  func(*uint32)
	arg *uint32
}

func mark(slot *uint32) { *slot++ }

func work(jobs chan job, all *sync.WaitGroup) {
	for j := range jobs {
		j.fn(j.arg)
	}
	all.Done()
}

func poolSubmit(ops uint64) int64 {
	slots := make([]uint32, ops)
	var all sync.WaitGroup
	var once uint64
	start := bench.Now()
	jobs := make(chan job, queue)
	for i := 0; i < workers; i++ {
		all.Add(1)
		go work(jobs, &all)
	}
	for i := range slots {
		jobs <- job{mark, &slots[i]}
	}
	close(jobs)
	all.Wait()
	took := bench.Now() - start
	for _, slot := range slots {
		if slot == 1 {
			once++
		}
	}
	bench.Check("jobs run once", once, ops)
	return took
}

func main() {
	bench.Main(bench.Row{Name: "pool_submit", Unit: "ns/job", Ops: 1000000, Rounds: 3, Round: poolSubmit})
}
