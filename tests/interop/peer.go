// SPDX-License-Identifier: GPL-2.0

// The peer of the interoperability tests that is written in Go: crypto/tls and
// net/http as they come.
//
//	peer client ADDRESS NAME CA VERSION SUITE [CERTIFICATE KEY]
//		PUTs its standard input over TLS, prints what comes back
//	peer server ADDRESS CERTIFICATE KEY VERSION SUITE [CA]
//		answers PUT over TLS with the body that came
//	peer plain ADDRESS
//		the same in the clear: a static server that kseal has to seal
//
// VERSION is 1.2 or 1.3; SUITE, of TLS 1.2, is a name of crypto/tls or "".
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"os"
)

func config(version, suite string) *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12}
	if version == "1.3" {
		c.MinVersion, c.MaxVersion = tls.VersionTLS13, tls.VersionTLS13
	}
	for _, s := range tls.CipherSuites() {
		if s.Name == suite {
			c.CipherSuites = []uint16{s.ID}
		}
	}
	return c
}

func pool(file string) *x509.CertPool {
	p := x509.NewCertPool()
	if pem, err := os.ReadFile(file); err != nil || !p.AppendCertsFromPEM(pem) {
		log.Fatal(file, ": no certificate: ", err)
	}
	return p
}

func certificate(args []string) []tls.Certificate {
	c, err := tls.LoadX509KeyPair(args[0], args[1])
	if err != nil {
		log.Fatal(err)
	}
	return []tls.Certificate{c}
}

func client(args []string) {
	c := config(args[3], args[4])
	c.ServerName = args[1]
	c.RootCAs = pool(args[2])
	if len(args) > 5 {
		c.Certificates = certificate(args[5:])
	}
	body, err := io.ReadAll(os.Stdin)
	if err != nil {
		log.Fatal(err)
	}
	request, err := http.NewRequest("PUT", "https://"+args[0]+"/", bytes.NewReader(body))
	if err != nil {
		log.Fatal(err)
	}
	answer, err := (&http.Transport{TLSClientConfig: c}).RoundTrip(request)
	if err != nil {
		log.Fatal(err)
	}
	if _, err = io.Copy(os.Stdout, answer.Body); err != nil {
		log.Fatal(err)
	}
}

func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		log.Print(err)
		return
	}
	w.Write(body)
}

func main() {
	log.SetFlags(0)
	args := os.Args[2:]
	s := &http.Server{Addr: args[0], Handler: http.HandlerFunc(echo),
		// HTTP/2 would want a cipher suite of its own
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){}}
	switch os.Args[1] {
	case "client":
		client(args)
	case "server":
		s.TLSConfig = config(args[3], args[4])
		if len(args) > 5 {
			s.TLSConfig.ClientCAs = pool(args[5])
			s.TLSConfig.ClientAuth = tls.RequireAndVerifyClientCert
		}
		log.Fatal(s.ListenAndServeTLS(args[1], args[2]))
	case "plain":
		log.Fatal(s.ListenAndServe())
	}
}
