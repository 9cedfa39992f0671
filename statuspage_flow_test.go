package kubescribe_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
)

func TestWhatAProgramApprovesByTheStatusPageGoes(t *testing.T) {
	t.Parallel()
	g := grow(t, func(g *grown) { configMap(t, g.cluster, "a", "one") })
	ghosts := map[string]gitservertest.File{}
	for i := range 11 {
		ghosts[fmt.Sprintf("prod/default/configmaps/ghost-%02d.yaml", i)] = gitservertest.File{Content: "ghost\n"}
	}
	g.repo.Commit("main", ghosts, "Files without an object")
	require.NoError(t, g.Resync(prodRef))
	g.until(t, func(st kubescribe.DestinationStatus) bool { return st.Held != nil })

	page := httptest.NewServer(kubescribe.StatusHandler(g.Mirror, &kubescribe.StatusHandlerOptions{
		Allow: func(*http.Request) bool { return true },
	}))
	defer page.Close()
	answer, err := page.Client().Get(page.URL + "?format=json&reason=DeletionsHeld")
	require.NoError(t, err)
	defer answer.Body.Close()
	var status struct {
		Destinations []struct{ Held struct{ Shown string } }
	}
	require.NoError(t, json.NewDecoder(answer.Body).Decode(&status))
	require.Len(t, status.Destinations, 1)
	done, err := page.Client().PostForm(page.URL, url.Values{
		"action": {"approve"}, "destination": {prodRef.String()}, "shown": {status.Destinations[0].Held.Shown},
	})
	require.NoError(t, err)
	defer done.Body.Close()
	require.Equal(t, http.StatusOK, done.StatusCode, "of the page that it leads to")
	g.until(t, func(st kubescribe.DestinationStatus) bool { return st.Held == nil && st.Synced && !st.Approved })
	require.Len(t, g.repo.Tree("main"), 2, "the object and the ownership file")
	require.NoError(t, g.stop())
}
