// 1,000 goroutines wait for a channel under one context, which is then cancelled; again and again. As bench/cancelled_wait.c.
package main

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"

	"peers/bench"
)

const waiters = 1000

var waiting, cancelled atomic.Uint64

func waits(ctx context.Context, never chan int, all *sync.WaitGroup) {
	waiting.Add(1)
	select {
	case <-never:
	case <-ctx.Done():
		cancelled.Add(1)
	}
	all.Done()
}

func oneBatch(never chan int) {
	var all sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	waiting.Store(0)
	for i := 0; i < waiters; i++ {
		all.Add(1)
		go waits(ctx, never, &all)
	}
	for waiting.Load() < waiters {
		runtime.Gosched()
	}
	cancel()
	all.Wait()
}

func cancelledWait(ops uint64) int64 {
	never := make(chan int)
	cancelled.Store(0)
	start := bench.Now()
	for i := uint64(0); i < ops; i += waiters {
		oneBatch(never)
	}
	took := bench.Now() - start
	bench.Check("waits cancelled", cancelled.Load(), ops)
	return took
}

func main() {
	bench.Main(bench.Row{Name: "cancelled_wait", Unit: "ns/wait", Ops: 500000, Rounds: 3, Round: cancelledWait})
}
