// Two goroutines hand a number to and fro over two unbuffered channels. As bench/pingpong.c.
package main

import (
	"sync"

	"peers/bench"
)

func answer(ping, pong chan uint64, other *sync.WaitGroup) {
	for value := range ping {
		value++
		pong <- value
	}
	other.Done()
}

func pingpong(ops uint64) int64 {
	ping, pong := make(chan uint64), make(chan uint64)
	var other sync.WaitGroup
	var value uint64
	other.Add(1)
	go answer(ping, pong, &other)
	start := bench.Now()
	for i := uint64(0); i < ops; i++ {
		ping <- value
		value = <-pong
	}
	took := bench.Now() - start
	close(ping)
	other.Wait()
	bench.Check("round trips", value, ops)
	return took
}

func main() {
	bench.Main(bench.Row{Name: "pingpong", Unit: "ns/round trip", Ops: 2000000, Rounds: 3, Round: pingpong})
}
