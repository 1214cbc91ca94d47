package main

// Benchmarks of the scheduler; bench/sched*.c are weft's. A join is a receive from a channel. Go has
// no outside: every goroutine is the runtime's.

import (
	"runtime"
	"sync/atomic"
)

const (
	spawns   = 10_000
	joins    = 1000
	chain    = 1000
	pings    = 1000
	yielding = 200
	yields   = 1000
	leaves   = 1_000_000
	fanOut   = 10
	fibN     = 27
	tasks    = 1_000_000
)

var benches = map[string]bench{
	"sched/spawn_many":    {run: spawnMany},
	"sched/spawn_join":    {run: spawnJoin},
	"sched/chained_spawn": {run: chainedSpawn},
	"sched/ping_pong":     {run: pingPong},
	"sched/yield_many":    {run: yieldMany},
	"sched/skynet":        {run: skynet},
	"sched/fib":           {run: fib},
	"sched/tasks_1m":      {run: tasks1m, cold: true},
}

// ---- the count-down: lets one wait until n have counted down ----

type countdown struct {
	n, left atomic.Int64
	done    chan struct{}
}

func newCountdown() *countdown {
	return &countdown{done: make(chan struct{}, 1)}
}

func (c *countdown) begin(n int64) {
	c.n.Store(n)
	c.left.Store(n)
}

func (c *countdown) down() {
	if c.left.Add(-1) == 0 {
		c.done <- struct{}{}
	}
}

func (c *countdown) wait() int64 {
	<-c.done
	expect("the count-down", c.left.Load(), 0)
	return c.n.Load() - c.left.Load()
}

// ---- spawning, joining, yielding ----

func spawnMany(r *run) {
	c := newCountdown()
	for again := true; again; again = r.more() {
		c.begin(spawns)
		for i := 0; i < spawns; i++ {
			go c.down()
		}
		r.ops += c.wait()
	}
}

func spawnJoin(r *run) {
	for again := true; again; again = r.more() {
		for k := int64(0); k < joins; k++ {
			result := make(chan int64, 1)
			go func() { result <- k }()
			expect("the child's result", <-result, k)
			r.ops++
		}
	}
}

func link(c *countdown, more int) {
	if more > 0 {
		go link(c, more-1)
	}
	c.down()
}

func chainedSpawn(r *run) {
	c := newCountdown()
	for again := true; again; again = r.more() {
		c.begin(chain)
		go link(c, chain-1)
		r.ops += c.wait()
	}
}

func ping(c *countdown) {
	ping, pong := make(chan struct{}, 1), make(chan struct{}, 1)
	go func() {
		<-ping
		pong <- struct{}{}
	}()
	ping <- struct{}{}
	<-pong
	c.down()
}

func pingPong(r *run) {
	c := newCountdown()
	for again := true; again; again = r.more() {
		c.begin(pings)
		for i := 0; i < pings; i++ {
			go ping(c)
		}
		r.ops += c.wait()
	}
}

func yieldMany(r *run) {
	c := newCountdown()
	var done atomic.Int64
	for again := true; again; again = r.more() {
		c.begin(yielding)
		for i := 0; i < yielding; i++ {
			go func() {
				k := int64(0)
				for ; k < yields; k++ {
					runtime.Gosched()
				}
				done.Add(k)
				c.down()
			}()
		}
		c.wait()
	}
	r.ops = done.Load()
}

// ---- fork and join ----

// answer is how many tasks a subtree had, and the sum that they computed.
type answer struct {
	tasks, sum int64
}

func (a *answer) add(b answer) {
	a.tasks += b.tasks
	a.sum += b.sum
}

func leaf(parent chan<- answer, number int64) {
	parent <- answer{1, number}
}

func node(parent chan<- answer, first, below int64) {
	each := below / fanOut
	children := make(chan answer, fanOut)
	for k := int64(0); k < fanOut; k++ {
		if each == 1 {
			go leaf(children, first+k)
		} else {
			go node(children, first+k*each, each)
		}
	}
	a := answer{tasks: 1}
	for k := 0; k < fanOut; k++ {
		a.add(<-children)
	}
	parent <- a
}

func skynet(r *run) {
	for again := true; again; again = r.more() {
		root := make(chan answer, 1)
		go node(root, 0, leaves)
		a := <-root
		expect("skynet's sum", a.sum, leaves*(leaves-1)/2)
		expect("skynet's number of tasks", a.tasks, (leaves*fanOut-1)/(fanOut-1))
		r.ops += a.tasks
	}
}

func fibTask(parent chan<- answer, n int64) {
	if n < 2 {
		parent <- answer{1, n}
		return
	}
	children := make(chan answer, 2)
	go fibTask(children, n-1)
	go fibTask(children, n-2)
	a := answer{tasks: 1}
	a.add(<-children)
	a.add(<-children)
	parent <- a
}

func fibonacci(n int) int64 {
	a, b := int64(0), int64(1)
	for ; n > 0; n-- {
		a, b = b, a+b
	}
	return a
}

func fib(r *run) {
	for again := true; again; again = r.more() {
		root := make(chan answer, 1)
		go fibTask(root, fibN)
		a := <-root
		expect("fib's result", a.sum, fibonacci(fibN))
		expect("fib's number of tasks", a.tasks, 2*fibonacci(fibN+1)-1)
		r.ops += a.tasks
	}
}

// ---- a million goroutines ----

func tasks1m(r *run) {
	gate := make(chan struct{})
	waiting, ended := newCountdown(), newCountdown()
	waiting.begin(tasks)
	ended.begin(tasks)
	for i := 0; i < tasks; i++ {
		go func() {
			waiting.down()
			<-gate
			ended.down()
		}()
	}
	waiting.wait()
	r.rssKB = rssKB()
	close(gate)
	r.ops = ended.wait()
	r.rssAfterKB = rssKB()
}
