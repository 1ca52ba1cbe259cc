// A tree of goroutines, ten below each, a million leaves. As bench/skynet.c.
package main

import (
	"peers/bench"
)

const div = 10

func skynet(up chan uint64, first, size uint64) {
	if size == 1 {
		up <- first
		return
	}
	var sum uint64
	parts := make(chan uint64)
	for i := uint64(0); i < div; i++ {
		go skynet(parts, first+i*(size/div), size/div)
	}
	for i := 0; i < div; i++ {
		sum += <-parts
	}
	up <- sum
}

func tree(ops uint64) int64 {
	leaves := uint64(1)
	for leaves*div <= ops {
		leaves *= div
	}
	start := bench.Now()
	top := make(chan uint64)
	go skynet(top, 0, leaves)
	sum := <-top
	took := bench.Now() - start
	bench.Check("sum", sum, leaves*(leaves-1)/2)
	return took
}

func main() {
	bench.Main(bench.Row{Name: "skynet", Unit: "ns/task", Ops: 1111111, Rounds: 3, Round: tree})
}
