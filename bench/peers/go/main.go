// The Go peer. bench/README.md documents the protocol; bench/run starts it as
// `weft-peer-go server KIND PORT` or `weft-peer-go bench`. WORKERS (environment; 2) goes to GOMAXPROCS.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const repetition = 100 * time.Millisecond

// run is one repetition: what a benchmark gets, and what it fills in.
type run struct {
	begin             time.Time
	beginCPU          int64
	ns, cpuNs         int64 // 0: until the benchmark ends
	ops               int64
	rssKB, rssAfterKB int64
	late              bool // about timers: how late on average, and how many too early
	lateNsMean, early int64
}

// start and stop are for a benchmark that prepares something, or cleans up.
func (r *run) start() {
	r.beginCPU = cpuNow()
	r.begin = time.Now()
}

func (r *run) stop() {
	r.ns = time.Since(r.begin).Nanoseconds()
	r.cpuNs = cpuNow() - r.beginCPU
}

// more tells whether there is time for another round.
func (r *run) more() bool {
	return time.Since(r.begin) < repetition
}

type bench struct {
	run  func(*run)
	cold bool // measured without a warm-up: memory that is reused counts once
}

// expect ends the process if what isn't what it must be.
func expect(what string, is, mustBe int64) {
	if is != mustBe {
		fail(fmt.Sprintf("%s is %d, expected %d", what, is, mustBe))
	}
}

func fail(message string) {
	fmt.Fprintln(os.Stderr, message)
	os.Exit(1)
}

func cpuNow() int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		fail("getrusage: " + err.Error())
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// rssKB is what the process has resident now.
func rssKB() int64 {
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		fail(err.Error())
	}
	pages, err := strconv.ParseInt(strings.Fields(string(statm))[1], 10, 64)
	if err != nil {
		fail("/proc/self/statm: " + err.Error())
	}
	return pages * int64(os.Getpagesize()) / 1024
}

func measure(b bench) string {
	r := run{}
	r.start()
	b.run(&r)
	if r.ns == 0 {
		r.stop()
	}
	answer := fmt.Sprintf(`{"ops": %d, "ns": %d, "cpu_ns": %d`, r.ops, r.ns, r.cpuNs)
	if r.rssKB > 0 {
		answer += fmt.Sprintf(`, "rss_kb": %d, "rss_after_kb": %d`, r.rssKB, r.rssAfterKB)
	}
	if r.late {
		answer += fmt.Sprintf(`, "late_ns_mean": %d, "early": %d`, r.lateNsMean, r.early)
	}
	return answer + "}"
}

func serve() {
	warm := map[string]bool{}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		repetitions := 0
		if len(words) == 2 {
			repetitions, _ = strconv.Atoi(words[1])
		}
		b, known := bench{}, false
		if len(words) > 0 {
			b, known = benches[words[0]]
		}
		if !known {
			fmt.Println(`{"error": "unknown"}`)
			continue
		}
		if !b.cold && !warm[words[0]] {
			measure(b)
		}
		warm[words[0]] = true
		for ; repetitions > 0; repetitions-- {
			fmt.Println(measure(b))
		}
	}
}

func usage() {
	fmt.Fprintln(os.Stderr, `usage: weft-peer-go server echo|mix|stream|http PORT
       weft-peer-go bench
       weft-peer-go version`)
	os.Exit(2)
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == "version" {
		fmt.Println(strings.TrimPrefix(runtime.Version(), "go"))
		return
	}
	workers := 2
	if text := os.Getenv("WORKERS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 1024 {
			fail("WORKERS=" + text + ": a number from 1 to 1024 is expected")
		}
		workers = n
	}
	runtime.GOMAXPROCS(workers)
	switch {
	case len(os.Args) == 2 && os.Args[1] == "bench":
		serve()
	case len(os.Args) == 4 && os.Args[1] == "server":
		serveOn(os.Args[2], os.Args[3])
	default:
		usage()
	}
}
