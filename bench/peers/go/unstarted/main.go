// A million goroutines are spawned; memory is read before the spawner lets go. As bench/unstarted.c.
package main

import (
	"sync"
	"sync/atomic"

	"peers/bench"
)

var ran atomic.Uint64
var rssBefore int64

func count(all *sync.WaitGroup) {
	ran.Add(1)
	all.Done()
}

func unstarted(ops uint64) int64 {
	var all sync.WaitGroup
	ran.Store(0)
	if rssBefore == 0 {
		rssBefore = bench.StatusKiB("VmRSS:")
	}
	for i := uint64(0); i < ops; i++ {
		all.Add(1)
		go count(&all)
	}
	rss := bench.StatusKiB("VmRSS:")
	bench.Note("ran_early", float64(ran.Load()))
	all.Wait()
	bench.Check("goroutines run", ran.Load(), ops)
	return (rss - rssBefore) * 1024
}

func main() {
	bench.Main(bench.Row{Name: "unstarted", Unit: "bytes/task", Ops: 1000000, Rounds: 1, Round: unstarted})
}
