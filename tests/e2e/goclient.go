// SPDX-License-Identifier: GPL-2.0

// goclient HOST:PORT: sends a line over plain TCP, reads it back reversed, and says
// so. A statically linked program with a runtime of its own: connects without
// blocking and waits with epoll. Run by the end-to-end tests.
package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"time"
)

func main() {
	conn, err := net.DialTimeout("tcp", os.Args[1], 60*time.Second)
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	fmt.Fprintln(conn, "plain text")
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	fmt.Print("got ", line)
}
