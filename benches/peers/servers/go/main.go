// Go's servers, which the contest starts with the socket to accept on as descriptor 3.
package main

import (
	"io"
	"log"
	"net"
	"net/http"
	"os"
)

func main() {
	listener, err := net.FileListener(os.NewFile(3, "listener"))
	if err != nil {
		log.Fatal(err)
	}
	switch os.Args[1] {
	case "echo":
		log.Fatal(accept(listener))
	case "hello":
		log.Fatal(http.Serve(listener, http.HandlerFunc(hello)))
	}
}

func accept(listener net.Listener) error {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		go echo(conn)
	}
}

func echo(conn net.Conn) {
	defer conn.Close()
	buffer := make([]byte, 1024)
	for {
		count, err := conn.Read(buffer)
		if err != nil {
			return
		}
		if _, err := conn.Write(buffer[:count]); err != nil {
			return
		}
	}
}

func hello(response http.ResponseWriter, _ *http.Request) {
	response.Header()["Date"] = nil // as the others
	response.Header().Set("Content-Type", "text/plain")
	io.WriteString(response, "Hello, world!")
}
