// A select over 4 channels of which one has a value, put there just before. As bench/select_ready.c.
package main

import "peers/bench"

func selectReady(ops uint64) int64 {
	var c [4]chan uint64
	for i := range c {
		c[i] = make(chan uint64, 1)
	}
	sum := uint64(0)
	start := bench.Now()
	for i := uint64(0); i < ops; i++ {
		c[i*7%4] <- i
		select {
		case v := <-c[0]:
			sum += v
		case v := <-c[1]:
			sum += v
		case v := <-c[2]:
			sum += v
		case v := <-c[3]:
			sum += v
		}
	}
	took := bench.Now() - start
	bench.Check("sum", sum, ops*(ops-1)/2)
	return took
}

func main() {
	bench.Main(bench.Row{Name: "select_ready", Unit: "ns/send+select", Ops: 5000000, Rounds: 3, Round: selectReady})
}
