// Trees of 1,000 contexts are made and cancelled at the root. As bench/ctx_tree.c.
package main

import (
	"context"

	"peers/bench"
)

const tree, branches = 1000, 10

func oneTree() uint64 {
	var ctx [tree]context.Context
	var cancel [tree]context.CancelFunc
	ctx[0], cancel[0] = context.WithCancel(context.Background())
	for i := 1; i < tree; i++ {
		parent := 0
		if i > branches {
			parent = 1 + i%branches
		}
		ctx[i], cancel[i] = context.WithCancel(ctx[parent])
	}
	cancel[0]()
	ended := uint64(0)
	for i := range ctx {
		if ctx[i].Err() == context.Canceled {
			ended++
		}
		cancel[i]()
	}
	return ended
}

func ctxTree(ops uint64) int64 {
	ended := uint64(0)
	start := bench.Now()
	for i := uint64(0); i < ops; i += tree {
		ended += oneTree()
	}
	took := bench.Now() - start
	bench.Check("contexts ended", ended, ops)
	return took
}

func main() {
	bench.Main(bench.Row{Name: "ctx_tree", Unit: "ns/context", Ops: 1000000, Rounds: 3, Round: ctxTree})
}
