package e2e

import (
	"maps"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/kubescribe/kubescribe/internal/testsize"
)

// quietRequests counts the requests of a Mirror, at its own end of the wire.
type quietRequests struct {
	mu         sync.Mutex
	listed     map[string]int // by path, pages of one listing as one
	questions  int            // for the server's clock, which read no object
	watched    int
	discovered int
}

func newQuietRequests() *quietRequests { return &quietRequests{listed: map[string]int{}} }

func (q *quietRequests) forget() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.listed, q.questions, q.watched, q.discovered = map[string]int{}, 0, 0, 0
}

func (q *quietRequests) counts() (listed map[string]int, questions, watched, discovered int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return maps.Clone(q.listed), q.questions, q.watched, q.discovered
}

// wrap counts, and has watches end as soon as 20 seconds after they were opened, unless the test
// has an hour's time.
func (q *quietRequests) wrap(next http.RoundTripper) http.RoundTripper {
	return quietTripper(func(r *http.Request) (*http.Response, error) {
		query := r.URL.Query()
		if q.count(r.Method, r.URL.Path, query.Has("watch"), query.Has("continue"), strings.Contains(query.Get("fieldSelector"), "kubescribe-asks")) {
			if query.Has("timeoutSeconds") && !testsize.Soak() {
				query.Set("timeoutSeconds", strconv.Itoa(20+rand.IntN(20)))
				r = r.Clone(r.Context())
				r.URL.RawQuery = query.Encode()
			}
		}
		return next.RoundTrip(r)
	})
}

// count reports whether a request is a watch.
func (q *quietRequests) count(method, path string, watch, more, question bool) bool {
	if method != http.MethodGet {
		return false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	parts := strings.Split(strings.Trim(path, "/"), "/")
	below := 2 // api, version
	if parts[0] == "apis" {
		below = 3
	}
	switch {
	case len(parts) <= below:
		q.discovered++
	case watch:
		q.watched++
	case len(parts)-below == 2 || len(parts)-below == 4: // an object
	case more:
	case question:
		q.questions++
	default:
		q.listed[path]++
	}
	return watch
}

type quietTripper func(*http.Request) (*http.Response, error)

func (f quietTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
