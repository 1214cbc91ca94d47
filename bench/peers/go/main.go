// The Go peer. bench/README.md documents the protocol; bench/run starts it as `weft-peer-go bench`.
// WORKERS (environment; 2) goes to GOMAXPROCS.
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
	ops               int64
	rssKB, rssAfterKB int64
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
	cpu := cpuNow()
	r := run{begin: time.Now()}
	b.run(&r)
	answer := fmt.Sprintf(`{"ops": %d, "ns": %d, "cpu_ns": %d`, r.ops,
		time.Since(r.begin).Nanoseconds(), cpuNow()-cpu)
	if r.rssKB > 0 {
		answer += fmt.Sprintf(`, "rss_kb": %d, "rss_after_kb": %d`, r.rssKB, r.rssAfterKB)
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

func main() {
	if len(os.Args) == 2 && os.Args[1] == "version" {
		fmt.Println(strings.TrimPrefix(runtime.Version(), "go"))
		return
	}
	if len(os.Args) != 2 || os.Args[1] != "bench" {
		fmt.Fprintln(os.Stderr, "usage: weft-peer-go bench\n       weft-peer-go version")
		os.Exit(2)
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
	serve()
}
