// One goroutine sends a million jobs, 8 workers double them, one collects. As bench/pool.c.
package main

import (
	"sync"

	"peers/bench"
)

const workers, buffer = 8, 128

func produce(jobs chan uint64, n uint64, others *sync.WaitGroup) {
	for job := uint64(0); job < n; job++ {
		jobs <- job
	}
	close(jobs)
	others.Done()
}

func work(jobs, results chan uint64, all *sync.WaitGroup) {
	for job := range jobs {
		results <- job * 2
	}
	all.Done()
}

func closeResults(all *sync.WaitGroup, results chan uint64, others *sync.WaitGroup) {
	all.Wait()
	close(results)
	others.Done()
}

func pool(ops uint64) int64 {
	var all, others sync.WaitGroup
	var sum, count uint64
	start := bench.Now()
	jobs, results := make(chan uint64, buffer), make(chan uint64, buffer)
	for i := 0; i < workers; i++ {
		all.Add(1)
		go work(jobs, results, &all)
	}
	others.Add(2)
	go produce(jobs, ops, &others)
	go closeResults(&all, results, &others)
	for result := range results {
		sum += result
		count++
	}
	took := bench.Now() - start
	others.Wait()
	bench.Check("results", count, ops)
	bench.Check("sum", sum, ops*(ops-1))
	return took
}

func main() {
	bench.Main(bench.Row{Name: "pool", Unit: "ns/job", Ops: 1000000, Rounds: 3, Round: pool})
}
