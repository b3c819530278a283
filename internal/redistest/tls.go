package redistest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// A TLSServer is a server that talks TLS alone on TLSAddr, and only with
// clients that have a certificate.
type TLSServer struct {
	*Server
	TLSAddr                   string
	CAFile, CertFile, KeyFile string
	ServerName                string // what its certificate is for
}

// StartTLS runs a server with TLS until the test ends.
func StartTLS(t testing.TB) *TLSServer {
	t.Helper()
	dir, port := t.TempDir(), FreePort(t)
	s := &TLSServer{
		TLSAddr: "127.0.0.1:" + strconv.Itoa(port),
		CAFile:  filepath.Join(dir, "ca.pem"), CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem"),
		ServerName: "redis.test",
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	// One certificate serves as authority, server and client.
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: s.ServerName}, DNSNames: []string{s.ServerName},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, s.CAFile, "CERTIFICATE", der)
	write(t, s.CertFile, "CERTIFICATE", der)
	write(t, s.KeyFile, "EC PRIVATE KEY", private)
	s.Server = Start(t, "--tls-port", strconv.Itoa(port), "--tls-cert-file", s.CertFile, "--tls-key-file", s.KeyFile, "--tls-ca-cert-file", s.CAFile)
	return s
}

func write(t testing.TB, file, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}
