package gitservertest

// Service is the Git service that a request asks for (gitprotocol-http(5)).
type Service string

// The services of Git's HTTP protocol.
const (
	UploadPack  Service = "git-upload-pack"  // fetch, clone, ls-remote
	ReceivePack Service = "git-receive-pack" // push
)

// Phase is the step of a service that a request asks for.
type Phase string

// The phases of a service.
const (
	Advertisement Phase = "advertisement" // GET info/refs
	RPC           Phase = "rpc"           // POST to the service
)

// Count is the number of requests that a [Server] has seen, and the bytes of their bodies as they
// crossed the wire, without headers.
type Count struct {
	Requests int
	In, Out  int64 // received, sent
}

func (c Count) plus(d Count) Count {
	return Count{Requests: c.Requests + d.Requests, In: c.In + d.In, Out: c.Out + d.Out}
}

type meterKey struct {
	service Service
	phase   Phase
}

type requestKey struct {
	meterKey
	repo string
}

// meter counts requests; [Server] guards it.
type meter struct {
	counts       map[meterKey]Count
	seen         map[requestKey]int // requests so far, for [Request.N]
	unauthorized int
}

func newMeter() meter {
	return meter{counts: map[meterKey]Count{}, seen: map[requestKey]int{}}
}

// Count returns what the server has seen of one service and phase since its start or the last
// [Server.ResetCounts]. Requests without valid credentials are not in it. A request is counted when
// it has arrived, and each byte of an answer before it is sent: a client that has read an answer
// finds it counted.
func (s *Server) Count(service Service, phase Phase) Count {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.meter.counts[meterKey{service, phase}]
}

// Total returns the sum of [Server.Count] over all services and phases.
func (s *Server) Total() Count {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.meter.total()
}

// Unauthorized returns the number of requests that were refused for their credentials.
func (s *Server) Unauthorized() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.meter.unauthorized
}

// ResetCounts sets all counts to zero, including those of [Request].N and [Request].Seq.
func (s *Server) ResetCounts() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.meter = newMeter()
}

func (m *meter) total() Count {
	var sum Count
	for _, c := range m.counts {
		sum = sum.plus(c)
	}
	return sum
}

// number counts a request and gives it its numbers.
func (m *meter) number(r *Request, in int64) {
	key := meterKey{r.Service, r.Phase}
	m.counts[key] = m.counts[key].plus(Count{Requests: 1, In: in})
	m.seen[requestKey{key, r.Repo}]++
	r.N = m.seen[requestKey{key, r.Repo}]
	r.Seq = m.total().Requests
}

func (s *Server) countOut(r Request, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := meterKey{r.Service, r.Phase}
	s.meter.counts[key] = s.meter.counts[key].plus(Count{Out: int64(n)})
}
