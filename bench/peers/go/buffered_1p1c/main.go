// Ten million numbers through a channel of 128, 1 producers, 1 consumers. As bench/buffered_1p1c.c.
package main

import (
	"peers/bench"
)

func buffered(ops uint64) int64 {
	return bench.Stream(ops, 1)
}

func main() {
	bench.Main(bench.Row{Name: "buffered_1p1c", Unit: "ns/item", Ops: 10000000, Rounds: 1, Round: buffered})
}
