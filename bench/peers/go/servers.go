package main

// Servers: echo and mix (after 2 ms of computing, if a message begins with a B), stream, and net/http
// as a user would have it. bench/servers.h has what they share with the others.

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

const (
	buffer = 16384
	piece  = 65536
	burnt  = 2 * time.Millisecond
)

var servers = map[string]func(net.Listener) error{
	"echo":   func(l net.Listener) error { return accept(l, echo) },
	"mix":    func(l net.Listener) error { return accept(l, mix) },
	"stream": serveStream,
	"http":   serveHTTP,
}

// accept starts a goroutine for each connection. Go sets TCP_NODELAY by itself.
func accept(l net.Listener, serve func(net.Conn)) error {
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			serve(conn)
		}()
	}
}

func answerAll(conn net.Conn, before func(message []byte)) {
	buf := make([]byte, buffer)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return
		}
		before(buf[:n])
		if _, err := conn.Write(buf[:n]); err != nil {
			return
		}
	}
}

func echo(conn net.Conn) {
	answerAll(conn, func([]byte) {})
}

func mix(conn net.Conn) {
	answerAll(conn, func(message []byte) {
		if message[0] != 'B' {
			return
		}
		for begin := time.Now(); time.Since(begin) < burnt; {
		}
	})
}

func serveStream(l net.Listener) error {
	bytes := make([]byte, piece)
	for i := range bytes {
		bytes[i] = byte(i % 251)
	}
	return accept(l, func(conn net.Conn) {
		for {
			if _, err := conn.Write(bytes); err != nil {
				return
			}
		}
	})
}

func serveHTTP(l net.Listener) error {
	mux := http.NewServeMux()
	mux.HandleFunc("/plaintext", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", "gogo")
		w.Header().Set("Content-Type", "text/plain")
		io.WriteString(w, "Hello, World!")
	})
	return http.Serve(l, mux)
}

func serveOn(which, port string) {
	serve, known := servers[which]
	if !known {
		usage()
	}
	l, err := net.Listen("tcp4", "127.0.0.1:"+port)
	if err != nil {
		fail(err.Error())
	}
	fmt.Println("listening", l.Addr().(*net.TCPAddr).Port)
	fail(serve(l).Error())
}
