// A gRPC server and a gRPC client that are not of JavaScript: grpc-go's, for `heddle.test.Peer`, whose messages are all
// google.protobuf.BytesValue. `peer server` prints where it listens, and what it saw; `peer client` takes a call a line and prints
// what became of it a line.
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

var (
	listen   = flag.String("listen", "127.0.0.1:0", "where the server listens")
	certFile = flag.String("cert", "", "its certificate; without one it speaks plain text")
	keyFile  = flag.String("key", "", "the key of that")
	caFile   = flag.String("ca", "", "roots of whom it speaks to")
)

func main() {
	flag.Parse()
	var err error
	switch flag.Arg(0) {
	case "server":
		err = serve()
	case "client":
		err = call()
	default:
		err = fmt.Errorf("expected server or client, got %q", flag.Arg(0))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Lines of several calls are not mixed.
var printing sync.Mutex

func print(fact any) {
	line, err := json.Marshal(fact)
	if err != nil {
		panic(err)
	}
	printing.Lock()
	defer printing.Unlock()
	fmt.Println(string(line))
}

// Commands, a line each, until there are no more.
func commands(do func(line []byte) error) error {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if err := do(append([]byte(nil), lines.Bytes()...)); err != nil {
			return err
		}
	}
	return lines.Err()
}

func roots() (*x509.CertPool, error) {
	pem, err := os.ReadFile(*caFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", *caFile)
	}
	return pool, nil
}

func serverCredentials() (grpc.ServerOption, error) {
	if *certFile == "" {
		return grpc.Creds(insecure.NewCredentials()), nil
	}
	own, err := tls.LoadX509KeyPair(*certFile, *keyFile)
	if err != nil {
		return nil, err
	}
	pool, err := roots()
	if err != nil {
		return nil, err
	}
	return grpc.Creds(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{own},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    pool,
	})), nil
}

func clientCredentials() (credentials.TransportCredentials, error) {
	if *certFile == "" {
		return insecure.NewCredentials(), nil
	}
	own, err := tls.LoadX509KeyPair(*certFile, *keyFile)
	if err != nil {
		return nil, err
	}
	pool, err := roots()
	if err != nil {
		return nil, err
	}
	return credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{own},
		// An X509-SVID has no host name: the chain is verified, and who it is is told to whoever asked.
		InsecureSkipVerify: true,
		VerifyConnection: func(state tls.ConnectionState) error {
			intermediates := x509.NewCertPool()
			for _, certificate := range state.PeerCertificates[1:] {
				intermediates.AddCert(certificate)
			}
			_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{
				Roots:         pool,
				Intermediates: intermediates,
				KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
			})
			return err
		},
	}), nil
}
