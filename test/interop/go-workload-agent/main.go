// A server of the SPIFFE Workload API over grpc-go and go-spiffe's own protocol package: what SPIRE speaks.
// It listens on the Unix socket that it is given, and obeys the lines of its input: "issue", "renew", "deny", "exit".
// For each but the last it prints one line: the SHA-256 of the certificate that it issues, or "denied".
package main

import (
	"bufio"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"log"
	"math/big"
	"net"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/spiffe/go-spiffe/v2/proto/spiffe/workload"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

type authority struct {
	key  crypto.Signer
	cert *x509.Certificate
}

type agent struct {
	workload.UnimplementedSpiffeWorkloadAPIServer
	mu       sync.Mutex
	changed  chan struct{}
	response *workload.X509SVIDResponse
}

func (a *agent) set(response *workload.X509SVIDResponse) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.response = response
	close(a.changed)
	a.changed = make(chan struct{})
}

func (a *agent) FetchX509SVID(_ *workload.X509SVIDRequest, stream workload.SpiffeWorkloadAPI_FetchX509SVIDServer) error {
	sent, _ := metadata.FromIncomingContext(stream.Context())
	if header := sent.Get("workload.spiffe.io"); len(header) != 1 || header[0] != "true" {
		return status.Error(codes.InvalidArgument, "request lacks the security header")
	}
	for {
		a.mu.Lock()
		response, changed := a.response, a.changed
		a.mu.Unlock()
		if response == nil {
			return status.Error(codes.PermissionDenied, "no identity issued")
		}
		if err := stream.Send(response); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-stream.Context().Done():
			return nil
		}
	}
}

func main() {
	listener, err := net.Listen("unix", os.Args[1])
	check(err)
	a := &agent{changed: make(chan struct{})}
	server := grpc.NewServer()
	workload.RegisterSpiffeWorkloadAPIServer(server, a)
	go func() { check(server.Serve(listener)) }()

	root := newAuthority("root", nil)
	middle := newAuthority("intermediate", root)
	partner := newAuthority("partner", nil)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		switch lines.Text() {
		case "issue":
			a.set(issue("spiffe://shop.example/web", middle, root, partner))
		case "renew":
			a.set(issue("spiffe://shop.example/web", middle, root, nil))
		case "deny":
			a.set(nil)
			fmt.Println("denied")
		case "exit":
			return
		}
	}
}

func issue(id string, middle, root, partner *authority) *workload.X509SVIDResponse {
	uri, err := url.Parse(id)
	check(err)
	key := newKey()
	cert := sign(&x509.Certificate{
		URIs:        []*url.URL{uri},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, key, middle)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	check(err)
	fmt.Printf("%x\n", sha256.Sum256(cert.Raw))
	svid := &workload.X509SVID{
		SpiffeId:    id,
		X509Svid:    append(append([]byte{}, cert.Raw...), middle.cert.Raw...),
		X509SvidKey: pkcs8,
		Bundle:      root.cert.Raw,
		Hint:        "internal",
	}
	response := &workload.X509SVIDResponse{Svids: []*workload.X509SVID{svid}}
	if partner != nil {
		response.FederatedBundles = map[string][]byte{"spiffe://partner.example": partner.cert.Raw}
	}
	return response
}

func newAuthority(name string, parent *authority) *authority {
	key := newKey()
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	if parent == nil {
		parent = &authority{key: key, cert: template}
	}
	return &authority{key: key, cert: sign(template, key, parent)}
}

func sign(template *x509.Certificate, key crypto.Signer, by *authority) *x509.Certificate {
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	check(err)
	template.SerialNumber = serial
	template.NotBefore = time.Now().Add(-time.Minute)
	template.NotAfter = time.Now().Add(time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, template, by.cert, key.Public(), by.key)
	check(err)
	cert, err := x509.ParseCertificate(der)
	check(err)
	return cert
}

func newKey() crypto.Signer {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	return key
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
