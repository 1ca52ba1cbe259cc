// Ten million numbers through a channel of 128, 4 producers, 4 consumers. As bench/buffered_4p4c.c.
package main

import (
	"peers/bench"
)

func buffered(ops uint64) int64 {
	return bench.Stream(ops, 4)
}

func main() {
	bench.Main(bench.Row{Name: "buffered_4p4c", Unit: "ns/item", Ops: 10000000, Rounds: 1, Round: buffered})
}
