package testenv

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAnotherEtcdOnThePortIsNotTakenForOurs(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"members":[{"name":"theirs"}]}`)
	}))
	defer other.Close()
	etcd := &Etcd{url: other.URL}
	require.NoError(t, etcd.isMember(t.Context(), "theirs"))
	require.ErrorContains(t, etcd.isMember(t.Context(), "ours"), "another etcd")
}

func TestCallReportsWhatEtcdAnswers(t *testing.T) {
	failing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "mvcc: database space exceeded", http.StatusTooManyRequests)
	}))
	defer failing.Close()
	err := (&Etcd{url: failing.URL}).Compact(t.Context())
	require.ErrorContains(t, err, "429 Too Many Requests: mvcc: database space exceeded")
}
