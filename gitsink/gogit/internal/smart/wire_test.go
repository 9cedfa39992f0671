package smart

import (
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

func TestAPathIsQuotedForAShell(t *testing.T) {
	require.Equal(t, `'it'\''s'`, shellQuote("it's"))
}
