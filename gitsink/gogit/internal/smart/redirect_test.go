package smart

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
)

func TestWhereAnAdvertisementMayMoveTo(t *testing.T) {
	t.Parallel()
	const asked = "/info/refs?service=git-receive-pack"
	shown := Credentials{Username: "bot", Password: "s3cret-word"}
	for _, c := range []struct {
		from, to string
		auth     Credentials
		follow   bool
		says     string // why not; "": it is not asked at all
	}{
		{"http://git.example/app", "http://git.example/new", shown, true, ""},
		{"http://git.example/app", "https://git.example/app", shown, true, ""},
		{"http://git.example/app", "https://git.example:8443/app", shown, false, "credentials are not sent"},
		{"http://git.example/app", "https://git.example:8443/app", Credentials{}, true, ""},
		{"https://git.example/app", "http://git.example/app", Credentials{}, false, "not encrypted"},
		{"https://git.example/app", "http://git.example/app", shown, false, "not encrypted"},
		{"https://git.example/app", "https://git.example.org/app", shown, false, "credentials are not sent"},
		{"https://git.example/app", "https://git.example.org/app", Credentials{BearerToken: "tok"}, false, "credentials are not sent"},
		{"https://git.example/app", "https://git.example.org/app", Credentials{ClientCertificate: []byte("pem")}, false, "credentials are not sent"},
		{"https://git.example/app", "https://git.example.org/app", Credentials{}, true, ""},
	} {
		via, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.from+asked, nil)
		require.NoError(t, err)
		next, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.to+"/info/refs?service=git-receive-pack", nil)
		require.NoError(t, err)
		err = (&httpConn{auth: c.auth}).redirect(next, []*http.Request{via})
		if c.follow {
			require.NoError(t, err, "%s -> %s", c.from, c.to)
			continue
		}
		require.ErrorIs(t, err, gitsink.ErrNotFound, "%s -> %s", c.from, c.to)
		require.ErrorContains(t, err, c.says)
		require.NotContains(t, err.Error(), "s3cret-word")
	}
}
