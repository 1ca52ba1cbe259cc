package bench

import "sync"

const streamBuffer = 128

type part struct {
	from, to, count, sum uint64
}

func produce(c chan uint64, p *part, all *sync.WaitGroup) {
	for v, to := p.from, p.to; v < to; v++ {
		c <- v
	}
	all.Done()
}

func consume(c chan uint64, p *part, all *sync.WaitGroup) {
	var count, sum uint64
	for v := range c {
		count++
		sum += v
	}
	p.count, p.sum = count, sum
	all.Done()
}

// Stream sends ops numbers through one channel, n producers and n consumers. As bench/stream.h.
func Stream(ops uint64, n int) int64 {
	producer, consumer := make([]part, n), make([]part, n)
	var producers, consumers sync.WaitGroup
	var count, sum uint64
	c := make(chan uint64, streamBuffer)
	start := Now()
	for i := range consumer {
		consumers.Add(1)
		go consume(c, &consumer[i], &consumers)
	}
	for i := range producer {
		producer[i].from, producer[i].to = ops*uint64(i)/uint64(n), ops*uint64(i+1)/uint64(n)
		producers.Add(1)
		go produce(c, &producer[i], &producers)
	}
	producers.Wait()
	close(c)
	consumers.Wait()
	took := Now() - start
	for i := range consumer {
		count += consumer[i].count
		sum += consumer[i].sum
	}
	Check("items", count, ops)
	Check("sum of items", sum, ops*(ops-1)/2)
	return took
}
