package smart

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAServerCannotSendUsAwayForLong(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"7": 7 * time.Second, "999999999": time.Hour, "-1": 0, "soon": 0, "": 0, "Mon, 02 Jan 2006 15:04:05 GMT": 0,
	} {
		header := http.Header{"Retry-After": {value}}
		require.Equal(t, want, retryAfter(http.StatusServiceUnavailable, header, time.Now()), value)
	}
}

// clientCertificate makes a certificate that signs itself.
func clientCertificate(t *testing.T) (pool *x509.CertPool, certificate, key []byte) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	require.NoError(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	certificate = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	pool = x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(certificate))
	return pool, certificate, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}

func TestAPathIsQuotedForAShell(t *testing.T) {
	require.Equal(t, `'it'\''s'`, shellQuote("it's"))
}
