// The prime sieve as a chain of goroutines, one for each of 2,000 primes, over unbuffered channels. As bench/sieve.c.
package main

import (
	"sync"

	"peers/bench"
)

var last, messages uint64

// nthPrime counts the messages as bench/primes.h does.
func nthPrime(n uint64) {
	var primes []uint64
	v := uint64(1)
	for uint64(len(primes)) < n {
		v++
		i := 0
		for i < len(primes) && v%primes[i] != 0 {
			i++
		}
		messages += uint64(i) + 1
		if i == len(primes) {
			primes = append(primes, v)
		}
	}
	last = v
}

func generate(out chan uint64, all *sync.WaitGroup) {
	for v := uint64(2); v <= last; v++ {
		out <- v
	}
	close(out)
	all.Done()
}

func sift(in, out chan uint64, prime uint64, all *sync.WaitGroup) {
	for v := range in {
		if v%prime != 0 {
			out <- v
		}
	}
	close(out)
	all.Done()
}

func main() {
	row := bench.Row{Name: "sieve", Unit: "ns/message", Ops: 2000, Rounds: 3}
	bench.Args(&row)
	primes := row.Ops
	nthPrime(primes)
	row.Ops = messages
	bench.Note("primes", float64(primes))
	row.Round = func(uint64) int64 {
		var all sync.WaitGroup
		var prime uint64
		start := bench.Now()
		c := make(chan uint64)
		all.Add(1)
		go generate(c, &all)
		for i := uint64(0); i < primes; i++ {
			prime = <-c
			out := make(chan uint64)
			all.Add(1)
			go sift(c, out, prime, &all)
			c = out
		}
		_, more := <-c
		all.Wait()
		took := bench.Now() - start
		if more {
			bench.Check("the end of the chain", 1, 0)
		}
		bench.Check("last prime", prime, last)
		return took
	}
	bench.Main(row)
}
