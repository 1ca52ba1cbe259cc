// Two goroutines play ping-pong over 4 + 4 unbuffered channels; each waits in a select over its 4. As bench/select_blocking.c.
package main

import (
	"runtime"
	"sync"

	"peers/bench"
)

func selectOne(c *[4]chan uint64) uint64 {
	select {
	case v := <-c[0]:
		return v
	case v := <-c[1]:
		return v
	case v := <-c[2]:
		return v
	case v := <-c[3]:
		return v
	}
}

func answer(ping, pong *[4]chan uint64, turns uint64, done *sync.WaitGroup) {
	for i := uint64(0); i < turns; i++ {
		v := selectOne(ping) + 1
		pong[v%4] <- v
	}
	done.Done()
}

func selectBlocking(ops uint64) int64 {
	var ping, pong [4]chan uint64
	for i := range ping {
		ping[i] = make(chan uint64)
		pong[i] = make(chan uint64)
	}
	var other sync.WaitGroup
	sum := uint64(0)
	start := bench.Now()
	other.Add(1)
	go answer(&ping, &pong, ops, &other)
	runtime.Gosched() // it waits before we send; else each would wait in its send, and no select ever
	for i := uint64(0); i < ops; i++ {
		ping[i*3%4] <- i
		sum += selectOne(&pong)
	}
	other.Wait()
	took := bench.Now() - start
	bench.Check("sum", sum, ops*(ops+1)/2)
	return took
}

func main() {
	bench.Main(bench.Row{Name: "select_blocking", Unit: "ns/round trip", Ops: 1000000, Rounds: 3, Round: selectBlocking})
}
